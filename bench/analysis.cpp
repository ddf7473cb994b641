#include <podium/core/random.hpp>
#include <podium/core/time.hpp>
#include <podium/rollout/proportion.hpp>
#include <podium/rollout/sample_size.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

namespace analysis = podium::rollout::analysis;
using analysis::proportion;
using analysis::stretch;
using analysis::tally;
using podium::rollout::verdict;

namespace {

constexpr char const* help =
    "usage: bench_analysis [--experiments N] [--threads N] [--seed N]\n"
    "\n"
    "How often five judges of a canary are wrong, and how soon they are right, on the same simulated "
    "visitors: N\n"
    "releases (100000) of 20000 visitors of each version, who come in turn. The stable converts 25 % of "
    "them.\n"
    "podium's judge looks after every single visitor. A few minutes on two cores that have nothing else to "
    "do.\n"
    "\n"
    "podium        the shipped judge: alpha 5 %, told to expect 25 %, and the effect 5 points (or the "
    "margin)\n"
    "planned z     a z test, one-sided, 5 %, once, at the size that has 90 % power for the effect\n"
    "naive z       the same test after every pair of visitors, one of each version, from the 100th on\n"
    "threshold     ten times, after 1000 more of each version: fails if the canary's rate among these is "
    "below 95 %\n"
    "              of the stable's, passes at the end if it never was\n"
    "Mann-Whitney  Kayenta's classifier (confidence 98 %, tolerance 25 % of the estimate) on conversion "
    "rates per 250\n"
    "              of each version, after every 1000: High passes and Low fails when better is asked; when "
    "not worse\n"
    "              is asked, Low fails and what was never Low passes at the end\n"
    "\n"
    "`good` and `bad` are the shares of releases of which a judge says so; units are visitors of each "
    "version until\n"
    "the first answer that is right, over those releases that got it (90 % of all, if as many got it).\n"
    "\n"
    "podium's judge is not asked in full after each visitor. Evidence is the least of M over the rates p "
    "that the\n"
    "stable could have, so M at any fixed p is never less, and one more visitor changes it by one addition "
    "for each\n"
    "term: while M at the p of the last full look is short of a proof, so is the evidence. The first "
    "releases are\n"
    "looked at in full after each visitor too, and the program fails if that ever differs.\n";

constexpr std::uint64_t horizon = 20'000;

struct scenario {
    char const* title;
    proportion policy;
    double canary;
    double stable;
    std::uint64_t planned;  // of the planned test, for each arm
    std::optional<verdict> right;
};

// Says what, when (visitors of each version).
struct said {
    std::optional<verdict> what{};
    std::uint64_t units = 0;
};

// One release's visitors, in turn: successes so far after each.
struct release {
    std::vector<std::uint16_t> canary = std::vector<std::uint16_t>(horizon + 1);
    std::vector<std::uint16_t> stable = std::vector<std::uint16_t>(horizon + 1);

