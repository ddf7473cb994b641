// A shop's canary is watched after every hundred visitors. A good idea is promoted, a bad one is taken back,
// and what changes nothing passes as "not worse": each as soon as it is proven, with at most 5 of 100 answers
// wrong.
#include <podium/rollout/proportion.hpp>
#include <podium/rollout/sample_size.hpp>

#include <cstdint>
#include <iostream>
#include <random>
#include <span>

namespace analysis = podium::rollout::analysis;

namespace {

std::uint64_t rounded(std::uint64_t n)
{
    return (n + 50) / 100 * 100;
}

void watch(char const* title, analysis::proportion const& policy, double canary, double stable)
{
    std::cout << title << '\n';
    if (auto const wrong = check(policy); !wrong) {
        std::cout << wrong.error().text() << '\n';
        return;
    }
    analysis::stretch seen{.share = 0.5};  // half of the visitors see the canary
    if (auto const f = expect(policy, {.stable = stable, .difference = canary - stable});
        f && f->median && f->late)
        std::cout << "  planned: half of such releases know after about " << rounded(f->median->canary_units)
                  << " visitors of each version, nine of ten after " << rounded(f->late->canary_units)
                  << '\n';

    std::mt19937_64 random(3);
    auto const buys = [&](double rate) { return static_cast<double>(random() >> 11) * 0x1p-53 < rate; };
    analysis::judged now;
    do {
        for (int visitor = 0; visitor < 100; ++visitor) {
            bool const to_canary = visitor % 2 == 0;
            auto& arm = to_canary ? seen.canary : seen.stable;
            ++arm.units;
            arm.successes += buys(to_canary ? canary : stable) ? 1u : 0u;
        }
        now = judge(policy, std::span(&seen, 1));
    } while (!now.says);
    std::cout << "  " << to_string(*now.says) << ": " << text(policy, explain(policy, std::span(&seen, 1)))
              << '\n';
}

}  // namespace

int main()
{
    analysis::proportion const better{.ask = analysis::question::better, .effect = 0.05, .expected = 0.25};
    analysis::proportion const not_worse{.margin = 0.02, .expected = 0.25, .horizon = 30'000};
    watch("A new checkout: is it better?", better, 0.30, 0.25);
    watch("A pop-up on every page: is it better?", better, 0.20, 0.25);
    watch("A new library underneath: is it not worse?", not_worse, 0.25, 0.25);

    std::cout << "No visitors at all\n  " << to_string(*judge(not_worse, {}, analysis::look::last).says)
              << '\n';
}
