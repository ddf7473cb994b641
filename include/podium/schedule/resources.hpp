#pragma once
/// Resources: what nodes have, what pods ask for, and the plugins that compare the two.
///
/// A resource is a name and two properties: `resource<"cores", &machine::cores, &match::cores>`. Amounts are
/// integers in whatever unit the embedder counts (milli-cores, bytes). Each has one column of usage in the
/// snapshot, shared by all plugins that name it.
///
/// Amounts below 0 count as 0; capacities above 2^53 count as 2^53 and requests above it as 2^53 + 1, which
/// fits nowhere. So the sum over a node is exact up to 1,000 pods of such a size (more wrap around, and are
/// undone exactly by `unbind`).
///
/// Source: kube-scheduler v1.35, pkg/scheduler/framework/plugins/noderesources.

#include <podium/schedule/plugin.hpp>
#include <podium/schedule/sweep.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

namespace detail {

/// Amounts below this are swept.
inline constexpr std::int64_t most_swept = std::int64_t{1} << 44;

/// Wraps around instead of being undefined.
[[nodiscard]] constexpr std::int64_t sum(std::int64_t a, std::int64_t b) noexcept
{
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
[[nodiscard]] constexpr std::int64_t difference(std::int64_t a, std::int64_t b) noexcept
{
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
/// An amount of any arithmetic type, brought to 0 to `most`.
[[nodiscard]] constexpr std::int64_t bounded(auto const& amount, std::int64_t most)
{
    using T = std::remove_cvref_t<decltype(amount)>;
    if constexpr (std::is_unsigned_v<T>)
        return static_cast<std::int64_t>(std::min<std::uint64_t>(amount, static_cast<std::uint64_t>(most)));
    else if constexpr (std::is_floating_point_v<T>)
        return !(amount > 0) ? 0 : amount >= static_cast<T>(most) ? most : static_cast<std::int64_t>(amount);
    else
        return std::clamp<std::int64_t>(static_cast<std::int64_t>(amount), 0, most);
}

}  // namespace detail

/// A resource known by name when compiling. `Assumed` is what least and most allocated take a pod for, where
/// that differs from what it asks for (Kubernetes: 100m and 200 MiB for a container that asks for nothing).
template<name_literal Name, auto Capacity, auto Request, auto Assumed = none>
struct resource {
    static constexpr std::string_view name = Name.view();
    static constexpr bool assumes = !std::same_as<std::remove_cv_t<decltype(Assumed)>, absent>;

    [[nodiscard]] static constexpr std::int64_t capacity(auto const& node)
    {
        return detail::bounded(std::invoke(Capacity, node), limit);
    }
    [[nodiscard]] static constexpr std::int64_t request(auto const& pod) { return asked<Request>(pod); }
    [[nodiscard]] static constexpr std::int64_t assumed(auto const& pod)
    {
        if constexpr (assumes)
            return asked<Assumed>(pod);
        else
            return asked<Request>(pod);
    }

    static constexpr std::int64_t limit = std::int64_t{1} << 53;

private:
    template<auto Property>
    static constexpr std::int64_t asked(auto const& pod)
    {
        return detail::bounded(std::invoke(Property, pod), limit + 1);
    }
};

/// A resource that few pods want: in scores it counts only for those that ask for it (Kubernetes' extended
/// resources).
template<name_literal Name, auto Capacity, auto Request>
struct extended_resource : resource<Name, Capacity, Request> {
    static constexpr bool only_if_asked = true;
};

/// Slots of which every pod takes one, whatever else it asks for.
template<auto Capacity>
struct pod_slots : resource<"pods", Capacity, none> {
    static constexpr std::string_view reason = "Too many pods";
    [[nodiscard]] static constexpr std::int64_t request(auto const&) { return 1; }
    [[nodiscard]] static constexpr std::int64_t assumed(auto const&) { return 1; }
};

/// Resources whose names come with the objects ("example.com/gpu"). Both properties give a range of {name,
/// amount}.
template<auto Capacities, auto Requests>
struct extended_resources {
    using list = std::vector<std::pair<std::string, std::int64_t>>;

    [[nodiscard]] static list capacities(auto const& node)
    {
        return sorted(std::invoke(Capacities, node), limit);
    }
    [[nodiscard]] static list requests(auto const& pod)
    {
        return sorted(std::invoke(Requests, pod), limit + 1);
    }

private:
    static constexpr std::int64_t limit = std::int64_t{1} << 53;
    static list sorted(auto const& given, std::int64_t most);
};

/// Column: capacity and use of one resource on each node.
template<class Resource>
class usage {
public:
    struct row {
        std::int64_t capacity = 0;
        std::int64_t used = 0;
        std::int64_t assumed = 0;

        [[nodiscard]] constexpr std::int64_t free() const noexcept
        {
            return detail::difference(capacity, used);
        }
        friend bool operator==(row const&, row const&) = default;
    };

    void resize(std::size_t slots)
    {
        rows_.resize(slots);
        for (auto* column : {&capacity_, &used_, &assumed_})
            column->resize(detail::swept_size(slots));
    }
    void set(std::uint32_t slot, auto const& node)
    {
        rows_[slot].capacity = Resource::capacity(node);
        mirror(slot);
    }
    void unset(std::uint32_t slot)
    {
        rows_[slot].capacity = 0;
        mirror(slot);
    }
    void bind(std::uint32_t slot, auto const& pod)
    {
        add(slot, Resource::request(pod), Resource::assumed(pod));
    }
    void unbind(std::uint32_t slot, auto const& pod)
    {
        add(slot, -Resource::request(pod), -Resource::assumed(pod));
    }
    [[nodiscard]] row const& at(std::uint32_t slot) const { return rows_[slot]; }

    /// The same as columns of doubles, for whoever looks at all nodes; `exact` as long as no amount was too
    /// large for that.
    [[nodiscard]] bool exact() const noexcept { return exact_; }
    [[nodiscard]] double const* capacity() const noexcept { return capacity_.data(); }
    [[nodiscard]] double const* used() const noexcept { return used_.data(); }
    [[nodiscard]] double const* assumed() const noexcept { return assumed_.data(); }
    friend bool operator==(usage const& a, usage const& b) { return a.rows_ == b.rows_; }

private:
    void add(std::uint32_t slot, std::int64_t used, std::int64_t assumed)
    {
        auto& r = rows_[slot];
        r.used = detail::sum(r.used, used);
        r.assumed = detail::sum(r.assumed, assumed);
        mirror(slot);
    }
    void mirror(std::uint32_t slot)
    {
        auto const& r = rows_[slot];
        auto const fits = [](std::int64_t amount) { return amount >= 0 && amount < detail::most_swept; };
        exact_ = exact_ && fits(r.capacity) && fits(r.used) && fits(r.assumed);
        capacity_[slot] = static_cast<double>(r.capacity);
        used_[slot] = static_cast<double>(r.used);
        assumed_[slot] = static_cast<double>(r.assumed);
    }

    std::vector<row> rows_{};
    std::vector<double> capacity_{}, used_{}, assumed_{};
    bool exact_ = true;
};

/// The same for resources known by their objects only: a short sorted list on each node.
template<auto Capacities, auto Requests>
class usage<extended_resources<Capacities, Requests>> {
    using resources = extended_resources<Capacities, Requests>;

public:
    struct entry {
        std::string name{};
        std::int64_t capacity = 0;
        std::int64_t used = 0;
        friend bool operator==(entry const&, entry const&) = default;
    };
    using row = std::vector<entry>;

    void resize(std::size_t slots) { rows_.resize(slots); }
    void set(std::uint32_t slot, auto const& node)
    {
        auto const now = resources::capacities(node);
        unset(slot);
        for (auto const& [name, amount] : now)
            of(slot, name).capacity = amount;
    }
    void unset(std::uint32_t slot)
    {
        for (auto& e : rows_[slot])
            e.capacity = 0;
        std::erase_if(rows_[slot], [](entry const& e) { return e.used == 0; });
    }
    void bind(std::uint32_t slot, auto const& pod)
    {
        for (auto const& [name, amount] : resources::requests(pod))
            of(slot, name).used = detail::sum(of(slot, name).used, amount);
    }
    void unbind(std::uint32_t slot, auto const& pod)
    {
        for (auto const& [name, amount] : resources::requests(pod))
            of(slot, name).used = detail::difference(of(slot, name).used, amount);
        std::erase_if(rows_[slot], [](entry const& e) { return e.capacity == 0 && e.used == 0; });
    }
    [[nodiscard]] row const& at(std::uint32_t slot) const { return rows_[slot]; }
    friend bool operator==(usage const&, usage const&) = default;

private:
    entry& of(std::uint32_t slot, std::string_view name)
    {
        auto const before = [](entry const& e, std::string_view n) { return e.name < n; };
        auto& list = rows_[slot];
        auto at = std::lower_bound(list.begin(), list.end(), name, before);
        if (at == list.end() || at->name != name)
            at = list.insert(at, entry{.name = std::string(name)});
        return *at;
    }

    std::vector<row> rows_{};
};

/// The pod fits when each request is at most what is free; asking for nothing always fits. Code: the position
/// of the resource in the list; extended ones follow, by name.
template<class... Resources>
class fit {
    static constexpr std::size_t fixed = (0 + ... + (requires { Resources::name; } ? 1 : 0));
    static constexpr bool has_extended = fixed != sizeof...(Resources);

public:
    static constexpr std::string_view name = "NodeResourcesFit";
    using facts = schedule::facts<usage<Resources>...>;

    struct request {
        std::array<std::int64_t, fixed> amounts{};
        std::vector<std::pair<std::string, std::int64_t>> extended{};
        friend bool operator==(request const&, request const&) = default;
    };

    [[nodiscard]] static request prepare(auto const& pod)
    {
        request r;
        [[maybe_unused]] std::size_t k = 0;
        (
            [&] {
                if constexpr (requires { Resources::name; })
                    r.amounts[k++] = Resources::request(pod);
                else
                    r.extended = Resources::requests(pod);
            }(),
            ...);
        std::erase_if(r.extended, [](auto const& e) { return e.second <= 0; });
        return r;
    }

    [[nodiscard]] static verdict filter(auto const& at, request const& r)
    {
        verdict v;
        each(at, r,
            [&](std::size_t code, std::int64_t wanted, std::int64_t capacity, std::int64_t free, bool slots) {
                if (wanted > 0 && wanted > free)
                    v.refuse(code, !slots && wanted > capacity);
            });
        return v;
    }

#if defined(PODIUM_SCHEDULE_SWEEPS)
    /// Marks the slots that `filter` refuses, by position; false, and nothing is marked, where it has to be
    /// asked.
    [[nodiscard]] static bool sweep(auto const& columns, request const& r, auto slots, std::int32_t* refused)
    {
        bool can = r.extended.empty();
        each_fixed([&]<class R>(std::size_t k) {
            can = can && std::get<usage<R>>(columns).exact() && r.amounts[k] < detail::most_swept;
        });
        if (can)
            each_fixed([&]<class R>(std::size_t k) {
                if (r.amounts[k] <= 0)
                    return;
                auto const& column = std::get<usage<R>>(columns);
                detail::sweep(slots.size(),
                    [slots, capacity = column.capacity(), used = column.used(),
                        wanted = static_cast<double>(r.amounts[k]), refused](std::size_t i)
                        PODIUM_SCHEDULE_IN_SWEEP {
                            detail::lanes c, u;
                            slots.load(c, capacity, i);
                            slots.load(u, used, i);
                            detail::lane_ints no;
                            detail::load(no, refused + i);
                            no |= __builtin_convertvector(u + wanted > c, detail::lane_ints);
                            detail::store(no, refused + i);
                        });
            });
        return can;
    }
#endif

    [[nodiscard]] static std::string text(std::size_t code, request const& r)
    {
        if (code >= 63 && fixed + r.extended.size() > 64)
            return "Insufficient further resources";
        if (code >= fixed)
            return code - fixed < r.extended.size() ? "Insufficient " + r.extended[code - fixed].first
                                                    : std::string{};
        std::string out;
        [[maybe_unused]] std::size_t k = 0;
        (
            [&] {
                if constexpr (requires { Resources::reason; })
                    out = k++ == code ? std::string(Resources::reason) : out;
                else if constexpr (requires { Resources::name; })
                    out = k++ == code ? "Insufficient " + std::string(Resources::name) : out;
            }(),
            ...);
        return out;
    }

    [[nodiscard]] static schedule::amounts amounts(auto const& at, request const& r, std::size_t code)
    {
        schedule::amounts out;
        each(at, r, [&](std::size_t k, std::int64_t wanted, std::int64_t, std::int64_t free, bool) {
            if (k == code)
                out = {.wanted = wanted, .free = free};
        });
        return out;
    }

private:
    /// what.operator()<Resource>(code) for those that are known by name.
    static void each_fixed(auto const& what)
    {
        std::size_t k = 0;
        (
            [&] {
                if constexpr (requires { Resources::name; })
                    what.template operator()<Resources>(k++);
            }(),
            ...);
    }
    /// seen(code, wanted, capacity, free, is a pod slot) for each resource.
    static void each(auto const& at, request const& r, auto seen)
    {
        [[maybe_unused]] std::size_t k = 0;
        (
            [&] {
                if constexpr (requires { Resources::name; }) {
                    auto const& row = at.template get<usage<Resources>>();
                    seen(k, r.amounts[k], row.capacity, row.free(), requires { Resources::reason; });
                    ++k;
                } else {
                    auto const& row = at.template get<usage<Resources>>();
                    for (std::size_t e = 0; e < r.extended.size(); ++e) {
                        auto const& [wanted_name, wanted] = r.extended[e];
                        std::int64_t capacity = 0;
                        std::int64_t used = 0;
                        for (auto const& have : row)
                            if (have.name == wanted_name)
                                capacity = have.capacity, used = have.used;
                        seen(fixed + e, wanted, capacity, detail::difference(capacity, used), false);
                    }
                }
            }(),
            ...);
    }
};

namespace detail {

/// part * 100 / whole, truncated; 0 <= part <= whole. As doubles where that is exact (see sweep.hpp):
/// processors divide those several times faster.
[[nodiscard]] constexpr std::int64_t percent_of(std::int64_t part, std::int64_t whole)
{
    return whole < most_swept
        ? static_cast<std::int64_t>(static_cast<double>(part * max_score) / static_cast<double>(whole))
        : part * max_score / whole;
}

/// Whether a score looks at this resource of a node for a pod that asks for so much.
template<class Resource>
[[nodiscard]] constexpr bool counts(std::int64_t capacity, std::int64_t request)
{
    return capacity > 0 && (request > 0 || !requires { Resource::only_if_asked; });
}

/// A weighted mean of `score(used, capacity)` over the resources that the node has, truncated.
template<class... Resources>
[[nodiscard]] int mean_score(auto const& at, std::array<std::int64_t, sizeof...(Resources)> const& request,
    std::array<int, sizeof...(Resources)> const& weights, auto score)
{
    std::int64_t sum = 0;
    std::int64_t weight = 0;
    [[maybe_unused]] std::size_t k = 0;
    (
        [&] {
            auto const& row = at.template get<usage<Resources>>();
            if (counts<Resources>(row.capacity, request[k])) {
                sum += weights[k] *
                    score(std::max<std::int64_t>(0, detail::sum(row.assumed, request[k])), row.capacity);
                weight += weights[k];
            }
            ++k;
        }(),
        ...);
    return weight <= 0 ? 0
                       : static_cast<int>(sum) / static_cast<int>(weight);  // at most 100 x 100 x resources
}

/// what(usage of A, usage of B) unless one of them, or what is asked for, cannot be swept.
template<class A, class B>
[[nodiscard]] bool sweep_two(
    auto const& columns, std::array<std::int64_t, 2> const& request, auto const& what)
{
    auto const& a = std::get<usage<A>>(columns);
    auto const& b = std::get<usage<B>>(columns);
    if (
        !a.exact() || !b.exact() || request[0] >= most_swept || request[1] >= most_swept ||
        requires { A::only_if_asked; } || requires { B::only_if_asked; })
        return false;
    what(a, b);
    return true;
}

template<std::size_t N>
[[nodiscard]] constexpr std::array<int, N> equal_weights()
{
    std::array<int, N> out{};
    out.fill(1);
    return out;
}

}  // namespace detail

/// Prefers nodes with more left: ((capacity - used) * 100) / capacity, truncated, averaged over the
/// resources.
template<class... Resources>
struct least_allocated {
    static constexpr std::string_view name = "NodeResourcesFit";  // Kubernetes has it as that plugin's score
    using facts = schedule::facts<usage<Resources>...>;

    /// In the order of the resources; 0 leaves one out. 0 to 100.
    std::array<int, sizeof...(Resources)> weights = detail::equal_weights<sizeof...(Resources)>();

    [[nodiscard]] static std::array<std::int64_t, sizeof...(Resources)> prepare(auto const& pod)
    {
        return {Resources::assumed(pod)...};
    }
    [[nodiscard]] int score(
        auto const& at, std::array<std::int64_t, sizeof...(Resources)> const& request) const
    {
        return detail::mean_score<Resources...>(
            at, request, weights, [](std::int64_t used, std::int64_t capacity) {
                return used > capacity ? 0 : detail::percent_of(capacity - used, capacity);
            });
    }
#if defined(PODIUM_SCHEDULE_SWEEPS)
    /// Adds `times` the score of each slot, by position; false, and nothing is added, where it has to be
    /// asked for.
    [[nodiscard]] bool sweep(auto const& columns,
        std::array<std::int64_t, sizeof...(Resources)> const& request, auto slots, int times,
        std::int32_t* sums) const
    requires(sizeof...(Resources) == 2)
    {
        return detail::sweep_two<Resources...>(
            columns, request, [&]<class A, class B>(A const& a, B const& b) {
                auto const [x, y] = weights;
                auto const inverse = [](int w) { return w > 0 ? 1.0 / w : 0.0; };
                detail::sweep(slots.size(),
                    [slots, ca = a.capacity(), ua = a.assumed(), cb = b.capacity(), ub = b.assumed(),
                        ra = static_cast<double>(request[0]), rb = static_cast<double>(request[1]),
                        wa = static_cast<double>(x), wb = static_cast<double>(y), both = inverse(x + y),
                        one = inverse(x), other = inverse(y), times, sums](std::size_t i)
                        PODIUM_SCHEDULE_IN_SWEEP {
                            using detail::lanes;
                            lanes const zero{};
                            lanes const ones = zero + 1.0;
                            lanes c, u, d, v;
                            slots.load(c, ca, i), slots.load(u, ua, i), slots.load(d, cb, i),
                                slots.load(v, ub, i);
                            u += ra, v += rb;
                            detail::lane_choice const has = c > 0.0, has_other = d > 0.0;
                            lanes p = (c - u) * static_cast<double>(max_score) / (has ? c : ones);
                            lanes q = (d - v) * static_cast<double>(max_score) / (has_other ? d : ones);
                            p = (has & (u <= c)) ? p : zero;
                            q = (has_other & (v <= d)) ? q : zero;
                            detail::lane_ints const a_part = __builtin_convertvector(p, detail::lane_ints);
                            detail::lane_ints const b_part = __builtin_convertvector(q, detail::lane_ints);
                            lanes const sum = __builtin_convertvector(a_part, lanes) * wa +
                                __builtin_convertvector(b_part, lanes) * wb +
                                0.5;  // halfway, so that no product falls short
                            lanes const by = (has & has_other) ? zero + both
                                : has                          ? zero + one
                                : has_other                    ? zero + other
                                                               : zero;
                            detail::lane_ints all;
                            detail::load(all, sums + i);
                            all += times * __builtin_convertvector(sum * by, detail::lane_ints);
                            detail::store(all, sums + i);
                        });
            });
    }
#endif
};

/// Prefers fuller nodes, to keep others empty: (used * 100) / capacity.
template<class... Resources>
struct most_allocated {
    static constexpr std::string_view name = "NodeResourcesFit";
    using facts = schedule::facts<usage<Resources>...>;

    /// In the order of the resources; 0 leaves one out. 0 to 100.
    std::array<int, sizeof...(Resources)> weights = detail::equal_weights<sizeof...(Resources)>();

    [[nodiscard]] static std::array<std::int64_t, sizeof...(Resources)> prepare(auto const& pod)
    {
        return {Resources::assumed(pod)...};
    }
    [[nodiscard]] int score(
        auto const& at, std::array<std::int64_t, sizeof...(Resources)> const& request) const
    {
        return detail::mean_score<Resources...>(
            at, request, weights, [](std::int64_t used, std::int64_t capacity) {
                return detail::percent_of(std::min(used, capacity), capacity);
            });
    }
};

/// Prefers the utilisation that a broken line prefers: points of (percent used, score of 0 to 100), by rising
/// percentage. A resource that scores 0 is left out of the mean, which is rounded to nearest.
template<class... Resources>
struct requested_to_capacity_ratio {
    static constexpr std::string_view name = "NodeResourcesFit";
    using facts = schedule::facts<usage<Resources>...>;

    struct point {
        int percent = 0;
        int score = 0;
    };
    std::vector<point> shape{{0, 0}, {100, 100}};  ///< not empty
    /// In the order of the resources; 0 leaves one out. 0 to 100.
    std::array<int, sizeof...(Resources)> weights = detail::equal_weights<sizeof...(Resources)>();

    [[nodiscard]] static std::array<std::int64_t, sizeof...(Resources)> prepare(auto const& pod)
    {
        return {Resources::assumed(pod)...};
    }
    [[nodiscard]] int score(
        auto const& at, std::array<std::int64_t, sizeof...(Resources)> const& request) const
    {
        std::int64_t sum = 0;
        std::int64_t weight = 0;
        [[maybe_unused]] std::size_t k = 0;
        (
            [&] {
                auto const& row = at.template get<usage<Resources>>();
                if (detail::counts<Resources>(row.capacity, request[k])) {
                    auto const used = std::max<std::int64_t>(0, detail::sum(row.assumed, request[k]));
                    auto const points = on_line(used > row.capacity ? 100 : used * 100 / row.capacity);
                    sum += points * weights[k];
                    weight += points > 0 ? weights[k] : 0;
                }
                ++k;
            }(),
            ...);
        return weight <= 0 ? 0 : static_cast<int>((2 * sum + weight) / (2 * weight));
    }

private:
    [[nodiscard]] std::int64_t on_line(std::int64_t percent) const
    {
        for (std::size_t i = 0; i < shape.size(); ++i)
            if (percent <= shape[i].percent) {
                if (i == 0)
                    return shape[0].score;
                auto const& a = shape[i - 1];
                auto const& b = shape[i];
                return a.score + (b.score - a.score) * (percent - a.percent) / (b.percent - a.percent);
            }
        return shape.empty() ? 0 : shape.back().score;
    }
};

/// Prefers nodes whose resources are used evenly: 100 * (1 - standard deviation of the used fractions),
/// truncated.
///
/// The fractions are doubles, in Kubernetes' order of operations: its integer results come from there, and
/// each of these operations is exactly rounded, so they are the same everywhere. (With three resources or
/// more, a compiler that fuses multiply and add may differ on a boundary: -ffp-contract=off.)
template<class... Resources>
struct balanced_allocation {
    static constexpr std::string_view name = "NodeResourcesBalancedAllocation";
    static constexpr std::size_t size = sizeof...(Resources);
    using facts = schedule::facts<usage<Resources>...>;

    [[nodiscard]] static std::array<std::int64_t, size> prepare(auto const& pod)
    {
        return {Resources::request(pod)...};
    }

    [[nodiscard]] static int score(auto const& at, std::array<std::int64_t, size> const& request)
    {
        if (std::all_of(request.begin(), request.end(), [](std::int64_t r) { return r == 0; }))
            return 0;  // no node is better for a pod that asks for nothing
        std::array<double, size> fractions{};
        std::size_t n = 0;
        double total = 0;
        [[maybe_unused]] std::size_t k = 0;
        (
            [&] {
                auto const& row = at.template get<usage<Resources>>();
                if (detail::counts<Resources>(row.capacity, request[k])) {
                    auto const f = static_cast<double>(detail::sum(row.used, request[k])) /
                        static_cast<double>(row.capacity);
                    fractions[n] = std::min(f, 1.0);
                    total += fractions[n++];
                }
                ++k;
            }(),
            ...);
        double deviation = 0;
        if (n == 2) {
            deviation = std::abs((fractions[0] - fractions[1]) / 2);
        } else if (n > 2) {
            auto const mean = total / static_cast<double>(n);
            double squares = 0;
            for (std::size_t i = 0; i < n; ++i)
                squares = squares + (fractions[i] - mean) * (fractions[i] - mean);
            deviation = std::sqrt(squares / static_cast<double>(n));
        }
        return static_cast<int>((1 - deviation) * max_score);
    }
#if defined(PODIUM_SCHEDULE_SWEEPS)
    /// Adds `times` the score of each slot, by position; false, and nothing is added, where it has to be
    /// asked for.
    [[nodiscard]] static bool sweep(auto const& columns, std::array<std::int64_t, size> const& request,
        auto slots, int times, std::int32_t* sums)
    requires(size == 2)
    {
        if (request[0] == 0 && request[1] == 0)
            return true;
        return detail::sweep_two<Resources...>(
            columns, request, [&]<class A, class B>(A const& a, B const& b) {
                detail::sweep(slots.size(),
                    [slots, ca = a.capacity(), ua = a.used(), cb = b.capacity(), ub = b.used(),
                        ra = static_cast<double>(request[0]), rb = static_cast<double>(request[1]), times,
                        sums](std::size_t i) PODIUM_SCHEDULE_IN_SWEEP {
                        using detail::lanes;
                        lanes const zero{};
                        lanes const ones = zero + 1.0;
                        lanes c, u, d, v;
                        slots.load(c, ca, i), slots.load(u, ua, i), slots.load(d, cb, i),
                            slots.load(v, ub, i);
                        detail::lane_choice const has = c > 0.0, has_other = d > 0.0;
                        lanes f = (u + ra) / (has ? c : ones);
                        lanes g = (v + rb) / (has_other ? d : ones);
                        f = f < 1.0 ? f : ones;
                        g = g < 1.0 ? g : ones;
                        lanes apart = (f - g) / 2.0;
                        apart = apart < 0.0 ? -apart : apart;
                        apart = (has & has_other) ? apart : zero;
                        detail::lane_ints all;
                        detail::load(all, sums + i);
                        all += times *
                            __builtin_convertvector(
                                (1.0 - apart) * static_cast<double>(max_score), detail::lane_ints);
                        detail::store(all, sums + i);
                    });
            });
    }
#endif
};

template<auto Capacities, auto Requests>
auto extended_resources<Capacities, Requests>::sorted(auto const& given, std::int64_t most) -> list
{
    list out;
    for (auto const& [name, amount] : given)
        out.emplace_back(std::string(name), detail::bounded(amount, most));
    std::sort(out.begin(), out.end());
    std::size_t kept = 0;
    for (std::size_t i = 1; i < out.size(); ++i)  // a name given twice counts for the sum
        if (out[i].first == out[kept].first)
            out[kept].second = std::min(most, out[kept].second + out[i].second);
        else if (++kept != i)
            out[kept] = std::move(out[i]);
    if (!out.empty())
        out.resize(kept + 1);
    return out;
}

}  // namespace podium::v0::schedule
