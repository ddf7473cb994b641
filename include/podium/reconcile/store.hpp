#pragma once
/// The store seam: commit a transaction, take a snapshot, read the changes since a revision.
///
/// One concept serves the store in memory and a database across a network: `commit` and `snapshot` take a
/// handler, called before they return (memory) or later (etcd). `changes` reads what has arrived. There
/// is no Asio in it; the coroutine shell in the `store` room drives any model of it.

#include <podium/core/result.hpp>
#include <podium/reconcile/object.hpp>
#include <podium/reconcile/plan.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <vector>

namespace podium::inline v0::reconcile {

/// Every object at one revision, ordered by key.
struct state {
    revision at{};
    std::vector<object> objects{};
};

/// What a commit answers: the revision that it made, or
/// - `errc::conflict`: a guard did not hold; `at` is the store's revision, worth waiting for;
/// - `errc::invalid`: the transaction itself is wrong (two writes of one object);
/// - `errc::unavailable`: it did not happen; `errc::unknown_outcome`: it may have.
struct committed {
    result<revision> outcome{revision{}};
    revision at{};  ///< the store's revision when it answered
};

/// Where decisions are kept. Calls come from one strand.
///
/// - `commit(transaction, handler)`: all writes at one new revision, or none; `handler(committed)`. The
///   spans of the transaction stay valid until the handler was called.
/// - `snapshot(handler)`: `handler(result<state>)`, one whole revision.
/// - `changes(from, limit)`: all changes after `from` in order, whole revisions only, about `limit` of
///   them at most (a revision is never cut); an empty vector is silence; `errc::compacted` means that
///   history was dropped: take a snapshot.
/// - `notify(handler)`: `handler()` is called after there are new changes, once for any number of them,
///   until it is replaced; an empty one ends it. It must not call the store from inside.
///
/// A new adapter is done when `podium/reconcile/contract.hpp` passes on it.
template<class S>
concept Store = requires(S& s, S const& c, transaction const& t, revision from, std::size_t limit,
    std::function<void(committed)> on_commit, std::function<void(result<state>)> on_state,
    std::function<void()> on_change) {
    s.commit(t, on_commit);
    s.snapshot(on_state);
    { c.changes(from, limit) } -> std::same_as<result<std::vector<change>>>;
    s.notify(on_change);
};

}  // namespace podium::v0::reconcile
