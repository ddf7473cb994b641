#pragma once
/// Cells: a counter, gauge or histogram that one thread writes and any thread may read.
///
/// A shared counter costs each of its writers a locked instruction and a cache line that travels. A cell has
/// one writer, so an increment is a load, an addition and a store: no lock, no allocation, no waiting. Where
/// several threads count the same, each has a cell of its own, on a cache line of its own, and whoever reads
/// adds them up:
///
///     struct alignas(64) worker { cell<counter> requests; cell<histogram<15>> latency{bounds}; };
///     counter all;
///     for (auto const& w : workers) all.add(w.requests.read());
///
/// A reading is a plain value. It misses at most what is written meanwhile; of two readings of a counter by
/// one thread the second is never smaller. A histogram's count is always the sum of its buckets; its sum may
/// be of a moment before or after.

#include <podium/observe/counter.hpp>
#include <podium/observe/gauge.hpp>
#include <podium/observe/histogram.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace podium::inline v0::observe {

template<class Figure>
class cell;

template<>
class cell<counter> {
public:
    void add(std::uint64_t n = 1) noexcept
    {
        auto next = read();
        next.add(n);
        total_.store(next.total, std::memory_order_relaxed);
    }
    [[nodiscard]] counter read() const noexcept { return {total_.load(std::memory_order_relaxed)}; }

private:
    std::atomic<std::uint64_t> total_{0};
};

template<>
class cell<gauge> {
public:
    void set(double to) noexcept { value_.store(to, std::memory_order_relaxed); }
    void add(double more) noexcept { set(read().value + more); }
    [[nodiscard]] gauge read() const noexcept { return {value_.load(std::memory_order_relaxed)}; }

private:
    std::atomic<double> value_{0};
};

template<std::size_t N>
class cell<histogram<N>> {
public:
    explicit cell(std::array<double, N> const& bounds) noexcept : bounds_(bounds) {}

    /// O(log N). What is not a number is not counted.
    void observe(double value) noexcept
    {
        if (value != value)
            return;
        in_bucket_[bucket_of(bounds_, value)].add();
        sum_.add(value);
    }
    [[nodiscard]] histogram<N> read() const noexcept
    {
        histogram<N> out{.bounds = bounds_};
        for (std::size_t b = 0; b <= N; ++b) {
            out.in_bucket[b] = in_bucket_[b].read().total;
            out.count += out.in_bucket[b];
        }
        out.sum = sum_.read().value;
        return out;
    }

private:
    std::array<double, N> bounds_;
    std::array<cell<counter>, N + 1> in_bucket_{};
    cell<gauge> sum_{};
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<double>::is_always_lock_free);

}  // namespace podium::v0::observe
