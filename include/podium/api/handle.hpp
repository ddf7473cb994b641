#pragma once
/// Kubernetes' REST API as a function: a request and a view go in; an answer, a plan, a watch or a log to be
/// read comes out.
///
/// The shell around it commits the plan and asks `finish` what to answer, serves the watch with a
/// `watcher` (`watch.hpp`), or fetches lines from a node. It understands get, list, watch, create, update
/// (whole, and its status alone), merge patch and delete, for every kind of the scheme, eviction and logs of
/// pods, discovery for clients, and Status errors.
///
/// What podium does differently: deleting a pod retires it (out of the balancers first, so that nothing is
/// lost) unless the grace period is given as 0, and deleting a namespace deletes what is in it in the same
/// transaction.
///
/// Source: Kubernetes v1.35 apiserver: registry/rest, endpoints/handlers.

#include <podium/api/logs.hpp>
#include <podium/api/path.hpp>
#include <podium/api/status.hpp>
#include <podium/controllers/disruption_budgets.hpp>
#include <podium/controllers/pods.hpp>
#include <podium/core/hash.hpp>
#include <podium/labels/selector.hpp>
#include <podium/model/merge.hpp>
#include <podium/model/scheme.hpp>
#include <podium/reconcile/plan.hpp>
#include <podium/reconcile/store.hpp>
#include <podium/reconcile/view.hpp>

#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace podium::inline v0::api {

enum class method : std::uint8_t { get, post, put, patch, delete_ };

struct request {
    api::method method = api::method::get;
    std::string target{};        ///< path and query
    std::string content_type{};  ///< of the body; empty: JSON
    std::string body{};
};

/// Something to commit before there is an answer.
struct write {
    reconcile::plan what{};
    reconcile::key about{};
    std::string_view plural{};
    int code = 200;
    bool gone = false;              ///< the object is deleted: the answer is its last state, or a Success
    bool repeatable = false;        ///< on a conflict, handle the request again on a newer view
    reconcile::revision created{};  ///< of an object that is updated
    json last{};                    ///< the state to answer with when `gone`
};

/// Changes to be told as they come.
struct watch {
    model::kind_entry const* kind = nullptr;
    std::string namespace_{};  ///< empty: all
    std::string name{};        ///< empty: all
    labels::selector labels = labels::selector::everything();
    std::vector<std::pair<std::string, std::string>> fields{};
    std::optional<reconcile::revision> from{};  ///< none: begin with what there is
};

using answer = std::variant<response, write, watch, logs>;

/// Where the addresses of services come from.
class service_addresses {
public:
    service_addresses() = default;
    /// `prefix` "127.45.255." and the last bytes 1 to 254.
    explicit service_addresses(std::string prefix) : prefix_(std::move(prefix)) {}

    /// The lowest address that no service of the view has; `exhausted` when all are taken. O(services).
    template<class View>
    [[nodiscard]] result<std::string> next(View const& view) const
    {
        std::set<std::string> taken;
        for (auto const s : view.template all<model::service>())
            taken.insert(s->spec.cluster_ip);
        for (int i = 1; i < 255; ++i)
            if (auto address = prefix_ + std::to_string(i); !taken.contains(address))
                return address;
        return error{errc::exhausted, "all service addresses are taken", "spec.clusterIP", {}};
    }
    [[nodiscard]] bool given() const noexcept { return !prefix_.empty(); }

private:
    std::string prefix_{};
};

/// What the API needs beside the view.
struct settings {
    service_addresses addresses{};
    controllers::drain_policy drain{};
    std::size_t max_body_bytes = 3 * 1024 * 1024;
};

/// Serves requests on one scheme. Stateless: keep one, share it.
class server {
public:
    explicit server(model::scheme kinds, settings how = {}) : kinds_(std::move(kinds)), how_(std::move(how))
    {
    }

    [[nodiscard]] model::scheme const& kinds() const noexcept { return kinds_; }

