#pragma once
/// Volumes: where a pod's claims can be mounted.
///
/// `storage` holds the claims, volumes and classes there are; `resolve` makes of a pod's claims a
/// `volume_wish`, which the plugins read. Resolve again when one of those objects changes.
///
/// Source: kube-scheduler v1.35, plugins/volumerestrictions, volumezone, nodevolumelimits and volumebinding;
/// component-helpers storage/volume (FindMatchingVolume). Without storage capacity, volume modes, attributes
/// classes and the migration of in-tree volumes.

#include <podium/labels/node_selector.hpp>
#include <podium/labels/selector.hpp>
#include <podium/schedule/plugin.hpp>
#include <podium/schedule/residents.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// A disk that is mounted once, or by readers only.
struct disk {
    std::string id{};                     ///< kind and name: "gce/d1", "rbd/pool/image"
    std::vector<std::string> monitors{};  ///< with some, two are the same only if they share one
    bool read_only = false;               ///< false also for a kind that readers cannot share
    friend bool operator==(disk const&, disk const&) = default;

    [[nodiscard]] bool collides(disk const& other) const
    {
        auto const shared = [&] {
            return std::any_of(monitors.begin(), monitors.end(), [&](std::string const& m) {
                return std::find(other.monitors.begin(), other.monitors.end(), m) != other.monitors.end();
            });
        };
        return id == other.id && !(read_only && other.read_only) &&
            ((monitors.empty() && other.monitors.empty()) || shared());
    }
};

/// What a node has to attach: a volume of a driver.
struct attachment {
    std::string driver{};
    std::string handle{};
    friend bool operator==(attachment const&, attachment const&) = default;
    friend auto operator<=>(attachment const&, attachment const&) = default;
};

struct volume_class {
    std::string provisioner{};                      ///< empty or "kubernetes.io/no-provisioner": makes none
    std::optional<bool> wait_for_first_consumer{};  ///< none: not set
    std::vector<std::vector<labels::requirement>> topologies{};  ///< any of these; none: anywhere
    friend bool operator==(volume_class const&, volume_class const&) = default;
};

struct volume {
    std::string name{};
    std::string class_name{};
    std::int64_t capacity = 0;  ///< bytes
    std::vector<std::string> access_modes{};
    label_map labels{};
    std::optional<labels::node_selector> affinity{};  ///< none: reachable from everywhere
    std::string claimed_by{};                         ///< "namespace/name"; empty: nobody
    bool available = true;                            ///< its phase
    bool terminating = false;
    schedule::attachment attachment{};  ///< no driver: nothing to attach
    friend bool operator==(volume const&, volume const&) = default;
};

struct claim {
    std::string class_name{};
    std::string volume_name{};
    bool bound = false;  ///< completely, by the controller
    std::int64_t request = 0;
    std::vector<std::string> access_modes{};
    std::optional<labels::selector> selector{};  ///< of volumes
    std::string selected_node{};                 ///< where its volume is being made
    friend bool operator==(claim const&, claim const&) = default;
};

struct storage {
    std::map<std::string, claim, std::less<>> claims{};  ///< by "namespace/name"
    std::map<std::string, volume, std::less<>> volumes{};
    std::map<std::string, volume_class, std::less<>> classes{};
};

/// What a pod's volumes ask of a node.
struct volume_wish {
    struct zone {
        std::string key{};
        std::vector<std::string> values{};
        friend bool operator==(zone const&, zone const&) = default;
    };
    /// A claim that gets its volume once the node is known.
    struct unbound {
        std::string key{};  ///< "namespace/name"
        claim what{};
        std::vector<volume> candidates{};  ///< of its class, by name
        volume_class from{};
        friend bool operator==(unbound const&, unbound const&) = default;
    };

    std::vector<disk> disks{};
    std::vector<std::string> claims{};       ///< "namespace/name" of each
    std::vector<std::string> sole_claims{};  ///< those that one pod in the cluster may use
    std::vector<schedule::attachment> attachments{};
    std::vector<zone> zones{};
    std::vector<labels::node_selector> reachable_from{};  ///< of the volumes that are bound
    bool volume_missing = false;
    std::vector<unbound> unbound_claims{};
    std::string refused{};       ///< why no node will do; empty: one may
    std::string zone_refused{};  ///< the same about zones
    friend bool operator==(volume_wish const&, volume_wish const&) = default;
};

