#pragma once
/// What a `Store` promises, as checks that any adapter can run, under any test framework.
///
///     for (auto const& broken : reconcile::check_store_contract([] { return my_store{...}; }, run))
///         report(broken);
///
/// `make` gives a fresh, empty store for each promise. `run(store, done)` drives the adapter until
/// `done()` is true (nothing to do for a store that answers at once).

#include <podium/reconcile/memory_store.hpp>
#include <podium/reconcile/store.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podium::inline v0::reconcile {

namespace detail {

/// The object that the promises are checked with.
struct contract_object {
    static constexpr std::string_view kind = "ContractObject";
    reconcile::metadata metadata{};
    int value = 0;
    friend bool operator==(contract_object const&, contract_object const&) = default;
};

template<class S, class Run>
class store_checker {
public:
    store_checker(S& store, Run& run, std::vector<std::string>& broken)
        : s_(store),
          run_(run),
          broken_(broken)
    {
    }

    void expect(bool holds, char const* promise)
    {
        if (!holds)
            broken_.emplace_back(promise);
    }
    committed commit(plan const& p)
    {
        std::optional<committed> got;
        s_.commit(p.whole(), [&](committed c) { got = std::move(c); });
        run_(s_, [&] { return got.has_value(); });
        return got ? std::move(*got)
                   : committed{error{errc::internal, "commit never called its handler", {}, {}}, {}};
    }
    result<state> snapshot()
    {
        std::optional<result<state>> got;
        s_.snapshot([&](result<state> r) { got = std::move(r); });
        run_(s_, [&] { return got.has_value(); });
        return got ? std::move(*got) : error{errc::internal, "snapshot never called its handler", {}, {}};
    }
    /// The changes after `from`, once those up to `upto` have arrived.
    std::vector<change> changes(revision from, revision upto)
    {
        std::vector<change> got;
        run_(s_, [&] {
            for (auto r = s_.changes(from, 100); r && !r->empty(); r = s_.changes(from, 100)) {
                got.insert(got.end(), r->begin(), r->end());
                from = got.back().at;
            }
            return from >= upto;
        });
        return got;
    }
    handle<contract_object> read(std::string_view name)
    {
        if (auto const s = snapshot())
            for (auto const& o : s->objects)
                if (o.name() == name)
                    return o.template as<contract_object>();
        return {};
    }
    static contract_object named(char const* name, int value = 0) { return {{name, "ns", {}, {}}, value}; }

private:
    S& s_;
    Run& run_;
    std::vector<std::string>& broken_;
};

}  // namespace detail

