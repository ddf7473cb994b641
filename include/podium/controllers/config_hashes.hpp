#pragma once
/// Config hashes: a workload that asks for it is rolled out again when data of its ConfigMaps or Secrets
/// change.
///
/// The hash of all data that a pod template refers to is kept in the template (see model/config_hash.hpp),
/// written when it differs from what is there: one write for each change, whoever made it. What the data are
/// is computed when they, or what the template refers to, have changed, not at each look. Labels and
/// annotations of a ConfigMap do not count; one that is missing counts as missing, so that its coming is a
/// change.
///
/// Who may read a Deployment need not be one who may read its Secrets. So the hash is a SipHash, which tells
/// nothing without its key, even of a password that can be guessed; 64 bits, so that a change goes unnoticed
/// once in 2^64. The key is given by whoever starts the plane. A store that outlives it wants the same key
/// the next time: another one restarts every workload that asks, once.
///
/// A plane of the embedder's own that has deployments, stateful sets or rollouts needs this, too: they make
/// nothing of a template that still awaits its hash.
///
/// `apply` of a manifest leaves the hash alone, since no manifest names it. A replace takes it away, and it
/// is written again before anything is made of the template.

#include <podium/controllers/events.hpp>
#include <podium/core/hash.hpp>
#include <podium/model/config_hash.hpp>
#include <podium/model/config_map.hpp>
#include <podium/model/deployment.hpp>
#include <podium/model/rollout.hpp>
#include <podium/model/secret.hpp>
#include <podium/model/stateful_set.hpp>
#include <podium/reconcile/plan.hpp>

#include <concepts>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::controllers {

/// Names of what a pod gets data from.
struct config_sources {
    std::set<std::string> config_maps{};
    std::set<std::string> secrets{};
    friend bool operator==(config_sources const&, config_sources const&) = default;
};

[[nodiscard]] inline config_sources config_sources_of(model::pod_spec const& pod)
{
    config_sources out;
    auto const look = [&out](auto const& containers) {
        for (model::container const& c : containers) {
            for (auto const& from : c.env_from) {
                if (from.config_map_ref)
                    out.config_maps.insert(from.config_map_ref->name);
                if (from.secret_ref)
                    out.secrets.insert(from.secret_ref->name);
            }
            for (auto const& v : c.env) {
                if (v.value_from && v.value_from->config_map_key_ref)
                    out.config_maps.insert(v.value_from->config_map_key_ref->name);
                if (v.value_from && v.value_from->secret_key_ref)
                    out.secrets.insert(v.value_from->secret_key_ref->name);
            }
        }
    };
    look(pod.init_containers);
    look(pod.containers);
    for (auto const& v : pod.volumes) {
        if (v.config_map)
            out.config_maps.insert(v.config_map->name);
        if (v.secret)
            out.secrets.insert(v.secret->secret_name);
    }
    return out;
}

/// Sixteen digits that stand for the data which a pod of this namespace would get. O(data).
template<class View>
[[nodiscard]] std::string config_hash(
    View const& view, std::string_view namespace_, model::pod_spec const& pod, hash_key key)
{
    std::string all;  // what is hashed: each text with its length, so that no two mean the same
    auto const add_number = [&](std::uint64_t n) {
        for (int i = 0; i < 8; ++i, n >>= 8)
            all += static_cast<char>(n & 0xff);
    };
    auto const add = [&](std::string_view text) {
        add_number(text.size());
        all += text;
    };
    auto const add_data = [&](auto const& data, auto const& bytes_of) {
        add_number(data.size());
        for (auto const& [name, value] : data) {
            add(name);
            add_number(siphash(key, bytes_of(value)));  // values may be long: none is copied
        }
    };
    auto const as_it_is = [](std::string const& value) -> std::string_view { return value; };
    auto const sources = config_sources_of(pod);
    for (auto const& name : sources.config_maps) {
        auto const map = view.template get<model::config_map>(namespace_, name);
        add(map ? "map" : "no map");
        add(name);
        if (map) {
            add_data(map->data, as_it_is);
            add_data(map->binary_data, as_it_is);
        }
    }
    for (auto const& name : sources.secrets) {
        auto const held = view.template get<model::secret>(namespace_, name);
        add(held ? "secret" : "no secret");
        add(name);
        if (held)
            add_data(held->data, [](model::bytes const& b) -> std::string_view { return b.value; });
    }
    auto const h = siphash(key, all);
    std::string out;
    for (int i = 60; i >= 0; i -= 4)
        out += "0123456789abcdef"[(h >> i) & 15u];
    return out;
}

struct config_hashes {
    static constexpr std::string_view name = "config-hash-controller";
    using watches = reconcile::types<model::config_map, model::secret, model::deployment, model::stateful_set,
        model::rollout>;

    hash_key key{};

    /// A workload whose template or wish changed, and those that refer to what changed its data.
    /// O(workloads of the namespace) for a ConfigMap or Secret.
    template<class View, class K, class Add>
    void touched(View const& view, reconcile::transition<K> const& x, Add const& add) const
    {
        if constexpr (std::same_as<K, model::config_map> || std::same_as<K, model::secret>) {
            if (x.before && x.after && same_data(*x.before, *x.after))
                return;
            add_users<model::deployment>(view, *x.any(), add);
            add_users<model::stateful_set>(view, *x.any(), add);
            add_users<model::rollout>(view, *x.any(), add);
        } else if (x.after && model::restarts_on_config_change(x.after->metadata) &&
            !(x.before && model::restarts_on_config_change(x.before->metadata) &&
                x.before->spec.template_ == x.after->spec.template_)) {
            add(x.after.which());
        }
    }

    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        write<model::deployment>(p, view, which, now);
        write<model::stateful_set>(p, view, which, now);
        write<model::rollout>(p, view, which, now);
        return p;
    }

private:
    static bool same_data(model::config_map const& a, model::config_map const& b)
    {
        return a.data == b.data && a.binary_data == b.binary_data;
    }
    static bool same_data(model::secret const& a, model::secret const& b) { return a.data == b.data; }

    template<class Workload, class View, class K, class Add>
    static void add_users(View const& view, K const& changed, Add const& add)
    {
        for (auto const w : view.template all<Workload>(changed.metadata.namespace_)) {
            if (!model::restarts_on_config_change(w->metadata))
                continue;
            auto const from = config_sources_of(w->spec.template_.spec);
            if ((std::same_as<K, model::secret> ? from.secrets : from.config_maps)
                    .contains(changed.metadata.name))
                add(w.which());
        }
    }
    template<class Workload, class View>
    void write(reconcile::plan& p, View const& view, reconcile::key const& which, time_point now) const
    {
        if (which.kind != &reconcile::kind_of<Workload>)
            return;
        auto const w = view.template get<Workload>(which);
        if (!w || w->metadata.deletion_timestamp || !model::restarts_on_config_change(w->metadata))
            return;
        auto hash = config_hash(view, which.namespace_, w->spec.template_.spec, key);
        auto const before = model::config_hash_of(w->spec.template_.metadata);
        if (hash == before)
            return;
        auto next = *w;
        next.spec.template_.metadata.annotations[std::string(model::config_hash_annotation)] =
            std::move(hash);
        if (!before.empty())
            record(p, view, w, event_type::normal, "ConfigChanged",
                "a ConfigMap or Secret of its pods has other data", name, now);
        p.update(w, std::move(next));
    }
};

}  // namespace podium::v0::controllers
