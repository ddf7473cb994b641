#pragma once
/// A watch being served: changes in, lines of JSON out, each an event as Kubernetes sends it.
///
/// An object that begins to match a selector is ADDED, one that ceases to is DELETED, as if there were no
/// others. The revision in each object is where a client that lost its connection goes on.

#include <podium/api/handle.hpp>

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::api {

class watcher {
public:
    watcher(server const& s, watch w) : server_(s), watch_(std::move(w)) {}

    [[nodiscard]] watch const& what() const noexcept { return watch_; }

    /// Begins with what the view shows, or, when the client named a revision, with what is known there.
    template<class View>
    [[nodiscard]] std::string begin(View const& view)
    {
        std::string out;
        view.each(*watch_.kind->type, watch_.namespace_, [&](reconcile::object const& o) {
            if (!server::matches(watch_, o) || (watch_.from && o.created > *watch_.from))
                return;
            known_.insert(o.which());
            if (!watch_.from)
                out += line("ADDED", o);
        });
        return out;
    }

    /// The events of these changes, which follow on what was seen before. O(changes).
    [[nodiscard]] std::string events(std::span<reconcile::change const> changes)
    {
        std::string out;
        for (auto const& c : changes) {
            if (c.object.kind != watch_.kind->type)
                continue;
            bool const matches = server::matches(watch_, c.object);
            auto const k = c.object.which();
            // One that `begin` did not find any more was known to the client all the same.
            if (matches && !c.deleted)
                out += line(known_.insert(k).second ? "ADDED" : "MODIFIED", c.object);
            else if (known_.erase(k) != 0 || matches)
                out += line("DELETED", c.object);
        }
        return out;
    }

    /// The last line of a watch whose history was dropped: the client lists again.
    [[nodiscard]] static std::string expired()
    {
        error const e{errc::compacted, "too old resource version", {}, {}};
        return R"({"type":"ERROR","object":)" + status_of(e).dump() + "}\n";
    }

private:
    std::string line(std::string_view type, reconcile::object const& o) const
    {
        return R"({"type":")" + std::string(type) + R"(","object":)" + server_.encoded(o) + "}\n";
    }

    server const& server_;
    watch watch_;
    std::set<reconcile::key> known_;
};

}  // namespace podium::v0::api
