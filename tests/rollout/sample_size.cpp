#include <podium/rollout/sample_size.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace analysis = podium::rollout::analysis;
using analysis::proportion;
using analysis::question;
using analysis::supposed;
using podium::rollout::verdict;

namespace {

constexpr proportion better{.ask = question::better, .effect = 0.05, .expected = 0.25};
constexpr proportion not_worse{.margin = 0.02, .expected = 0.25};
constexpr proportion errors{.higher_is_better = false, .margin = 0.01, .expected = 0.02};

// Canary's units when the right answer was given, over releases looked at after every `growth` more of units.
struct simulated {
    std::vector<double> units{};
    int releases = 0;
    [[nodiscard]] double part(double of) const
    {
        auto const i = static_cast<std::size_t>(of * releases);
        return i < units.size() ? units[i] : std::numeric_limits<double>::infinity();
    }
};

simulated simulate(proportion const& p, supposed const& s, verdict right, int releases, double growth)
{
    std::mt19937_64 random(1);
    auto const unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
    simulated out{.releases = releases};
    for (int i = 0; i < releases; ++i) {
        analysis::stretch seen{.share = s.share};
        double const least_arm = std::min(s.share, 1 - s.share);
        double next = static_cast<double>(p.minimum) / least_arm;
        for (std::optional<verdict> says; !says;) {
            bool const to_canary = unit() < s.share;
            auto& arm = to_canary ? seen.canary : seen.stable;
            ++arm.units;
            arm.successes += unit() < s.stable + (to_canary ? s.difference : 0) ? 1u : 0u;
            auto const units = static_cast<double>(seen.canary.units + seen.stable.units);
            if (units < next && std::min(seen.canary.units, seen.stable.units) < p.horizon)
                continue;
            next = units * growth;
            says = analysis::judge(p, std::span(&seen, 1)).says;
            if (says == right)
                out.units.push_back(static_cast<double>(seen.canary.units) / std::sqrt(growth));
        }
    }
    std::sort(out.units.begin(), out.units.end());
    return out;
}

}  // namespace

TEST_CASE("sample size: what cannot be supposed is said")
{
    auto const wrong = [](proportion const& p, supposed const& s) {
        auto const r = analysis::expect(p, s);
        return r ? std::string() : r.error().text();
    };
    double const nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(wrong(better, {.stable = 0.25, .difference = 0.05}).empty());
    CHECK(wrong(better, {.stable = 0.25}) == "difference: must not be the very bound of the question");
    CHECK(wrong(errors, {.stable = 0.25, .difference = 0.01}) ==
        "difference: must not be the very bound of the question");
    CHECK(wrong(better, {.stable = 0, .difference = 0.1}) == "stable: must be above 0 and below 1");
    CHECK(wrong(better, {.stable = 0.25, .difference = 0.75}) ==
        "difference: must leave the canary a rate above 0 and below 1");
    CHECK(wrong(better, {.stable = 0.25, .difference = nan}).starts_with("difference: must leave"));
    CHECK(wrong(better, {.stable = nan, .difference = 0.1}).starts_with("stable: must be above 0"));
    CHECK(wrong(better, {.stable = 0.25, .difference = 0.05, .share = 1}) ==
        "share: must be above 0 and below 1");
    CHECK(wrong(better, {.stable = 0.25, .difference = 0.05, .units_per_second = -1}) ==
        "units_per_second: must be a number of at least 0");
    CHECK(wrong({.margin = 0.01, .alpha = 2}, {.stable = 0.25, .difference = 0.05}) ==
        "alpha: must be above 0 and at most 0.5");
}

