#pragma once
/// The coroutine shell of a plane: keeps commits in flight and the view up to date, until it is cancelled.
///
/// Runs on the executor that it is spawned on, a strand if the context has several threads. Cancellation
/// (terminal, through the slot bound to the spawn) ends it without an error once the commits in flight have
/// answered. The plane and the store must outlive it. It takes the store's `notify` for itself; whoever
/// else wants to know of changes passes `on_change`, called on the same strand after each absorbed batch.

#include <podium/reconcile/plane.hpp>
#include <podium/reconcile/store.hpp>
#include <podium/store/clock.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace podium::inline v0::store {

namespace asio = boost::asio;

/// A wait that can be ended from elsewhere on the strand, also before it has begun.
class alarm {
public:
    explicit alarm(asio::any_io_executor executor) : timer_(std::move(executor)) {}

    void kick()
    {
        kicked_ = true;
        timer_.cancel();
    }
    /// Until `when`, a kick, or cancellation.
    asio::awaitable<void> wait(std::optional<time_point> when)
    {
        if (std::exchange(kicked_, false))
            co_return;
        timer_.expires_at(clock::steady(when.value_or(never)));
        co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
        kicked_ = false;
    }

private:
    asio::steady_timer timer_;
    bool kicked_ = false;
};

struct drive_options {
    std::size_t in_flight = 256;   ///< commits at once; a store in memory answers inline and has one
    std::size_t changes = 10'000;  ///< read at a time
    std::size_t turns = 512;       ///< plans in a row before others on the executor get theirs
};

/// Drives `plane` over `store`. `on_change(span<change const>)` sees every change that the plane has seen.
template<class Plane, reconcile::Store S, class OnChange>
asio::awaitable<void> drive(Plane& plane, S& store, OnChange on_change, drive_options how = {})
{
    auto const executor = co_await asio::this_coro::executor;
    co_await asio::this_coro::throw_if_cancelled(false);
    auto const cancellation = co_await asio::this_coro::cancellation_state;
    auto const stopping = [&] { return cancellation.cancelled() != asio::cancellation_type::none; };

    // Answers may come after this frame is gone only if we let them: it waits for all of them below.
    auto const wake = std::make_shared<alarm>(executor);
    std::size_t waiting = 0;
    bool snapshot_asked = false;
    // The store may outlive the context: it must not keep a timer of it.
    store.notify([executor, weak = std::weak_ptr<alarm>(wake)] {
        asio::post(executor, [weak] {
            if (auto const awake = weak.lock())
                awake->kick();
        });
    });

    for (;;) {
        auto const now = clock::now();
        if (!stopping()) {
            auto const news = store.changes(plane.view().at(), how.changes);
            if (news && !news->empty()) {
                plane.absorb(*news, now);
                on_change(std::span<reconcile::change const>(*news));
            } else if (!news && !std::exchange(snapshot_asked, true)) {
                store.snapshot([&, wake](result<reconcile::state> s) {
                    snapshot_asked = false;
                    if (s)
                        plane.resync(*s, clock::now());
                    wake->kick();
                });
            }
            std::size_t turns = 0;
            while (waiting < how.in_flight && turns++ < how.turns) {
                auto const request = plane.next(now);
                if (!request)
                    break;
                ++waiting;
                store.commit(request->what, [&, wake, ticket = request->ticket](reconcile::committed c) {
                    --waiting;
                    plane.done(ticket, c, clock::now());
                    wake->kick();
                });
            }
            if (turns >= how.turns) {  // let others run, then go on
                co_await asio::post(executor, asio::as_tuple(asio::use_awaitable));
                continue;
            }
        } else if (waiting == 0 && !snapshot_asked) {
            break;
        }
        if (stopping())
            co_await asio::post(executor, asio::as_tuple(asio::use_awaitable));
        else
            co_await wake->wait(plane.wake_at());
    }
    store.notify({});
}

template<class Plane, reconcile::Store S>
asio::awaitable<void> drive(Plane& plane, S& store, drive_options how = {})
{
    return drive(plane, store, [](std::span<reconcile::change const>) {}, how);
}

}  // namespace podium::v0::store