    /// Total: every request has an answer.
    template<class View>
    [[nodiscard]] answer handle(View const& view, request const& r, time_point now) const
    {
        if (auto d = discovery(r))
            return std::move(*d);
        auto const where = parse_path(r.target);
        if (!where)
            return failure(where.error(), {}, where.error().code == errc::invalid ? 400 : 404);
        auto const* const kind = find(*where);
        if (!kind)
            return failure({errc::not_found, "the server could not find the requested resource", {}, {}});
        bool const is_pod = kind->type == &reconcile::kind_of<model::pod>;
        bool const evicts = is_pod && where->subresource == "eviction";
        bool const log = is_pod && where->subresource == "log";
        if (!where->subresource.empty() && where->subresource != "status" && !evicts && !log)
            return failure({errc::not_found, "there is no such subresource here", {}, {}});
        if (!kind->namespaced && !where->namespace_.empty())
            return failure({errc::not_found, "this kind is not in a namespace", {}, {}});
        if (evicts && r.method == method::post)
            return evict(view, *where, r, now);
        if (evicts)
            return failure({errc::unsupported, "an eviction can only be created", {}, {}});
        if (log && r.method != method::get)
            return failure({errc::unsupported, "a log can only be read", {}, {}});
        if (log)
            return log_of(view, *kind, *where, now);
        switch (r.method) {
        case method::get: return read(view, *kind, *where);
        case method::post: return create(view, *kind, *where, r, now);
        case method::put:
        case method::patch: return update(view, *kind, *where, r);
        case method::delete_: return remove(view, *kind, *where, r, now);
        }
        return failure({errc::unsupported, "there is no such method here", {}, {}});
    }

    /// The answer to a write, once the store has spoken.
    [[nodiscard]] response finish(write const& w, reconcile::committed const& c) const
    {
        subject const about{w.plural, w.about.name};
        if (!c.outcome) {
            auto e = c.outcome.error();
            if (e.code == errc::conflict && w.code == 201 && !w.gone)
                return failure(
                    {errc::already_exists, std::string(w.plural) + " \"" + w.about.name + "\" already exists",
                        {}, {}},
                    about);
            if (e.code == errc::conflict)
                e.message = "the object has been modified; read it again and apply your change to that";
            return failure(e, about);
        }
        if (w.gone)
            return {w.code, w.last.dump(-1, ' ', false, json::error_handler_t::replace)};
        for (auto const& o : w.what.writes)
            if (o.which == w.about && o.data)
                return {w.code,
                    encoded({o.which.kind, o.data, *c.outcome,
                        o.what == reconcile::verb::create ? *c.outcome : w.created})};
        return {w.code, w.last.dump(-1, ' ', false, json::error_handler_t::replace)};
    }

    /// One object as the API shows it: with kind, apiVersion, uid and resourceVersion.
    [[nodiscard]] std::string encoded(reconcile::object const& o) const { return kinds_.encode(o); }

    [[nodiscard]] static bool matches(watch const& w, reconcile::object const& o)
    {
        if (!w.namespace_.empty() && o.namespace_() != w.namespace_)
            return false;
        if (!w.name.empty() && o.name() != w.name)
            return false;
        auto const& meta = w.kind->metadata_of(o);
        if (!w.labels.matches(meta.labels))
            return false;
        if (w.fields.empty())
            return true;
        auto const value = w.kind->to_json(o.data.get());
        for (auto const& [field, wanted] : w.fields)
            if (field_of(value, field) != wanted)
                return false;
        return true;
    }

private:
    model::kind_entry const* find(path const& where) const
    {
        for (auto const& k : kinds_.kinds())
            if (k.api_version == where.api_version && k.plural == where.plural)
                return &k;
        return nullptr;
    }

    // -- Reading ---------------------------------------------------------------------------------

