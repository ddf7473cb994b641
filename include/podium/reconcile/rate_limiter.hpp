#pragma once
/// When may a failed key be tried again: exponential back-off for each, joined with a token bucket for all.
///
/// The first tells a poisoned key to stay away longer and longer; the second keeps many failing keys from
/// hammering the other side together. The later of the two answers counts.
///
/// Source: client-go util/workqueue default_rate_limiters.go in v0.35.4: max(5 ms x 2^n up to 1000 s,
/// 10/s with a burst of 100).

#include <podium/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>

namespace podium::inline v0::reconcile {

/// `base` x 2^failures, at most `cap`; counts the failures of each key until it is forgotten.
template<class Key, class Hash = std::hash<Key>>
class exponential_limiter {
public:
    explicit exponential_limiter(
        duration base = std::chrono::milliseconds(5), duration cap = std::chrono::seconds(1000))
        : base_(base),
          cap_(cap)
    {
    }

    /// The delay before the next try; counts as a failure of `k`.
    duration when(Key const& k, time_point)
    {
        auto const failures = failures_[k]++;
        // The shift is bounded before it is made: no overflow, whatever the count.
        if (failures >= 62 || base_.count() > (cap_.count() >> failures))
            return cap_;
        return duration(base_.count() << failures);
    }
    void forget(Key const& k) { failures_.erase(k); }
    [[nodiscard]] std::uint32_t failures(Key const& k) const
    {
        auto const it = failures_.find(k);
        return it == failures_.end() ? 0 : it->second;
    }

private:
    duration base_;
    duration cap_;
    std::unordered_map<Key, std::uint32_t, Hash> failures_;
};

/// `per_second` tries on average, `burst` at once. A try beyond that reserves a later one.
class token_bucket {
public:
    token_bucket(double per_second, double burst) : per_second_(per_second), burst_(burst), tokens_(burst) {}

    template<class Key>
    duration when(Key const&, time_point now)
    {
        if (now > at_) {
            auto const elapsed = std::chrono::duration<double>(now - at_).count();
            tokens_ = at_ == time_point{} ? burst_ : std::min(burst_, tokens_ + elapsed * per_second_);
            at_ = now;
        }
        tokens_ -= 1;
        if (tokens_ >= 0)
            return {};
        return std::chrono::duration_cast<duration>(std::chrono::duration<double>(-tokens_ / per_second_));
    }
    template<class Key>
    void forget(Key const&) const noexcept
    {
    }

private:
    double per_second_;
    double burst_;
    double tokens_;
    time_point at_{};
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
    [[nodiscard]] A const& first() const noexcept { return a_; }

private:
    A a_;
    B b_;
};

template<class Key, class Hash = std::hash<Key>>
using default_limiter = later_of<exponential_limiter<Key, Hash>, token_bucket>;

template<class Key, class Hash = std::hash<Key>>
[[nodiscard]] default_limiter<Key, Hash> make_default_limiter()
{
    return {exponential_limiter<Key, Hash>{}, token_bucket{10, 100}};
}

}  // namespace podium::v0::reconcile