namespace detail {

inline constexpr std::array<std::pair<std::string_view, std::string_view>, 4> zone_labels{
    {{"failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"},
        {"failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"},
        {"topology.kubernetes.io/zone", "topology.kubernetes.io/zone"},
        {"topology.kubernetes.io/region", "topology.kubernetes.io/region"}}};

/// "a__b" is a and b; nothing when one of them is empty.
[[nodiscard]] inline std::vector<std::string> zones_of(std::string_view text)
{
    std::vector<std::string> out;
    for (std::size_t from = 0; from <= text.size();) {
        auto const end = std::min(text.find("__", from), text.size());
        if (end == from)
            return {};
        out.emplace_back(text.substr(from, end - from));
        from = end + 2;
    }
    return out;
}

}  // namespace detail

/// What the claims of a pod come to; disks are the caller's to add. O(volumes of the classes asked for).
[[nodiscard]] inline volume_wish resolve(
    storage const& in, std::string_view namespace_, std::vector<std::string> const& claim_names)
{
    volume_wish out;
    bool immediate = false;
    for (auto const& name : claim_names) {
        auto const key = std::string(namespace_) + '/' + name;
        auto const found = in.claims.find(key);
        if (found == in.claims.end()) {
            out.refused = out.zone_refused = "persistentvolumeclaim \"" + name + "\" not found";
            return out;
        }
        auto const& c = found->second;
        out.claims.push_back(key);
        if (std::find(c.access_modes.begin(), c.access_modes.end(), "ReadWriteOncePod") !=
            c.access_modes.end())
            out.sole_claims.push_back(key);
        auto const cls = in.classes.find(c.class_name);
        auto const vol = in.volumes.find(c.volume_name);
        bool const has_class = !c.class_name.empty() && cls != in.classes.end();

        if (!c.volume_name.empty() && vol != in.volumes.end()) {
            auto const& v = vol->second;
            if (!v.attachment.driver.empty())
                out.attachments.push_back(v.attachment);
            for (auto const& [label, ga] : detail::zone_labels)
                if (auto const at = v.labels.find(label); at != v.labels.end())
                    if (auto values = detail::zones_of(at->second); !values.empty())
                        out.zones.push_back({std::string(label), std::move(values)});
        } else {
            if (has_class)
                out.attachments.push_back({cls->second.provisioner, "claim " + key});
            auto const refuse = [&](std::string why) {
                if (out.zone_refused.empty())
                    out.zone_refused = std::move(why);
            };
            if (!c.volume_name.empty())
                refuse("persistentvolume \"" + c.volume_name + "\" not found");
            else if (c.class_name.empty())
                refuse("PersistentVolumeClaim had no pv name and storageClass name");
            else if (!has_class)
                refuse("storageclass.storage.k8s.io \"" + c.class_name + "\" not found");
            else if (!cls->second.wait_for_first_consumer)
                refuse("VolumeBindingMode not set for StorageClass \"" + c.class_name + '"');
            else if (!*cls->second.wait_for_first_consumer)
                refuse("PersistentVolume had no name");
        }

        if (!c.volume_name.empty() && c.bound) {
            if (vol == in.volumes.end())
                out.volume_missing = true;
            else if (vol->second.affinity)
                out.reachable_from.push_back(*vol->second.affinity);
        } else if (c.volume_name.empty() && has_class &&
            cls->second.wait_for_first_consumer.value_or(false)) {
            volume_wish::unbound u{.key = key, .what = c, .from = cls->second};
            for (auto const& [volume_name, v] : in.volumes)
                if (v.class_name == c.class_name)
                    u.candidates.push_back(v);
            // Small requests first: they get the small volumes.
            auto const at = std::upper_bound(out.unbound_claims.begin(), out.unbound_claims.end(), c.request,
                [](std::int64_t r, auto const& other) { return r < other.what.request; });
            out.unbound_claims.insert(at, std::move(u));
        } else {
            immediate = true;
        }
    }
    if (immediate)
        out.refused = "pod has unbound immediate PersistentVolumeClaims";
    return out;
}

/// Column: what is mounted on each node. `Wish(pod)` gives a `volume_wish`.
template<auto Wish>
class mounts {
public:
    struct row {
        std::vector<disk> disks{};
        std::map<std::string, std::uint32_t, std::less<>> claims{};
        std::map<attachment, std::uint32_t> attachments{};
        friend bool operator==(row const&, row const&) = default;
    };