    template<class View>
    answer read(View const& view, model::kind_entry const& kind, path const& where) const
    {
        subject const about{kind.plural, where.name};
        auto wanted = selection(kind, where);
        if (!wanted)
            return failure(wanted.error(), about, 400, "BadRequest");
        if (where.flag("watch")) {
            auto const from = where.parameter("resourceVersion");
            if (!from.empty() && from != "0") {
                auto const at = revision_in(from);
                if (!at)
                    return failure({errc::invalid, "expected a number", "resourceVersion", {}}, about, 400,
                        "BadRequest");
                wanted->from = *at;
            }
            return *std::move(wanted);
        }
        if (!where.name.empty()) {
            auto const o = view.get({kind.type, where.namespace_, where.name});
            if (!o)
                return missing(kind, where.name);
            return response{200, encoded(o)};
        }
        std::string out = R"({"kind":")" + std::string(kind.kind) + R"(List","apiVersion":")" +
            std::string(kind.api_version) + R"(","metadata":{"resourceVersion":")" +
            std::to_string(number(view.at())) + R"("},"items":[)";
        bool first = true;
        view.each(*kind.type, where.namespace_, [&](reconcile::object const& o) {
            if (!matches(*wanted, o))
                return;
            out += first ? "" : ",";
            first = false;
            out += encoded(o);
        });
        return response{200, out += "]}"};
    }

    template<class View>
    static answer log_of(View const& view, model::kind_entry const& kind, path const& where, time_point now)
    {
        auto const pod = view.template get<model::pod>(where.namespace_, where.name);
        if (!pod)
            return missing(kind, where.name);
        auto out = logs_of(*pod, where, now);
        if (out)
            return *std::move(out);
        bool const option = !out.error().path.empty();  // it is of the query's, else of the pod's state
        return failure(out.error(), {option ? "PodLogOptions" : kind.plural, where.name}, option ? 422 : 400,
            option ? "Invalid" : "BadRequest");
    }

    static result<watch> selection(model::kind_entry const& kind, path const& where)
    {
        watch w;
        w.kind = &kind;
        w.namespace_ = where.namespace_;
        w.name = where.name;
        if (auto const text = where.parameter("labelSelector"); !text.empty()) {
            auto s = labels::selector::parse(text);
            if (!s)
                return std::move(s).error().inside("labelSelector");
            w.labels = *std::move(s);
        }
        auto const text = where.parameter("fieldSelector");
        for (std::string_view rest = text; !rest.empty();) {
            auto one = rest.substr(0, rest.find(','));
            rest.remove_prefix(one.size() == rest.size() ? one.size() : one.size() + 1);
            auto const equals = one.find('=');
            if (equals == std::string_view::npos || equals == 0 || one[equals - 1] == '!')
                return error{errc::invalid, "expected field=value, joined by commas", "fieldSelector", {}};
            auto const value = one.substr(equals + (one.substr(equals).starts_with("==") ? 2 : 1));
            w.fields.emplace_back(one.substr(0, equals), value);
        }
        return w;
    }
    /// "status.phase" and the like: text, or empty when there is none.
    static std::string field_of(json const& value, std::string_view field)
    {
        json const* at = &value;
        while (!field.empty()) {
            auto const one = field.substr(0, field.find('.'));
            field.remove_prefix(one.size() == field.size() ? one.size() : one.size() + 1);
            if (!at->is_object() || !at->contains(one))
                return {};
            at = &(*at)[std::string(one)];
        }
        return at->is_string() ? at->get<std::string>() : at->dump();
    }

    // -- Writing ---------------------------------------------------------------------------------

    template<class View>
    answer create(View const& view, model::kind_entry const& kind, path const& where, request const& r,
        time_point now) const
    {
        if (!where.name.empty())
            return failure({errc::unsupported, "create in the collection, not at a name", {}, {}});
        auto body = parsed(kind, where, r.body);
        if (!body)
            return failure(body.error(), {kind.plural, {}}, 400, "BadRequest");
        auto& value = *body;
        if (has_status_of_its_own(kind))
            value.erase("status");
        auto& meta = value["metadata"];
        if (meta.is_object()) {
            for (auto const* const ours : {"uid", "resourceVersion", "generation", "creationTimestamp",
                     "deletionTimestamp", "deletionGracePeriodSeconds"})
                meta.erase(ours);
            if (meta.value("name", "").empty() && meta.contains("generateName") &&
                meta["generateName"].is_string())
                meta["name"] = meta["generateName"].template get<std::string>() + suffix(view.at(), r.body);
        }
        auto o = kinds_.read(value, where.namespace_.empty() ? "default" : where.namespace_);
        if (!o)
            return failure(o.error(), {kind.plural, name_in(value)});
        auto data = std::const_pointer_cast<void>(o->data);
        write w;
        w.about = o->which();
        w.plural = kind.plural;
        w.code = 201;
        if (auto fine = admit(view, kind, data, w.what); !fine)
            return failure(fine.error(), {kind.plural, w.about.name});
        auto& m = kind.metadata(data.get());
        m.creation_timestamp = model::time{now};
        if (value.contains("spec"))
            m.generation = 1;
        w.what.create(*kind.type, std::move(data));
        return w;
    }

    /// What a new object needs from the cluster: its namespace, and a service its address.
    template<class View>
    result<void> admit(View const& view, model::kind_entry const& kind, std::shared_ptr<void> const& data,
        reconcile::plan& p) const
    {
        auto const& meta = kind.metadata(data.get());
        if (kind.namespaced) {
            auto const ns = view.template get<model::namespace_>("", meta.namespace_);
            if (!ns || ns->metadata.deletion_timestamp)
                return error{errc::not_found, "there is no namespace \"" + meta.namespace_ + '"',
                    "metadata.namespace", {}};
            p.require(ns);
        }
        if (kind.type == &reconcile::kind_of<model::service> && how_.addresses.given()) {
            auto& service = *static_cast<model::service*>(data.get());
            if (service.spec.cluster_ip.empty()) {
                auto address = how_.addresses.next(view);
                if (!address)
                    return address.error();
                service.spec.cluster_ip = *std::move(address);
            } else if (service.spec.cluster_ip != "None") {
                for (auto const other : view.template all<model::service>())
                    if (other->spec.cluster_ip == service.spec.cluster_ip)
                        return error{
                            errc::invalid, "this address belongs to another service", "spec.clusterIP", {}};
            }
            service.spec.cluster_ips = {service.spec.cluster_ip};
        }
        return {};
    }

    template<class View>
    answer update(View const& view, model::kind_entry const& kind, path const& where, request const& r) const
    {
        if (where.name.empty())
            return failure({errc::unsupported, "expected the name of an object in the path", {}, {}});
        subject const about{kind.plural, where.name};
        auto const old = view.get({kind.type, where.namespace_, where.name});
        if (!old)
            return missing(kind, where.name);
        auto const before = kinds_.to_json(old);
        auto body = parsed(kind, where, r.body);
        if (!body)
            return failure(body.error(), about, 400, "BadRequest");
        auto value = *std::move(body);
        if (r.method == method::patch) {
            if (!r.content_type.starts_with("application/merge-patch+json"))
                return failure(
                    {errc::unsupported,
                        "of the patch formats only application/merge-patch+json is understood", {}, {}},
                    about, 415, "UnsupportedMediaType");
            value = model::merge_patch(before, value);
        }
        auto const& meta = value.contains("metadata") ? value["metadata"] : json::object();
        auto const expected = meta.is_object() ? meta.value("resourceVersion", std::string{}) : std::string{};
        if (!expected.empty() && expected != std::to_string(number(old.modified)))
            return failure(
                {errc::conflict, "the object has been modified; read it again and apply your change to that",
                    {}, {}},
                about);
        // The status is the controllers' part and everything else the author's: each path writes one of them.
        if (where.subresource == "status") {
            auto next = before;
            next["status"] = value.value("status", json::object());
            value = std::move(next);
        } else if (has_status_of_its_own(kind)) {
            value.erase("status");
            if (before.contains("status"))
                value["status"] = before["status"];
        }
        if (value.contains("metadata") && value["metadata"].is_object())
            for (auto const* const ours : {"uid", "generation", "creationTimestamp", "deletionTimestamp",
                     "deletionGracePeriodSeconds", "namespace"}) {
                value["metadata"].erase(ours);
                if (before["metadata"].contains(ours))
                    value["metadata"][ours] = before["metadata"][ours];
            }
        if (name_in(value) != where.name)
            return failure({errc::invalid, "must be the name in the path", "metadata.name", {}}, about);
        keep_address(kind, before, value);
        auto o = kinds_.read(value, where.namespace_);
        if (!o)
            return failure(o.error(), about);
        auto data = std::const_pointer_cast<void>(o->data);
        if (auto wrong = kind.validate_update(old.data.get(), data.get()); !wrong.empty())
            return failure(model::joined(std::move(wrong)), about);
        auto& m = kind.metadata(data.get());
        m.uid.clear();
        m.resource_version.clear();
        if (kind.to_json(data.get()).value("spec", json()) != before.value("spec", json()))
            ++m.generation;
        write w;
        w.about = old.which();
        w.plural = kind.plural;
        w.repeatable = expected.empty();
        w.created = old.created;
        w.what.update(old, std::move(data));
        w.last = before;
        if (w.what.empty())
            return response{200, encoded(old)};
        return w;
    }

    template<class View>
    answer remove(View const& view, model::kind_entry const& kind, path const& where, request const& r,
        time_point now) const
    {
        if (where.name.empty())
            return failure({errc::unsupported, "expected the name of an object in the path", {}, {}});
        auto const old = view.get({kind.type, where.namespace_, where.name});
        if (!old)
            return missing(kind, where.name);
        auto const options = r.body.empty() ? result<json>(json::object()) : model::parse_json(r.body);
        auto const how = options ? drain_of(where, *options) : options.error();
        if (!how)
            return failure({errc::invalid, "expected DeleteOptions", {}, {}}, {kind.plural, where.name}, 400,
                "BadRequest");
        write w;
        w.about = old.which();
        w.plural = kind.plural;
        w.gone = true;
        w.repeatable = true;
        w.last = kinds_.to_json(old);
        if (kind.type == &reconcile::kind_of<model::namespace_>)
            for (auto const& o : view.all_in(where.name))
                retire(w.what, o, *how, now);
        retire(w.what, old, *how, now);
        if (w.what.empty())
            return response{200, encoded(old)};  // on its way already
        return w;
    }
    static void retire(
        reconcile::plan& p, reconcile::object const& o, controllers::drain_policy const& how, time_point now)
    {
        if (auto const pod = o.template as<model::pod>();
            pod && how.grace_period_seconds != 0 && !is_terminal(pod->status.phase))
            controllers::retire(p, pod, "Deleted", how, now);
        else
            p.remove(o);
    }
    /// What DeleteOptions or the query say about the end of a pod.
    result<controllers::drain_policy> drain_of(path const& where, json const& options) const
    {
        auto how = how_.drain;
        if (!options.is_object())
            return error{errc::invalid, "expected an object", {}, {}};
        auto const given = options.find("gracePeriodSeconds");
        auto const text = given == options.end() || given->is_null() ? where.parameter("gracePeriodSeconds")
                                                                     : given->dump();
        if (text.empty())
            return how;
        std::int64_t seconds = 0;
        auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
        if (failed != std::errc{} || end != text.data() + text.size())
            return error{errc::invalid, "expected a number", "gracePeriodSeconds", {}};
        if (seconds < 0)
            seconds = 1;  // as Kubernetes takes it
        how.grace_period_seconds = seconds;
        return how;
    }

    // -- Eviction --------------------------------------------------------------------------------

    /// Takes a pod away as far as its disruption budget allows; the body is a policy/v1 Eviction.
    template<class View>
    answer evict(View const& view, path const& where, request const& r, time_point now) const
    {
        subject const about{"pods", where.name};
        auto const bad = [&](std::string message, std::string at = {}) {
            return failure({errc::invalid, std::move(message), std::move(at), {}}, about, 400, "BadRequest");
        };
        if (r.body.size() > how_.max_body_bytes)
            return bad("expected at most " + std::to_string(how_.max_body_bytes) + " bytes");
        auto const body = r.body.empty() ? result<json>(json::object()) : model::parse_json(r.body);
        if (!body || member(*body, "kind", "Eviction") != "Eviction" ||
            member(*body, "apiVersion", "policy/v1") != "policy/v1")
            return bad("expected a policy/v1 Eviction");
        if (member(member(*body, "metadata", json::object()), "name", where.name) != where.name)
            return bad("name in URL does not match name in Eviction object");
        auto const options = member(*body, "deleteOptions", json::object());
        auto const how = drain_of(where, options);
        if (!how)
            return bad(how.error().text(), "deleteOptions");
        auto const in_query = where.parameter("dryRun");
        auto const dry_run =
            member(options, "dryRun", in_query.empty() ? json::array() : json::array({in_query}));
        if (dry_run != json::array() && dry_run != json::array({"All"}))
            return bad("expected \"All\"", "dryRun");
        auto const pod = view.template get<model::pod>(where.namespace_, where.name);
        if (!pod)
            return failure({errc::not_found, "pods \"" + where.name + "\" not found", {}, {}}, about);
        auto const conditions = member(options, "preconditions", json::object());
        for (auto const& [what, is] :
            {std::pair{"uid", pod.uid()}, std::pair{"resourceVersion", std::to_string(number(pod.modified))}})
            if (member(conditions, what, is) != is)
                return failure(
                    {errc::conflict,
                        std::string("the ") + what + " in the precondition is not the pod's, " + is, {}, {}},
                    about);
        write w;
        w.about = pod.which();
        w.plural = "pods";
        w.code = 201;
        w.gone = true;
        w.repeatable = true;
        w.last = {
            {"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", json::object()}, {"status", "Success"}};
        if (auto const done = controllers::evict(w.what, view, pod, *how, now); !done)
            return held(done.error(), about);
        if (!dry_run.empty() || w.what.empty())
            return response{w.code, w.last.dump()};
        return w;
    }
    /// What the object says there, or `otherwise`; null when it is no object.
    static json member(json const& object, char const* name, json otherwise)
    {
        if (!object.is_object())
            return nullptr;
        auto const it = object.find(name);
        return it == object.end() || it->is_null() ? std::move(otherwise) : *it;
    }
    /// A budget says no.
    static response held(error e, subject about)
    {
        if (e.code != errc::exhausted)
            return failure(e, about, 500);
        auto const causes = std::exchange(e.further, {});
        auto status = status_of(e, about, 429, "TooManyRequests");
        for (auto const& c : causes)
            status["details"]["causes"].push_back({{"reason", "DisruptionBudget"}, {"message", c.message}});
        return {429, status.dump(-1, ' ', false, json::error_handler_t::replace)};
    }

    // -- Pieces ----------------------------------------------------------------------------------

    /// The body as JSON that is about what the path says. apiVersion and kind may be left out.
    result<json> parsed(model::kind_entry const& kind, path const& where, std::string const& body) const
    {
        if (body.size() > how_.max_body_bytes)
            return error{errc::exhausted,
                "expected at most " + std::to_string(how_.max_body_bytes) + " bytes", "body", {}};
        auto value = model::parse_json(body);
        if (!value)
            return value;
        if (!value->is_object())
            return error{errc::invalid, "expected an object", {}, {}};
        auto const said = [&](char const* key, std::string_view wanted) {
            if (!value->contains(key))
                (*value)[key] = wanted;
            return (*value)[key] == wanted;
        };
        if (!said("kind", kind.kind))
            return error{
                errc::invalid, "must be \"" + std::string(kind.kind) + "\", as the path says", "kind", {}};
        if (!said("apiVersion", kind.api_version))
            return error{errc::invalid, "must be \"" + std::string(kind.api_version) + "\", as the path says",
                "apiVersion", {}};
        auto const meta = value->value("metadata", json());
        if (meta.is_object() && meta.contains("namespace") && !where.namespace_.empty() &&
            meta["namespace"] != where.namespace_)
            return error{errc::invalid, "must be the namespace in the path", "metadata.namespace", {}};
        return value;
    }
    static std::string name_in(json const& value)
    {
        auto const it = value.find("metadata");
        if (it == value.end() || !it->is_object() || !it->contains("name") || !(*it)["name"].is_string())
            return {};
        return (*it)["name"].get<std::string>();
    }
    static response missing(model::kind_entry const& kind, std::string_view name)
    {
        return failure(
            {errc::not_found, std::string(kind.plural) + " \"" + std::string(name) + "\" not found", {}, {}},
            {kind.plural, name});
    }
    /// Kinds whose status is written by podium; of the others the author writes the whole object.
    static bool has_status_of_its_own(model::kind_entry const& kind)
    {
        return kind.type == &reconcile::kind_of<model::pod> ||
            kind.type == &reconcile::kind_of<model::deployment> ||
            kind.type == &reconcile::kind_of<model::replica_set> ||
            kind.type == &reconcile::kind_of<model::rollout> ||
            kind.type == &reconcile::kind_of<model::analysis_run> ||
            kind.type == &reconcile::kind_of<model::stateful_set> ||
            kind.type == &reconcile::kind_of<model::persistent_volume_claim> ||
            kind.type == &reconcile::kind_of<model::pod_disruption_budget> ||
            kind.type == &reconcile::kind_of<model::service> ||
            kind.type == &reconcile::kind_of<model::namespace_>;
    }
    /// A service that does not name its address keeps the one that it was given.
    static void keep_address(model::kind_entry const& kind, json const& before, json& after)
    {
        if (kind.type != &reconcile::kind_of<model::service> || !after.contains("spec") ||
            !after["spec"].is_object())
            return;
        for (auto const* const field : {"clusterIP", "clusterIPs"})
            if (!after["spec"].contains(field) && before["spec"].contains(field))
                after["spec"][field] = before["spec"][field];
    }
    static std::optional<reconcile::revision> revision_in(std::string_view text)
    {
        std::uint64_t n = 0;
        auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
        if (failed != std::errc{} || end != text.data() + text.size())
            return {};
        return reconcile::revision{n};
    }
    static std::string suffix(reconcile::revision at, std::string_view body)
    {
        auto h = fnv1a(body, number(at) * 0x9e3779b97f4a7c15u + 1);
        std::string out;
        for (int i = 0; i < 5; ++i, h /= 27)
            out += "bcdfghjklmnpqrstvwxz2456789"[h % 27];
        return out;
    }

    // -- Discovery -------------------------------------------------------------------------------

    std::optional<response> discovery(request const& r) const
    {
        if (r.method != method::get)
            return {};
        std::string_view const target = std::string_view(r.target).substr(0, r.target.find('?'));
        if (target == "/healthz" || target == "/readyz" || target == "/livez")
            return response{200, R"("ok")"};
        if (target == "/version")
            return response{200, R"({"major":"1","minor":"35","gitVersion":"v1.35.0+podium"})"};
        if (target == "/api" || target == "/api/")
            return response{200, R"({"kind":"APIVersions","versions":["v1"]})"};
        if (target == "/apis" || target == "/apis/") {
            json groups = json::array();
            std::set<std::string> seen;
            for (auto const& k : kinds_.kinds())
                if (auto const slash = k.api_version.find('/');
                    slash != std::string_view::npos && seen.emplace(k.api_version).second) {
                    json const version = {
                        {"groupVersion", k.api_version}, {"version", k.api_version.substr(slash + 1)}};
                    groups.push_back({{"name", k.api_version.substr(0, slash)}, {"versions", {version}},
                        {"preferredVersion", version}});
                }
            return response{
                200, json{{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", groups}}.dump()};
        }
        json resources = json::array();
        for (auto const& k : kinds_.kinds()) {
            auto const prefix = (k.api_version.find('/') == std::string_view::npos ? "/api/" : "/apis/") +
                std::string(k.api_version);
            if (target != prefix && target != prefix + '/')
                continue;
            json one = {{"name", k.plural}, {"singularName", k.singular()}, {"namespaced", k.namespaced},
                {"kind", k.kind}, {"verbs", {"create", "delete", "get", "list", "patch", "update", "watch"}}};
            if (!k.short_name.empty())
                one["shortNames"] = {k.short_name};
            resources.push_back(std::move(one));
            if (k.type == &reconcile::kind_of<model::pod>)
                resources.push_back({{"name", "pods/eviction"}, {"singularName", ""}, {"namespaced", true},
                    {"group", "policy"}, {"version", "v1"}, {"kind", "Eviction"}, {"verbs", {"create"}}});
        }
        if (resources.empty())
            return {};
        auto const version = target.substr(target.starts_with("/apis/") ? 6 : 5);
        return response{200,
            json{{"kind", "APIResourceList"}, {"apiVersion", "v1"}, {"groupVersion", version},
                {"resources", resources}}
                .dump()};
    }

    model::scheme kinds_;
    settings how_;
};

}  // namespace podium::v0::api