/// The promises that `make()`'s stores do not keep; empty when all hold.
template<class Make, class Run>
[[nodiscard]] std::vector<std::string> check_store_contract(Make make, Run run)
{
    using object_type = detail::contract_object;
    std::vector<std::string> broken;
    auto const with_fresh = [&](auto check) {
        auto&& store = make();
        using store_type = std::remove_cvref_t<decltype(store)>;
        static_assert(Store<store_type>, "make() must give a Store");
        detail::store_checker<store_type, Run> c(store, run, broken);
        check(c);
    };
    auto const create = [](auto& c, char const* name, int value = 0) {
        plan p;
        p.create(c.named(name, value));
        return c.commit(p);
    };

    with_fresh([&](auto& c) {
        auto const first = create(c, "a", 1);
        auto const second = create(c, "b", 2);
        c.expect(first.outcome && second.outcome, "a create of an absent object commits");
        c.expect(first.outcome && second.outcome && *second.outcome > *first.outcome, "revisions grow");
        auto const a = c.read("a");
        c.expect(a && a->value == 1 && a.modified == *first.outcome && a.created == *first.outcome,
            "a snapshot shows what was committed, at its revision");
    });
    with_fresh([&](auto& c) {
        auto const first = create(c, "a", 1);
        auto const again = create(c, "a", 2);
        c.expect(!again.outcome && again.outcome.error().code == errc::conflict,
            "a create of a present object is a conflict");
        c.expect(first.outcome && again.at >= *first.outcome, "a conflict tells the store's revision");
        auto const a = c.read("a");
        c.expect(a && a->value == 1, "a refused transaction changes nothing");
    });
    with_fresh([&](auto& c) {
        (void)create(c, "a", 1);
        auto const old = c.read("a");
        plan p;
        p.update(old, c.named("a", 2));
        auto const first = c.commit(p);
        auto const again = c.commit(p);
        c.expect(first.outcome.has_value(), "an update at the object's revision commits");
        c.expect(!again.outcome && again.outcome.error().code == errc::conflict,
            "the same update again is a conflict");
        auto const now = c.read("a");
        c.expect(now && first.outcome && now.created == old.created && now.modified == *first.outcome,
            "an update moves the modified revision and keeps the create revision");
    });
    with_fresh([&](auto& c) {
        (void)create(c, "a");
        (void)create(c, "b");
        auto const a = c.read("a"), b = c.read("b");
        plan move_b;
        move_b.update(b, c.named("b", 7));
        (void)c.commit(move_b);
        plan p;
        p.require(b);
        p.update(a, c.named("a", 9));
        p.create(c.named("c"));
        auto const refused = c.commit(p);
        c.expect(!refused.outcome && refused.outcome.error().code == errc::conflict,
            "a required object that has moved refuses the whole transaction");
        c.expect(c.read("a") == a && !c.read("c"), "no part of a refused transaction is visible");
        plan absent;
        absent.require_absent(key_for<object_type>("ns", "b"));
        absent.create(c.named("d"));
        c.expect(!c.commit(absent).outcome, "require_absent refuses when there is one");
    });
    with_fresh([&](auto& c) {
        (void)create(c, "a", 1);
        auto const a = c.read("a");
        plan p;
        p.remove(a);
        auto const gone = c.commit(p);
        c.expect(gone.outcome && !c.read("a"), "a removed object is gone");
        c.expect(!c.commit(p).outcome, "removing it again is a conflict");
        auto const reborn = create(c, "a", 2);
        auto const now = c.read("a");
        c.expect(reborn.outcome && now && now.created == *reborn.outcome && now.uid() != a.uid(),
            "a namesake made later is another object");
    });
    with_fresh([&](auto& c) {
        plan p;
        p.create(c.named("a"));
        p.create(c.named("b"));
        auto const first = c.commit(p);
        auto const second = create(c, "c");
        if (!first.outcome || !second.outcome) {
            c.expect(false, "two creates in one transaction commit");
            return;
        }
        auto const all = c.changes(revision{}, *second.outcome);
        c.expect(all.size() == 3 && all[0].at == *first.outcome && all[1].at == *first.outcome &&
                all[2].at == *second.outcome,
            "changes come once each, in order, and share their transaction's revision");
        c.expect(
            c.changes(*first.outcome, *second.outcome).size() == 1, "changes resume behind any revision");
        plan out;
        out.remove(c.read("a"));
        auto const third = c.commit(out);
        auto const last = third.outcome ? c.changes(*second.outcome, *third.outcome) : std::vector<change>{};
        c.expect(last.size() == 1 && last[0].deleted && last[0].object && last[0].object.name() == "a",
            "a deletion is a change that carries the last version");
    });
    with_fresh([&](auto& c) {
        plan p;
        p.create(c.named("a", 1));
        p.create(c.named("a", 2));
        auto const r = c.commit(p);
        c.expect(!r.outcome && r.outcome.error().code == errc::invalid && !c.read("a"),
            "two writes of one object in a transaction are refused");
    });
    return broken;
}

/// For stores that answer at once.
template<class Make>
[[nodiscard]] std::vector<std::string> check_store_contract(Make make)
{
    return check_store_contract(std::move(make), [](auto&, auto const& done) { (void)done(); });
}

}  // namespace podium::v0::reconcile
