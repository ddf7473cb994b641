#pragma once
/// Merging: how `apply` brings a manifest to an object that others have written to as well.
///
/// Three trees decide: what was applied last, what is live, and what is to be applied now. What the author
/// took out (last has it, now does not) goes, whole (of labels and annotations only the author's own); what
/// the author says, is; everything else was put there by others and stays. Lists whose items have a name
/// (containers, ports, env, ...) are merged item by item, other lists are replaced whole. Pure; applying
/// twice is applying once. Recursion is as deep as the trees, which `parse_json` bounds.
///
/// Source: kubectl's three-way strategic merge patch (apimachinery pkg/util/strategicpatch, `patchMergeKey`
/// tags in api core/v1); JSON merge patch is RFC 7396.

#include <podium/model/json.hpp>

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace podium::inline v0::model {

/// RFC 7396: members of `patch` replace, null removes, anything but an object replaces the whole.
[[nodiscard]] inline json merge_patch(json target, json const& patch)
{
    if (!patch.is_object())
        return patch;
    if (!target.is_object())
        target = json::object();
    for (auto const& [name, value] : patch.get_ref<json::object_t const&>()) {
        if (value.is_null())
            target.erase(name);
        else
            target[name] = merge_patch(target.contains(name) ? std::move(target[name]) : json(), value);
    }
    return target;
}

/// The fields that tell the items of a list from each other, for the list `name` in the object or list of
/// objects called `within` ("ports" within "containers" goes by containerPort and protocol). Empty: the list
/// is one value.
[[nodiscard]] constexpr std::array<std::string_view, 2> merge_keys(
    std::string_view name, std::string_view within) noexcept
{
    if (name == "containers" || name == "initContainers" || name == "volumes" || name == "env")
        return {"name", {}};
    if (name == "volumeMounts")
        return {"mountPath", {}};
    if (name == "ports" && (within == "containers" || within == "initContainers"))
        return {"containerPort", "protocol"};
    if (name == "ports" && within == "spec")  // a service's
        return {"port", "protocol"};
    if (name == "conditions" || name == "addresses")
        return {"type", {}};
    if (name == "ownerReferences")
        return {"uid", {}};
    if (name == "imagePullSecrets" || name == "schedulingGates")
        return {"name", {}};
    if (name == "topologySpreadConstraints")
        return {"topologyKey", "whenUnsatisfiable"};
    return {};
}

namespace detail {

/// One value out of an object; null when it is absent.
inline json const& member(json const& object, std::string_view name)
{
    static json const none;
    if (!object.is_object())
        return none;
    auto const found = object.find(name);
    return found == object.end() ? none : *found;
}

using merge_key = std::array<std::string_view, 2>;

inline bool same_item(json const& a, json const& b, merge_key const& key)
{
    if (member(a, key[0]) != member(b, key[0]))
        return false;
    if (key[1].empty())
        return true;
    // Of the second keys in use, `protocol` alone, the default is TCP.
    auto const second = [&](json const& item) {
        auto const& value = member(item, key[1]);
        return value.is_null() ? json("TCP") : value;
    };
    return second(a) == second(b);
}

inline json const* find_item(json const& list, json const& like, merge_key const& key)
{
    if (list.is_array())
        for (auto const& item : list)
            if (same_item(item, like, key))
                return &item;
    return nullptr;
}

/// Every item can be told from the others.
inline bool has_keys(json const& list, merge_key const& key)
{
    if (list.is_null())
        return true;
    if (!list.is_array())
        return false;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (member(list[i], key[0]).is_null())
            return false;
        for (std::size_t k = 0; k < i; ++k)
            if (same_item(list[i], list[k], key))
                return false;
    }
    return true;
}

/// Objects of which one member rules out another, so that a default of the live one's would get in the way:
/// what the author does not say goes ("retainKeys"). A deployment's strategy, and each volume.
inline bool retains_keys(std::string_view name, std::string_view within) noexcept
{
    return (name == "strategy" && within == "spec") || (name.empty() && within == "volumes");
}

json merge3(
    json const& last, json const& live, json const& now, std::string_view name, std::string_view within);

/// In the order of `now`, then what others added, in the order of `live`. Lists are as long as manifests are:
/// quadratic is good enough, and bounded.
inline json merge_items(
    json const& last, json const& live, json const& now, merge_key const& key, std::string_view name)
{
    static json const none;
    json out = json::array();
    for (auto const& item : now) {
        auto const* before = find_item(last, item, key);
        auto const* existing = find_item(live, item, key);
        out.push_back(merge3(before ? *before : none, existing ? *existing : none, item, {}, name));
    }
    if (live.is_array())
        for (auto const& item : live)
            if (!find_item(now, item, key) && !find_item(last, item, key))
                out.push_back(item);
    return out;
}

inline json merge3(
    json const& last, json const& live, json const& now, std::string_view name, std::string_view within)
{
    if (now.is_array()) {
        auto const key = merge_keys(name, within);
        bool const small = now.size() <= 1000 && (!live.is_array() || live.size() <= 1000) &&
            (!last.is_array() || last.size() <= 1000);
        if (!key[0].empty() && small && has_keys(now, key) && has_keys(live, key) && has_keys(last, key))
            return merge_items(last, live, now, key, name);
        return now;
    }
    if (!now.is_object())
        return now;
    json out = live.is_object() ? live : json::object();
    if (retains_keys(name, within))
        std::erase_if(
            out.get_ref<json::object_t&>(), [&](auto const& m) { return member(now, m.first).is_null(); });
    if (last.is_object())
        for (auto const& [key, value] : last.get_ref<json::object_t const&>()) {
            if (value.is_null() || !member(now, key).is_null())  // null says nothing, then as now
                continue;
            bool const shared = (key == "labels" || key == "annotations") && value.is_object() &&
                member(out, key).is_object();
            json rest = shared ? merge3(value, out[key], json::object(), key, name) : json();
            if (rest.empty())
                out.erase(key);
            else
                out[key] = std::move(rest);
        }
    for (auto const& [key, value] : now.get_ref<json::object_t const&>()) {
        if (value.is_null())  // "not mine": as if it were not written
            continue;
        out[key] = merge3(member(last, key), member(live, key), value, key, name.empty() ? within : name);
    }
    return out;
}

}  // namespace detail

/// The object that applying `now` makes out of `live`, when `last` was applied before (null: nothing was).
/// Who has to know what was applied last keeps it: kubectl does in the annotation below.
[[nodiscard]] inline json three_way_merge(json const& last, json const& live, json const& now)
{
    return detail::merge3(last, live, now, {}, {});
}

/// Where `apply` keeps what it applied last, as JSON text.
inline constexpr std::string_view last_applied_annotation =
    "kubectl.kubernetes.io/last-applied-configuration";

}  // namespace podium::v0::model