    void resize(std::size_t slots) { rows_.resize(slots); }
    void set(std::uint32_t, auto const&) {}
    void unset(std::uint32_t) {}
    void bind(std::uint32_t slot, auto const& pod)
    {
        volume_wish const& w = std::invoke(Wish, pod);
        auto& r = rows_[slot];
        r.disks.insert(r.disks.end(), w.disks.begin(), w.disks.end());
        for (auto const& c : w.claims)
            ++r.claims[c];
        for (auto const& a : w.attachments)
            ++r.attachments[a];
    }
    void unbind(std::uint32_t slot, auto const& pod)
    {
        volume_wish const& w = std::invoke(Wish, pod);
        auto& r = rows_[slot];
        for (auto const& d : w.disks)
            if (auto const at = std::find(r.disks.begin(), r.disks.end(), d); at != r.disks.end())
                r.disks.erase(at);
        auto const drop = [](auto& from, auto const& key) {
            if (auto const at = from.find(key); at != from.end() && --at->second == 0)
                from.erase(at);
        };
        for (auto const& c : w.claims)
            drop(r.claims, c);
        for (auto const& a : w.attachments)
            drop(r.attachments, a);
    }
    [[nodiscard]] row const& at(std::uint32_t slot) const { return rows_[slot]; }
    friend bool operator==(mounts const&, mounts const&) = default;

private:
    std::vector<row> rows_{};
};

/// Disks that are taken on the node; claims that one pod may use and another does.
template<auto Wish>
struct volume_restrictions {
    static constexpr std::string_view name = "VolumeRestrictions";
    using facts = schedule::facts<mounts<Wish>>;
    using overview = bool;  ///< whether a sole claim is in use

    [[nodiscard]] static volume_wish prepare(auto const& pod) { return std::invoke(Wish, pod); }
    [[nodiscard]] static bool alone(auto const&, volume_wish const& wanted)
    {
        return wanted.sole_claims.empty();
    }
    [[nodiscard]] static bool indifferent(volume_wish const& wanted)
    {
        return wanted.disks.empty() && wanted.sole_claims.empty();
    }
    [[nodiscard]] static bool survey(auto const& nodes, volume_wish const& wanted)
    {
        bool used = false;
        if (!wanted.sole_claims.empty())
            nodes.for_each([&](auto const& at) {
                auto const& there = at.template get<mounts<Wish>>().claims;
                for (auto const& c : wanted.sole_claims)
                    used = used || there.contains(c);
            });
        return used;
    }
    [[nodiscard]] static verdict filter(auto const& at, volume_wish const& wanted, bool sole_claim_used)
    {
        verdict v;
        for (auto const& d : wanted.disks)
            for (auto const& there : at.template get<mounts<Wish>>().disks)
                if (d.collides(there)) {
                    v.refuse(0, false);
                    return v;
                }
        if (sole_claim_used)
            v.refuse(1, false);
        return v;
    }
    [[nodiscard]] static std::string text(std::size_t code, volume_wish const&)
    {
        return code == 0 ? "node(s) had no available disk"
                         : "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access "
                           "mode already in-use by another pod";
    }
};

/// The zone of a volume is the node's, if the node has one.
template<auto Labels, auto Wish>
struct volume_zone {
    static constexpr std::string_view name = "VolumeZone";

    [[nodiscard]] static volume_wish prepare(auto const& pod) { return std::invoke(Wish, pod); }
    [[nodiscard]] static verdict filter(auto const& at, volume_wish const& wanted)
    {
        verdict v;
        if (!wanted.zone_refused.empty()) {
            v.refuse(1, true);
            return v;
        }
        auto&& node_labels = std::invoke(Labels, at.node);
        auto const value = [&](std::string_view key) {
            return detail::domain(node_labels, std::string(key));
        };
        if (wanted.zones.empty() ||
            std::none_of(detail::zone_labels.begin(), detail::zone_labels.end(),
                [&](auto const& l) { return value(l.first).has_value(); }))
            return v;
        for (auto const& z : wanted.zones) {
            auto have = value(z.key);
            for (auto const& [label, ga] : detail::zone_labels)
                if (!have && label == z.key)
                    have = value(ga);
            if (!have || std::find(z.values.begin(), z.values.end(), *have) == z.values.end()) {
                v.refuse(0, true);
                return v;
            }
        }
        return v;
    }
    [[nodiscard]] static std::string text(std::size_t code, volume_wish const& wanted)
    {
        return code == 0 ? "node(s) had no available volume zone" : wanted.zone_refused;
    }
};

/// How many volumes of each driver a node can attach: `Limits(node)` is a range of {driver, most}.
template<auto Limits, auto Wish>
struct node_volume_limits {
    static constexpr std::string_view name = "NodeVolumeLimits";
    static constexpr std::string_view reason = "node(s) exceed max volume count";
    using facts = schedule::facts<mounts<Wish>>;

