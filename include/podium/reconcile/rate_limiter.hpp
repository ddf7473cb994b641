#pragma once
/// When may a failed key be tried again: exponential back-off for each, joined with a token bucket for all.
///
/// The first tells a poisoned key to stay away longer and longer; the second keeps many failing keys from
/// hammering the other side together. The later of the two answers counts.
///
///     queue.add_after(key, limiter.when(key, now), now);   // it failed
///     limiter.forget(key);                                 // it succeeded
///
/// A limiter's state can be listed and put back, so that a restart is no pardon. `forget` of a key that has
/// not failed is nearly free, so call it after every success.
///
/// Source: client-go util/workqueue default_rate_limiters.go in v0.35.4, golang.org/x/time/rate. The default
/// is max(5 ms x 2^n up to 1000 s, 10/s with a burst of 100). Differs where the clock goes back: there the
/// bucket would fill twice in the same second.

#include <podium/core/time.hpp>
#include <podium/reconcile/key_slots.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace podium::inline v0::reconcile {

/// - `when(key, now)`: how long to wait before the next try, >= 0; counts as a failure of the key;
/// - `forget(key)`: it succeeded; harmless where it never failed;
/// - `failures(key)`: since it was forgotten, as far as this limiter counts them.
template<class L, class Key>
concept RateLimiter = requires(L& l, L const& c, Key const& k, time_point now) {
    { l.when(k, now) } -> std::same_as<duration>;
    l.forget(k);
    { c.failures(k) } -> std::convertible_to<std::uint32_t>;
};

/// A key and how often it has failed.
template<class Key>
struct failed {
    Key key;
    std::uint32_t failures = 0;
    friend bool operator==(failed const&, failed const&) = default;
};

/// Failures of each key until it is forgotten. O(1) on average; as many slots as keys fail at a time.
template<class Key, class Hash = key_hash<Key>>
requires WorkKey<Key, Hash>
class failure_counts {
public:
    /// One more; the number before it. Stays at the largest number.
    std::uint32_t add(Key const& k)
    {
        auto& n = keys_[keys_.obtain(k).first].data.failures;
        return n == std::numeric_limits<std::uint32_t>::max() ? n : n++;
    }
    void forget(Key const& k)
    {
        if (auto const id = keys_.find(k); id != slots::none)
            keys_.release(id);
    }
    [[nodiscard]] std::uint32_t of(Key const& k) const
    {
        auto const id = keys_.find(k);
        return id == slots::none ? 0 : keys_[id].data.failures;
    }
    /// Keys that have failed.
    [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }

    /// In an order that follows from the calls made.
    [[nodiscard]] std::vector<failed<Key>> save() const
    requires std::copy_constructible<Key>
    {
        std::vector<failed<Key>> all;
        for (std::uint32_t id = 0; id < keys_.slots(); ++id)
            if (auto const n = keys_[id].data.failures; n > 0)
                all.push_back({keys_[id].key, n});
        return all;
    }
    /// Sets what these keys have failed so far.
    void restore(std::span<failed<Key> const> all)
    {
        for (auto const& [key, n] : all)
            if (n > 0)
                keys_[keys_.obtain(key).first].data.failures = n;
    }

private:
    struct count {
        std::uint32_t failures = 0;
        std::uint32_t place = 0;
        [[nodiscard]] bool in_use() const noexcept { return failures > 0; }
    };
    using slots = detail::key_slots<Key, count, Hash>;
    slots keys_{};
};

/// What becomes of a delay of 2^63 ns, the first that 64 bits do not hold.
enum class overflow : std::uint8_t {
    caps,             ///< it is cut to the cap like any other that is too long
    as_in_client_go,  ///< it turns into the most negative one, which is none: only with a cap of 2^63 - 1 and
                      ///< a power of two as base
};

/// `base` x 2^failures, at most `cap`; none is negative.
template<class Key, class Hash = key_hash<Key>>
class exponential_limiter {
public:
    explicit exponential_limiter(duration base = std::chrono::milliseconds(5),
        duration cap = std::chrono::seconds(1000), overflow beyond = overflow::caps)
        : base_(std::max(base, duration::zero())),
          cap_(std::max(cap, duration::zero())),
          beyond_(beyond)
    {
    }

    duration when(Key const& k, time_point)
    {
        auto const failures = counts_.add(k);
        if (base_ == duration::zero())
            return base_;
        // The shift is bounded before it is made: no overflow, whatever the count.
        if (failures < 63 && base_.count() <= (cap_.count() >> failures))
            return duration(base_.count() << failures);
        if (beyond_ == overflow::as_in_client_go && cap_ == duration::max() && failures > 0 &&
            failures <= 63 && base_.count() == std::int64_t{1} << (63 - failures))
            return duration::min();
        return cap_;
    }
    void forget(Key const& k) { counts_.forget(k); }
    [[nodiscard]] std::uint32_t failures(Key const& k) const { return counts_.of(k); }

