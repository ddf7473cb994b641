// The loop of Kubernetes on two structs of your own: what is wished becomes, one transaction at a time.
#include <podium/reconcile.hpp>

#include <iostream>

namespace reconcile = podium::reconcile;

struct robot {
    static constexpr std::string_view kind = "Robot";
    reconcile::metadata metadata{};
    friend bool operator==(robot const&, robot const&) = default;
};
struct squad {
    static constexpr std::string_view kind = "Squad";
    reconcile::metadata metadata{};
    std::size_t wanted = 0;
    int made = 0;
    friend bool operator==(squad const&, squad const&) = default;
};
struct squads {
    using primary = squad;
    using owns = reconcile::types<robot>;
    auto reconcile(auto const& view, reconcile::key const& which, podium::time_point) const
    {
        reconcile::plan p;
        if (auto const s = view.template get<squad>(which);
            s && view.template count_owned_by<robot>(s) < s->wanted) {
            auto next = *s;  // who creates also writes its owner: two plans from one state cannot both commit
            auto const name = which.name + '-' + std::to_string(++next.made);
            p.create(robot{{name, which.namespace_, {}, {reconcile::owned_by(s)}}});
            p.update(s, next);
        }
        return p;
    }
};

int main()
{
    reconcile::memory_store store;
    reconcile::plane<reconcile::view<>, squads> plane(squads{});
    reconcile::plan wish;
    wish.create(squad{{"red", "mars", {}, {}}, 3});
    (void)store.commit(wish.whole());
    settle(plane, store, {});
    for (auto const r : plane.view().all<robot>())
        std::cout << r->metadata.name << '\n';
}
