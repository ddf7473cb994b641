// Somebody else's program that takes the components too.
#include <podium/podium.hpp>
int main() {}