    [[nodiscard]] std::vector<failed<Key>> save() const { return counts_.save(); }
    void restore(std::span<failed<Key> const> all) { counts_.restore(all); }

private:
    duration base_;
    duration cap_;
    overflow beyond_;
    failure_counts<Key, Hash> counts_{};
};

/// `fast` for the first `fast_tries` failures, `slow` from then on: for keys whose first failures are races.
template<class Key, class Hash = key_hash<Key>>
class fast_slow_limiter {
public:
    fast_slow_limiter(duration fast, duration slow, std::uint32_t fast_tries)
        : fast_(std::max(fast, duration::zero())),
          slow_(std::max(slow, duration::zero())),
          fast_tries_(fast_tries)
    {
    }

    duration when(Key const& k, time_point) { return counts_.add(k) < fast_tries_ ? fast_ : slow_; }
    void forget(Key const& k) { counts_.forget(k); }
    [[nodiscard]] std::uint32_t failures(Key const& k) const { return counts_.of(k); }

    [[nodiscard]] std::vector<failed<Key>> save() const { return counts_.save(); }
    void restore(std::span<failed<Key> const> all) { counts_.restore(all); }

private:
    duration fast_;
    duration slow_;
    std::uint32_t fast_tries_;
    failure_counts<Key, Hash> counts_{};
};

/// `per_second` tries on average, `burst` at once; a try beyond that reserves a later one. Within any time t,
/// at most `burst + t x per_second` tries come due, t being how far the clock went ahead in all: one that
/// goes back fills nothing, and fills again from where it is then, so a blip costs nobody its length. A rate
/// that is not above 0 fills nothing; without any burst nothing is ever let through.
class token_bucket {
public:
    /// What a bucket remembers; a default one is as it was made.
    struct saved {
        double used = 0;  ///< tokens gone from a full bucket; more than the burst where tries were reserved
        time_point at = time_point::min();  ///< when it was last asked
        friend bool operator==(saved const&, saved const&) = default;
    };

    token_bucket(double per_second, std::uint32_t burst)
        : per_second_(per_second > 0 ? per_second : 0),
          burst_(burst)
    {
    }

    template<class Key>
    duration when(Key const&, time_point now)
    {
        if (burst_ == 0)
            return duration::max();
        if (now < state_.at) {
            state_.at = now;
        } else if (now > state_.at) {
            auto const ns = [](time_point t) {
                return static_cast<std::uint64_t>(t.time_since_epoch().count());
            };
            auto const elapsed = static_cast<double>(ns(now) - ns(state_.at)) / 1e9;  // unsigned: no overflow
            state_.used = std::max(0.0, state_.used - elapsed * per_second_);
            state_.at = now;
        }
        state_.used += 1;
        if (state_.used <= burst_)
            return {};
        if (per_second_ == 0)
            return duration::max();
        auto const wait = (state_.used - burst_) / per_second_ * 1e9;
        return wait < static_cast<double>(duration::max().count())
            ? duration(static_cast<duration::rep>(wait))
            : duration::max();
    }
    template<class Key>
    void forget(Key const&) const noexcept
    {
    }
    /// It counts none.
    template<class Key>
    [[nodiscard]] std::uint32_t failures(Key const&) const noexcept
    {
        return 0;
    }

    [[nodiscard]] saved save() const noexcept { return state_; }
    void restore(saved const& s) noexcept { state_ = {s.used > 0 ? s.used : 0, s.at}; }

private:
    double per_second_;
    double burst_;
    saved state_{};
};

/// The later answer of two limiters, as a limiter.
template<class A, class B>
class later_of {
public:
    later_of(A a, B b) : a_(std::move(a)), b_(std::move(b)) {}

    template<class Key>
    duration when(Key const& k, time_point now)
    {
        return std::max(a_.when(k, now), b_.when(k, now));
    }
    template<class Key>
    void forget(Key const& k)
    {
        a_.forget(k);
        b_.forget(k);
    }
    template<class Key>
    [[nodiscard]] std::uint32_t failures(Key const& k) const
    {
        return std::max<std::uint32_t>(a_.failures(k), b_.failures(k));
    }
    [[nodiscard]] A& first() noexcept { return a_; }
    [[nodiscard]] A const& first() const noexcept { return a_; }
    [[nodiscard]] B& second() noexcept { return b_; }
    [[nodiscard]] B const& second() const noexcept { return b_; }

private:
    A a_;
    B b_;
};

/// What Kubernetes' controllers use: exponential by key, joined with a bucket for all.
template<class Key, class Hash = key_hash<Key>>
using default_limiter = later_of<exponential_limiter<Key, Hash>, token_bucket>;

/// With their figures: 5 ms doubling to 1000 s, and 10 tries a second with a burst of 100.
template<class Key, class Hash = key_hash<Key>>
[[nodiscard]] default_limiter<Key, Hash> make_default_limiter()
{
    return {exponential_limiter<Key, Hash>{}, token_bucket{10, 100}};
}

}  // namespace podium::v0::reconcile
