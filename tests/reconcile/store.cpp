#include <podium/reconcile/contract.hpp>
#include <podium/reconcile/memory_store.hpp>

#include <doctest/doctest.h>
#include <memory>
#include <string>

namespace reconcile = podium::reconcile;

namespace {
/// By reference: a store need not move.
struct by_reference {
    std::unique_ptr<reconcile::memory_store> store = std::make_unique<reconcile::memory_store>();
    reconcile::memory_store& operator()()
    {
        store = std::make_unique<reconcile::memory_store>();
        return *store;
    }
};

struct thing {
    static constexpr std::string_view kind = "Thing";
    reconcile::metadata metadata{};
    friend bool operator==(thing const&, thing const&) = default;
};

struct near_miss {
    void commit(reconcile::transaction const&) {}
};
static_assert(!reconcile::Store<near_miss>);
}  // namespace

TEST_CASE("store: the memory store keeps the contract")
{
    for (auto const& broken : reconcile::check_store_contract(by_reference{}))
        FAIL_CHECK(broken);
}

namespace {
/// A store that forgets its guards: the suite has to accuse it.
struct forgetful : reconcile::memory_store {
    template<class H>
    void commit(reconcile::transaction const& t, H&& h)
    {
        reconcile::memory_store::commit(reconcile::transaction{{}, t.writes}, std::forward<H>(h));
    }
};
struct make_forgetful {
    std::unique_ptr<forgetful> store{};
    forgetful& operator()() { return *(store = std::make_unique<forgetful>()); }
};
}  // namespace

TEST_CASE("store: the contract suite accuses a store that ignores what was required")
{
    CHECK(!reconcile::check_store_contract(make_forgetful{}).empty());
}

TEST_CASE("store: history is bounded, whole revisions at a time, and the loss is told")
{
    reconcile::memory_store s(4);
    for (int i = 0; i < 6; ++i) {
        reconcile::plan p;
        p.create(thing{{"a" + std::to_string(i), "", {}, {}}});
        p.create(thing{{"b" + std::to_string(i), "", {}, {}}});
        REQUIRE(s.commit(p.whole()).outcome);
    }
    CHECK(s.changes(reconcile::revision{3}).error().code == podium::errc::compacted);
    CHECK(s.changes(reconcile::revision{4}).value().size() == 4);
    CHECK(s.changes(reconcile::revision{4}, 1).value().size() == 2);
    CHECK(s.changes(reconcile::revision{6}).value().empty());
    CHECK(s.changes(reconcile::revision{7}).error().code == podium::errc::invalid);
    CHECK(s.snapshot().objects.size() == 12);
}
