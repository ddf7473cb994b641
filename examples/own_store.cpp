// A store of your own: every transaction goes to a journal before it counts. The installed contract suite
// counts the promises that it breaks, and the shipped control plane runs on it.
#include <podium/controllers.hpp>
#include <podium/reconcile/contract.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace reconcile = podium::reconcile;

class journaled_store {
public:
    template<class Handler>
    void commit(reconcile::transaction const& t, Handler&& handler)
    {
        auto answer = inner_.commit(t);
        if (answer.outcome)
            for (auto const& w : t.writes)
                journal_.push_back((w.what == reconcile::verb::remove ? "- " : "+ ") + to_string(w.which));
        handler(std::move(answer));
    }
    template<class Handler>
    void snapshot(Handler&& handler) const
    {
        inner_.snapshot(std::forward<Handler>(handler));
    }
    [[nodiscard]] auto changes(reconcile::revision from, std::size_t limit) const
    {
        return inner_.changes(from, limit);
    }
    void notify(std::function<void()> handler) { inner_.notify(std::move(handler)); }

    [[nodiscard]] std::vector<std::string> const& journal() const { return journal_; }

private:
    reconcile::memory_store inner_;
    std::vector<std::string> journal_;
};
static_assert(reconcile::Store<journaled_store>);

int main()
{
    std::unique_ptr<journaled_store> kept;
    auto const fresh = [&]() -> journaled_store& { return *(kept = std::make_unique<journaled_store>()); };
    std::cout << reconcile::check_store_contract(fresh).size() << " promises broken\n";

    auto& store = fresh();
    reconcile::plan wish;
    podium::model::replica_set web;
    web.metadata.name = "web", web.metadata.namespace_ = "shop", web.spec.replicas = 2;
    wish.create(web);
    store.commit(wish.whole(), [](auto) {});

    auto plane = podium::controllers::control_plane::make({});
    settle(plane, store, podium::time_point{std::chrono::hours(1)});
    for (auto const& line : store.journal())
        std::cout << line << '\n';
}