    [[nodiscard]] static volume_wish prepare(auto const& pod) { return std::invoke(Wish, pod); }
    [[nodiscard]] static bool indifferent(volume_wish const& wanted) { return wanted.attachments.empty(); }
    [[nodiscard]] static bool filter(auto const& at, volume_wish const& wanted)
    {
        auto const& there = at.template get<mounts<Wish>>().attachments;
        for (auto const& [driver, most] : std::invoke(Limits, at.node)) {
            std::vector<attachment> fresh;
            for (auto const& a : wanted.attachments)
                if (a.driver == driver && !there.contains(a) &&
                    std::find(fresh.begin(), fresh.end(), a) == fresh.end())
                    fresh.push_back(a);
            auto const have = std::count_if(
                there.begin(), there.end(), [&](auto const& a) { return a.first.driver == driver; });
            if (!fresh.empty() &&
                static_cast<std::int64_t>(have) + static_cast<std::int64_t>(fresh.size()) > most)
                return false;
        }
        return true;
    }
};

/// Volumes that are bound can be reached from the node; for the other claims it has a volume, or one can be
/// made there.
template<auto Labels, auto Name, auto Wish>
struct volume_binding {
    static constexpr std::string_view name = "VolumeBinding";

    [[nodiscard]] static volume_wish prepare(auto const& pod) { return std::invoke(Wish, pod); }
    [[nodiscard]] static verdict filter(auto const& at, volume_wish const& wanted)
    {
        verdict v;
        if (!wanted.refused.empty()) {
            v.refuse(3, true);
            return v;
        }
        auto&& node_labels = std::invoke(Labels, at.node);
        if (wanted.volume_missing)
            v.refuse(2, true);
        else if (!std::all_of(wanted.reachable_from.begin(), wanted.reachable_from.end(),
                     [&](auto const& s) { return reaches(s, node_labels); }))
            v.refuse(0, true);
        if (!binds_all(node_labels, detail::view_of(std::invoke(Name, at.node)), wanted))
            v.refuse(1, true);
        return v;
    }
    [[nodiscard]] static std::string text(std::size_t code, volume_wish const& wanted)
    {
        return code == 0 ? "node(s) didn't match PersistentVolume's node affinity"
            : code == 1  ? "node(s) didn't find available persistent volumes to bind"
            : code == 2  ? "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
                         : wanted.refused;
    }

private:
    static bool reaches(labels::node_selector const& from, auto const& node_labels)
    {
        return from.matches_node(node_labels, "").value_or(false);
    }
    static bool binds_all(auto const& node_labels, std::string_view node, volume_wish const& wanted)
    {
        std::vector<std::string_view> chosen;
        std::vector<volume_wish::unbound const*> to_make;
        for (auto const& u : wanted.unbound_claims)
            if (!u.what.selected_node.empty()) {
                if (u.what.selected_node != node)
                    return false;
                to_make.push_back(&u);
            }
        for (auto const& u : wanted.unbound_claims) {
            if (!u.what.selected_node.empty())
                continue;
            if (auto const* v = match(u, node_labels, chosen))
                chosen.push_back(v->name);
            else
                to_make.push_back(&u);
        }
        return std::all_of(to_make.begin(), to_make.end(), [&](auto const* u) {
            auto const& by = u->from.provisioner;
            auto const allowed = [&](auto const& all) {
                return !all.empty() && std::all_of(all.begin(), all.end(), [&](auto const& r) {
                    return r.matches(node_labels);
                });
            };
            return !by.empty() && by != "kubernetes.io/no-provisioner" &&
                (u->from.topologies.empty() ||
                    std::any_of(u->from.topologies.begin(), u->from.topologies.end(), allowed));
        });
    }
    /// The smallest that is large enough, the first by name; one that was promised to the claim comes first.
    static volume const* match(
        volume_wish::unbound const& u, auto const& node_labels, std::vector<std::string_view> const& chosen)
    {
        volume const* smallest = nullptr;
        for (auto const& v : u.candidates) {
            if (std::find(chosen.begin(), chosen.end(), v.name) != chosen.end() ||
                (!v.claimed_by.empty() && v.claimed_by != u.key) || v.capacity < u.what.request ||
                v.terminating)
                continue;
            bool const reachable = !v.affinity || reaches(*v.affinity, node_labels);
            if (v.claimed_by == u.key)
                return reachable ? &v : nullptr;
            bool const modes = std::all_of(
                u.what.access_modes.begin(), u.what.access_modes.end(), [&](std::string const& m) {
                    return std::find(v.access_modes.begin(), v.access_modes.end(), m) != v.access_modes.end();
                });
            if (v.available && reachable && modes &&
                (!u.what.selector || u.what.selector->matches(v.labels)) &&
                (smallest == nullptr || v.capacity < smallest->capacity))
                smallest = &v;
        }
        return smallest;
    }
};

}  // namespace podium::v0::schedule
