#pragma once
/// Assume, forget, confirm: for binds that are written elsewhere and come back as events.
///
///     schedule::assumed<match> pods;                          // beside a scheduler, a snapshot or profiles
///     if (auto const d = fleet.decide(game); d.node)
///         (void)pods.assume(fleet, "m-1", fleet.name(d), game);  // the next decision sees it; now write it
///     pods.confirm(fleet, "m-1", "oslo", game);               // seen as written
///     pods.forget(fleet, "m-1");                              // or the write failed
///
/// A bind takes its time to be written. Until it is seen the pod counts where it was decided to go, or the
/// next pod would be given the same room. What was seen wins over what was assumed, and an event that comes
/// twice is harmless. Nothing expires: whoever assumes a pod hears what became of the write (Kubernetes'
/// default too).
///
/// Nodes may come and go: their pods count under the node's name, as in `snapshot`, and are there when it
/// comes back.
///
/// Source: kube-scheduler v1.35, backend/cache/cache.go: AssumePod, ForgetPod, AddPod, RemovePod.

#include <concepts>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::schedule {

/// What pods are bound on: a `scheduler`, a `snapshot`, `profiles`.
template<class C, class Pod>
concept Binds = requires(C& c, std::string_view node, Pod const& pod) {
    c.bind(node, pod);
    c.unbind(node, pod);
};

/// Which pod is where, by a key of the embedder's (a name, an id). A value, which knows of no cluster: each
/// call is given the same one. Keeps a copy of each pod that is bound. All calls are O(log pods) and what the
/// bind costs.
template<class Pod, class Key = std::string>
class assumed {
public:
    struct place {
        std::string node{};
        Pod pod;
        bool confirmed = false;  ///< the bind was seen, not only assumed
    };

    /// Binds the pod at once. False, and nothing is changed, when the key is bound already, assumed or
    /// confirmed: decide again after `forget` or `remove`.
    [[nodiscard]] bool assume(Binds<Pod> auto& on, Key key, std::string_view node, Pod pod)
    {
        if (places_.contains(key))
            return false;
        on.bind(node, pod);
        places_.try_emplace(std::move(key), place{std::string(node), std::move(pod)});
        return true;
    }

    /// The pod was seen on that node, as this. If it was bound elsewhere, or as another pod, it is bound
    /// anew; if it was not known (somebody else bound it), it is bound. Again: changes nothing.
    void confirm(Binds<Pod> auto& on, Key key, std::string_view node, Pod pod)
    {
        auto const at = places_.find(key);
        if (at == places_.end()) {
            on.bind(node, pod);
            places_.try_emplace(std::move(key), place{std::string(node), std::move(pod), true});
            return;
        }
        auto& known = at->second;
        if constexpr (std::equality_comparable<Pod>)
            if (known.node == node && known.pod == pod) {
                known.confirmed = true;
                return;
            }
        on.bind(node, pod);
        on.unbind(known.node, known.pod);
        known = {std::string(node), std::move(pod), true};
    }

    /// The write failed: unbinds. False, and nothing is changed, when the pod was confirmed meanwhile (what
    /// was seen wins) or is not known (deleted meanwhile).
    bool forget(Binds<Pod> auto& on, auto const& key)
    {
        auto const at = places_.find(key);
        return at != places_.end() && !at->second.confirmed && drop(on, at);
    }

    /// The pod is gone, assumed or confirmed: unbinds. False when it is not known.
    bool remove(Binds<Pod> auto& on, auto const& key)
    {
        auto const at = places_.find(key);
        return at != places_.end() && drop(on, at);
    }

    /// Where it is; null when it is not bound.
    [[nodiscard]] place const* find(auto const& key) const
    {
        auto const at = places_.find(key);
        return at == places_.end() ? nullptr : &at->second;
    }
    [[nodiscard]] std::size_t size() const noexcept { return places_.size(); }

private:
    bool drop(auto& on, auto const at)
    {
        on.unbind(at->second.node, at->second.pod);
        places_.erase(at);
        return true;
    }

    std::map<Key, place, std::less<>> places_{};
};

}  // namespace podium::v0::schedule