TEST_CASE("sample size: which answer, how many of each arm, how long")
{
    auto const f =
        analysis::expect(better, {.stable = 0.25, .difference = 0.05, .share = 0.2, .units_per_second = 10});
    REQUIRE(f);
    CHECK(f->of_pass);
    CHECK(f->chance > 0.999);
    REQUIRE(f->median);
    REQUIRE(f->late);
    CHECK(static_cast<double>(f->median->stable_units) / 4 ==
        doctest::Approx(static_cast<double>(f->median->canary_units)).epsilon(0.01));
    CHECK(f->late->canary_units > f->median->canary_units);
    REQUIRE(f->median->after);
    CHECK(static_cast<double>(*f->median->after / 100ms) ==
        doctest::Approx(static_cast<double>(f->median->canary_units + f->median->stable_units))
            .epsilon(0.01));
    CHECK(f->horizon.canary_units == 100'000);
    CHECK(f->horizon.after == 50'000s);

    CHECK_FALSE(analysis::expect(better, {.stable = 0.25, .difference = -0.05})->of_pass);
    CHECK(analysis::expect(not_worse, {.stable = 0.25})->of_pass);
    CHECK_FALSE(analysis::expect(not_worse, {.stable = 0.25, .difference = -0.05})->of_pass);
    CHECK(analysis::expect(errors, {.stable = 0.02})->of_pass);
    CHECK_FALSE(analysis::expect(errors, {.stable = 0.02, .difference = 0.05})->of_pass);

    auto const unknown = analysis::expect(better, {.stable = 0.25, .difference = 0.05});
    CHECK_FALSE(unknown->median->after.has_value());

    auto brief = better;
    brief.horizon = 400;
    auto const little = analysis::expect(brief, {.stable = 0.25, .difference = 0.05});
    CHECK(little->chance < 0.5);
    CHECK(little->chance > 0.05);
    CHECK_FALSE(little->median.has_value());
    CHECK_FALSE(little->late.has_value());

    auto huge = better;  // as long as there are numbers
    huge.horizon = std::numeric_limits<std::uint64_t>::max();
    auto const tiny =
        analysis::expect(huge, {.stable = 0.25, .difference = 1e-8, .share = 1e-6, .units_per_second = 1e-9});
    REQUIRE(tiny);
    CHECK(std::isfinite(tiny->chance));
    CHECK_FALSE(tiny->horizon.after.has_value());
}

TEST_SUITE("property")
{
    TEST_CASE("sample size: a larger effect takes fewer, a smaller alpha more, an uneven split more")
    {
        auto const late = [](proportion const& p, supposed const& s) {
            auto const f = analysis::expect(p, s);
            REQUIRE(f);
            REQUIRE(f->late);
            return f->late->canary_units + f->late->stable_units;
        };
        std::uint64_t before = ~0ull;
        for (double const effect : {0.03, 0.05, 0.08, 0.2}) {
            auto const now = late(better, {.stable = 0.25, .difference = effect});
            CHECK(now < before);
            before = now;
        }
        auto strict = better;
        strict.alpha = 0.001;
        CHECK(late(strict, {.stable = 0.25, .difference = 0.05}) >
            late(better, {.stable = 0.25, .difference = 0.05}));
        CHECK(late(better, {.stable = 0.25, .difference = 0.05, .share = 0.05}) >
            late(better, {.stable = 0.25, .difference = 0.05, .share = 0.5}));
        auto ignorant = better;
        ignorant.expected.reset();
        CHECK(late(ignorant, {.stable = 0.25, .difference = 0.05}) >
            late(better, {.stable = 0.25, .difference = 0.05}));
    }

    TEST_CASE("sample size: simulated releases take that long")
    {
        for (auto const& [p, s] : {std::pair{better, supposed{.stable = 0.25, .difference = 0.08}},
                 std::pair{errors, supposed{.stable = 0.02, .difference = 0.04, .share = 0.2}}}) {
            auto const f = analysis::expect(p, s);
            REQUIRE(f);
            auto const seen = simulate(p, s, f->of_pass ? verdict::pass : verdict::fail, 120, 1.1);
            CHECK(seen.part(0.5) ==
                doctest::Approx(static_cast<double>(f->median->canary_units)).epsilon(0.25));
            CHECK(
                seen.part(0.9) == doctest::Approx(static_cast<double>(f->late->canary_units)).epsilon(0.25));
        }
    }
}

TEST_SUITE("long")
{
    TEST_CASE("sample size: a thousand simulated releases of each kind take that long")
    {
        struct row {
            char const* name;
            proportion policy;
            supposed truth;
        };
        auto const without_rate = [](proportion p) { return p.expected.reset(), p; };
        auto const brief = [](proportion p) { return p.horizon = 1000, p; };
        for (auto const& r : {
                 row{"better", better, {.stable = 0.25, .difference = 0.05}},
                 row{"better, a tenth in the canary", better,
                     {.stable = 0.25, .difference = 0.05, .share = 0.1}},
                 row{"better by more than looked for", better, {.stable = 0.25, .difference = 0.10}},
                 row{"worse", better, {.stable = 0.25, .difference = -0.05}},
                 row{"nothing changed", not_worse, {.stable = 0.25}},
                 row{"no expected rate", without_rate(better), {.stable = 0.25, .difference = 0.05}},
                 row{"often not within the horizon", brief(better), {.stable = 0.25, .difference = 0.05}},
                 row{"errors, nothing changed", errors, {.stable = 0.02, .share = 0.3}},
             }) {
            CAPTURE(std::string(r.name));
            auto const f = analysis::expect(r.policy, r.truth);
            REQUIRE(f);
            auto const seen =
                simulate(r.policy, r.truth, f->of_pass ? verdict::pass : verdict::fail, 1000, 1.03);
            CHECK(static_cast<double>(seen.units.size()) / 1000 == doctest::Approx(f->chance).epsilon(0.08));
            CHECK(f->median.has_value());
            if (f->median)
                CHECK(seen.part(0.5) ==
                    doctest::Approx(static_cast<double>(f->median->canary_units)).epsilon(0.15));
            if (f->late)
                CHECK(seen.part(0.9) ==
                    doctest::Approx(static_cast<double>(f->late->canary_units)).epsilon(0.15));
        }
    }
}
