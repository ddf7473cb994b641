#include <podium/podium.hpp>

int main()
{
    podium::result<int> const answer = 42;
    return answer.has_value() ? 0 : 1;
}