    void draw(podium::splitmix64 random, double canary_rate, double stable_rate)
    {
        auto const below = [](double rate) { return static_cast<std::uint64_t>(rate * 0x1p32); };
        auto const c = below(canary_rate);
        auto const s = below(stable_rate);
        for (std::size_t i = 0; i < horizon; ++i) {
            auto const bits = random();
            canary[i + 1] = static_cast<std::uint16_t>(canary[i] + ((bits >> 32) < c ? 1 : 0));
            stable[i + 1] = static_cast<std::uint16_t>(stable[i] + ((bits & 0xffff'ffffu) < s ? 1 : 0));
        }
    }
    [[nodiscard]] tally at(std::size_t canary_units, std::size_t stable_units) const
    {
        return {static_cast<double>(canary_units), static_cast<double>(canary[canary_units]),
            static_cast<double>(stable_units), static_cast<double>(stable[stable_units])};
    }
};

// log(k + offset) for all k there are.
class logarithms {
public:
    explicit logarithms(double offset) : logs_(horizon + 1)
    {
        for (std::size_t k = 0; k <= horizon; ++k)
            logs_[k] = std::log(static_cast<double>(k) + offset);
    }
    [[nodiscard]] double operator[](std::size_t k) const { return logs_[k]; }

private:
    std::vector<double> logs_;
};

// Evidence in one direction, never less than it is, by additions alone.
class watch {
public:
    watch(analysis::stakes const& stakes, double d, bool swapped)
        : s_(stakes),
          d_(d),
          swapped_(swapped),
          hit_{logarithms(s_.priors[0].a), logarithms(s_.priors[1].a)},
          miss_{logarithms(s_.priors[0].b), logarithms(s_.priors[1].b)},
          all_{logarithms(s_.priors[0].a + s_.priors[0].b), logarithms(s_.priors[1].a + s_.priors[1].b)}
    {
        freeze({}, 0.5 - d / 2);
    }
    void reset() { freeze({}, 0.5 - d_ / 2); }

    // One more visitor; `of` is what there was before.
    void add(bool to_canary, bool success, std::size_t units, std::size_t successes)
    {
        bool const first = to_canary != swapped_;  // the arm that the claim bounds
        auto const& step = steps_[first][success];
        bets_[0] += step[0];
        bets_[1] += step[1];
        double const less = step[2];
        for (std::size_t k = 0; k < 2; ++k)
            hedges_[k] +=
                (success ? hit_[k][successes] : miss_[k][units - successes]) - all_[k][units] - less;
    }
    // Whether it may be a proof.
    [[nodiscard]] bool may_reach(double log_needed) const
    {
        double const top = std::max(std::max(bets_[0], bets_[1]), std::max(hedges_[0], hedges_[1]));
        if (top + std::log(4.0) < log_needed)
            return false;
        return top +
            std::log(std::exp(bets_[0] - top) + std::exp(bets_[1] - top) + std::exp(hedges_[0] - top) +
                std::exp(hedges_[1] - top)) >=
            log_needed - 1e-6;
    }
    // The full look.
    [[nodiscard]] bool proves(tally const& t, double log_needed)
    {
        auto const mine = swapped_ ? t.swapped() : t;
        auto const valley = analysis::detail::find_valley(analysis::detail::mixture(mine, d_, s_));
        if (valley.floor >= log_needed)
            return true;
        freeze(mine, valley.at);
        return false;
    }

private:
    void freeze(tally const& t, double p)
    {
        double const q = std::min(p + d_, 1 - 1e-12);
        for (std::size_t k = 0; k < 2; ++k) {
            auto const& bet = s_.bets[k];
            double const up = std::log1p(q * std::expm1(bet.canary_tilt));
            double const down = std::log1p(p * std::expm1(-bet.stable_tilt));
            steps_[true][true][k] = bet.canary_tilt - up;
            steps_[true][false][k] = -up;
            steps_[false][true][k] = -bet.stable_tilt - down;
            steps_[false][false][k] = -down;
            bets_[k] = std::log(bet.weight) + bet.canary_tilt * t.canary_successes - up * t.canary_units -
                bet.stable_tilt * t.stable_successes - down * t.stable_units;
            auto const& prior = s_.priors[k];
            auto const arm = [&](double units, double successes, double rate) {
                return analysis::log_beta(prior.a + successes, prior.b + units - successes) -
                    analysis::log_beta(prior.a, prior.b) - successes * std::log(rate) -
                    (units - successes) * std::log1p(-rate);
            };
            hedges_[k] = std::log(s_.hedge / 2) + arm(t.canary_units, t.canary_successes, q) +
                arm(t.stable_units, t.stable_successes, p);
        }
        steps_[true][true][2] = std::log(q);
        steps_[true][false][2] = std::log1p(-q);
        steps_[false][true][2] = std::log(p);
        steps_[false][false][2] = std::log1p(-p);
    }

    analysis::stakes s_;
    double d_;
    bool swapped_;
    std::array<logarithms, 2> hit_;
    std::array<logarithms, 2> miss_;
    std::array<logarithms, 2> all_;
    std::array<double, 2> bets_{};
    std::array<double, 2> hedges_{};
    std::array<std::array<std::array<double, 3>, 2>, 2> steps_{};
};

class podium_judge {
public:
    explicit podium_judge(proportion const& p)
        : p_(p),
          claim_(p),
          more_(analysis::lay_out(claim_.at(0.5), claim_.bound), claim_.bound, false),
          less_(
              analysis::lay_out(claim_.at(0.5), -claim_.bound, analysis::roles::swapped), -claim_.bound, true)
    {
    }
    [[nodiscard]] said operator()(release const& r, bool check_all)
    {
        double const needed = -std::log(p_.alpha);
        more_.reset();
        less_.reset();
        for (std::size_t i = 0; i < 2 * horizon; ++i) {
            bool const to_canary = i % 2 == 0;
            std::size_t const before = i / 2;
            auto const& arm = to_canary ? r.canary : r.stable;
            bool const success = arm[before + 1] != arm[before];
            more_.add(to_canary, success, before, arm[before]);
            less_.add(to_canary, success, before, arm[before]);
            std::size_t const canary = (i + 2) / 2;
            std::size_t const stable = (i + 1) / 2;
            std::optional<verdict> says;
            if (stable >= p_.minimum) {
                if (more_.may_reach(needed) && more_.proves(r.at(canary, stable), needed))
                    says = verdict::pass;
                else if (less_.may_reach(needed) && less_.proves(r.at(canary, stable), needed))
                    says = verdict::fail;
            }
            if (check_all) {
                stretch const all{{canary, r.canary[canary]}, {stable, r.stable[stable]}};
                auto const full = analysis::judge(p_, std::span(&all, 1)).says;
                if (full != says && full != verdict::inconclusive) {
                    std::fprintf(
                        stderr, "bench_analysis: after %zu visitors the quick look differs\n", i + 1);
                    std::exit(1);
                }
            }
            if (says)
                return {says, canary};
        }
        return {};
    }

private:
    proportion p_;
    analysis::detail::claim claim_;
    watch more_;
    watch less_;
};

// z of canary - stable - d, squared with its sign; variance pooled where d is 0.
double signed_square(double n, double canary, double stable, double d)
{
    double const p1 = canary / n;
    double const p0 = stable / n;
    double const pooled = (p1 + p0) / 2;
    double const variance = d == 0 ? 2 * pooled * (1 - pooled) : p1 * (1 - p1) + p0 * (1 - p0);
    double const off = p1 - p0 - d;
    return off * std::abs(off) * n / std::max(variance, 1e-300);
}
constexpr double one_sided_5 = 1.6448536269514722 * 1.6448536269514722;

said z_at(release const& r, double d, std::size_t n)
{
    double const z = signed_square(static_cast<double>(n), r.canary[n], r.stable[n], d);
    if (z > one_sided_5)
        return {verdict::pass, n};
    if (z < -one_sided_5)
        return {verdict::fail, n};
    return {};
}

said naive_z(release const& r, double d)
{
    for (std::size_t n = 100; n <= horizon; ++n)
        if (auto const s = z_at(r, d, n); s.what)
            return s;
    return {};
}

said thresholds(release const& r)
{
    constexpr std::size_t interval = 1000;
    for (std::size_t n = interval; n <= 10 * interval; n += interval)
        if (r.canary[n] - r.canary[n - interval] < 0.95 * (r.stable[n] - r.stable[n - interval]))
            return {verdict::fail, n};
    return {verdict::pass, 10 * interval};
}

class mann_whitney {
public:
    said operator()(release const& r, bool better)
    {
        constexpr std::size_t interval = 250;
        x_.clear();
        y_.clear();
        for (std::size_t n = interval; n <= horizon; n += interval) {
            x_.push_back(r.canary[n] - r.canary[n - interval]);
            y_.push_back(r.stable[n] - r.stable[n - interval]);
            if (n % 1000 != 0)
                continue;
            double const tolerance = 0.25 * std::abs(estimate());
            if (better && z(tolerance) > 2.3263478740408408)
                return {verdict::pass, n};
            if (z(-tolerance) < -2.3263478740408408)
                return {verdict::fail, n};
        }
        return better ? said{} : said{verdict::pass, horizon};
    }

private:
    // Hodges and Lehmann's: the median of all differences. Counts are whole, so a histogram has them.
    double estimate()
    {
        std::size_t const all = x_.size() * y_.size();
        differences_.assign(501, 0);
        for (int const a : x_)
            for (int const b : y_)
                ++differences_[static_cast<std::size_t>(a - b + 250)];
        auto const nth = [&](std::size_t n) {
            std::size_t i = 0;
            for (std::size_t sum = differences_[0]; sum <= n; sum += differences_[i])
                ++i;
            return static_cast<double>(i) - 250;
        };
        return (nth((all - 1) / 2) + nth(all / 2)) / 2;
    }
    // Normal approximation with ties and continuity correction, of x - shift against y.
    double z(double shift)
    {
        ranked_.clear();
        for (int const a : x_)
            ranked_.push_back({a - shift, true});
        for (int const b : y_)
            ranked_.push_back({static_cast<double>(b), false});
        std::sort(
            ranked_.begin(), ranked_.end(), [](auto const& a, auto const& b) { return a.value < b.value; });
        double sum = 0;
        double ties = 0;
        for (std::size_t i = 0; i < ranked_.size();) {
            std::size_t k = i;
            std::size_t ours = 0;
            for (; k < ranked_.size() && ranked_[k].value <= ranked_[i].value; ++k)
                ours += ranked_[k].canary ? 1u : 0u;
            auto const alike = static_cast<double>(k - i);
            sum += static_cast<double>(ours) * (static_cast<double>(i + k + 1) / 2);
            ties += alike * alike * alike - alike;
            i = k;
        }
        auto const n = static_cast<double>(x_.size());
        double const off = sum - n * (n + 1) / 2 - n * n / 2;
        double const variance = n * n / 12 * (2 * n + 1 - ties / (2 * n * (2 * n - 1)));
        double const correction = off > 0 ? 0.5 : off < 0 ? -0.5 : 0;
        return variance > 0 ? (off - correction) / std::sqrt(variance) : 0;
    }

    struct rank {
        double value;
        bool canary;
    };
    std::vector<int> x_;
    std::vector<int> y_;
    std::vector<std::size_t> differences_;
    std::vector<rank> ranked_;
};

constexpr std::array judges{"podium", "planned z", "naive z", "threshold", "Mann-Whitney"};

struct counted {
    std::uint64_t good = 0;
    std::uint64_t bad = 0;
    std::vector<std::uint32_t> right{};  // visitors of each version until the right answer

    void add(said const& s, std::optional<verdict> expected)
    {
        good += s.what == verdict::pass ? 1u : 0u;
        bad += s.what == verdict::fail ? 1u : 0u;
        if (s.what && s.what == expected)
            right.push_back(static_cast<std::uint32_t>(s.units));
    }
};
using tallies = std::array<counted, judges.size()>;

struct settings {
    std::uint64_t experiments = 100'000;
    std::uint64_t threads = std::max(1u, std::thread::hardware_concurrency());
    std::uint64_t seed = 1;
};

void run(scenario const& s, settings const& with, std::uint64_t thread, tallies& out)
{
    podium_judge podium(s.policy);
    mann_whitney kayenta;
    release r;
    double const bound = s.policy.ask == analysis::question::better ? 0 : -s.policy.margin;
    for (std::uint64_t i = thread; i < with.experiments; i += with.threads) {
        r.draw(podium::splitmix64(with.seed * 0x9e3779b97f4a7c15u + i * 0xd1342543de82ef95u), s.canary,
            s.stable);
        out[0].add(podium(r, i < 2), s.right);
        out[1].add(z_at(r, bound, s.planned), s.right);
        out[2].add(naive_z(r, bound), s.right);
        out[3].add(thresholds(r), s.right);
        out[4].add(kayenta(r, s.policy.ask == analysis::question::better), s.right);
    }
}

void show(scenario const& s, settings const& with)
{
    auto const start = std::chrono::steady_clock::now();
    std::vector<tallies> parts(with.threads);
    {
        std::vector<std::thread> threads;
        for (std::uint64_t t = 0; t < with.threads; ++t)
            threads.emplace_back([&, t] { run(s, with, t, parts[t]); });
        for (auto& t : threads)
            t.join();
    }
    std::printf("\n%s\n  %-14s %9s %9s %11s %11s\n", s.title, "judge", "good", "bad", "median", "90 %");
    auto const all = static_cast<double>(with.experiments);
    for (std::size_t j = 0; j < judges.size(); ++j) {
        counted sum;
        for (auto const& p : parts) {
            sum.good += p[j].good;
            sum.bad += p[j].bad;
            sum.right.insert(sum.right.end(), p[j].right.begin(), p[j].right.end());
        }
        std::sort(sum.right.begin(), sum.right.end());
        std::printf("  %-14s %7.2f %% %7.2f %%", judges[j], 100 * static_cast<double>(sum.good) / all,
            100 * static_cast<double>(sum.bad) / all);
        for (double const part : {0.5, 0.9}) {
            auto const i = static_cast<std::size_t>(part * all);
            if (s.right && i < sum.right.size())
                std::printf(" %11u", sum.right[i]);
            else
                std::printf(" %11s", "-");
        }
        std::printf("\n");
    }
    std::printf(
        "  (%.1f s)\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    std::fflush(stdout);
}

// What a caller pays: one look at counts of this size, in microseconds.
template<class F>
double cost(int rounds, F const& look)
{
    double sum = 0;
    auto const start = std::chrono::steady_clock::now();
    for (int i = 0; i < rounds; ++i) {
        auto const n = 200 + static_cast<std::uint64_t>(i) * 19'800 / static_cast<std::uint64_t>(rounds);
        sum += look(stretch{{n, n * 28 / 100}, {n, n / 4}});
    }
    double const took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    double volatile kept = sum;
    static_cast<void>(kept);
    return took / rounds * 1e6;
}

std::optional<std::uint64_t> whole(char const* text)
{
    std::uint64_t n = 0;
    auto const [end, error] = std::from_chars(text, text + std::strlen(text), n);
    if (error != std::errc{} || *end != 0 || n == 0)
        return std::nullopt;
    return n;
}

}  // namespace

int main(int count, char** words)
{
    settings with;
    for (int i = 1; i < count; ++i) {
        std::string_view const word = words[i];
        if (word == "--help" || word == "-h") {
            std::fputs(help, stdout);
            return 0;
        }
        if (word.starts_with("--benchmark_"))  // for the others of ./bench/run
            continue;
        auto* const target = word == "--experiments" ? &with.experiments
            : word == "--threads"                    ? &with.threads
            : word == "--seed"                       ? &with.seed
                                                     : nullptr;
        auto const n = target != nullptr && i + 1 < count ? whole(words[i + 1]) : std::nullopt;
        if (!n) {
            std::fprintf(stderr,
                target == nullptr ? "bench_analysis: what is '%s'? --help tells\n"
                                  : "bench_analysis: %s: expected a number from 1\n",
                words[i]);
            return 2;
        }
        *target = *n;
        ++i;
    }
    with.threads = std::min({with.threads, with.experiments, std::uint64_t{256}});

    proportion const better{
        .ask = analysis::question::better, .effect = 0.05, .expected = 0.25, .horizon = horizon};
    proportion const not_worse{.margin = 0.02, .expected = 0.25, .horizon = horizon};
    // (1.645 + 1.282)^2 x the sum of variances / effect^2
    constexpr std::uint64_t planned_better = 1362;
    constexpr std::uint64_t planned_not_worse = 8029;
    std::printf("%llu releases, 20000 visitors of each version; units are visitors of each version\n",
        static_cast<unsigned long long>(with.experiments));
    for (auto const& s : {
             scenario{"better?  25 % -> 25 %: nothing changed, `good` and `bad` are wrong", better, 0.25,
                 0.25, planned_better, {}},
             scenario{
                 "not worse by 2 points?  25 % -> 23 %: it is worse by just that, `good` and `bad` are wrong",
                 not_worse, 0.23, 0.25, planned_not_worse, {}},
             scenario{"better?  25 % -> 30 %", better, 0.30, 0.25, planned_better, verdict::pass},
             scenario{"better?  25 % -> 20 %", better, 0.20, 0.25, planned_better, verdict::fail},
             scenario{"not worse by 2 points?  25 % -> 25 %: nothing changed", not_worse, 0.25, 0.25,
                 planned_not_worse, verdict::pass},
         })
        show(s, with);

    auto const judged = [&](stretch const& s) { return analysis::judge(better, std::span(&s, 1)).log_pass; };
    auto const explained = [&](stretch const& s) {
        return analysis::explain(better, std::span(&s, 1)).difference_range.low;
    };
    auto const forecast = [&](stretch const& s) {
        return analysis::expect(
            better, {.stable = 0.25, .difference = 0.04 + 1e-7 * static_cast<double>(s.canary.units)})
            ->chance;
    };
    std::printf("\none look (judge): %.1f us; with intervals (explain): %.0f us; forecast: %.0f us\n",
        cost(20'000, judged), cost(200, explained), cost(20, forecast));
    auto const f = analysis::expect(better, {.stable = 0.25, .difference = 0.05});
    if (f && f->median && f->late)
        std::printf("forecast of 25 %% -> 30 %%: median %llu, 90 %% %llu\n",
            static_cast<unsigned long long>(f->median->canary_units),
            static_cast<unsigned long long>(f->late->canary_units));
}
