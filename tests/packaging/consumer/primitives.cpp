// Somebody else's program that takes the primitives and needs std alone.
#include <podium/podium.hpp>

int main()
{
    podium::result<int> const answer = podium::error{podium::errc::not_found, "nobody at home"};
    return !answer && answer.error().code == podium::errc::not_found ? 0 : 1;
}
