#include "columns.hpp"

#include <podium/model/time.hpp>

#include <algorithm>
#include <iterator>

using podium::model::json;

namespace {

json const& at(json const& o, std::initializer_list<char const*> path)
{
    static json const none;
    auto const* here = &o;
    for (auto const* const key : path) {
        if (!here->is_object() || !here->contains(key))
            return none;
        here = &(*here)[key];
    }
    return *here;
}
std::string text(json const& v, std::string otherwise = "<none>")
{
    return v.is_string() ? v.get<std::string>() : v.is_null() ? otherwise : v.dump();
}
std::string number(json const& v)
{
    return v.is_number() ? v.dump() : "0";
}
std::string condition(json const& o, std::string_view type)
{
    for (auto const& c : at(o, {"status", "conditions"}))
        if (text(at(c, {"type"})) == type)
            return text(at(c, {"status"}));
    return "Unknown";
}

struct pod_state {
    std::size_t ready = 0, all = 0;
    long restarts = 0;
    std::string word;
    std::string held_by{};  // why it is on no node yet
};
// The scheduler's word on a pod that waits.
void add_wait(pod_state& s, json const& pod)
{
    if (at(pod, {"spec", "nodeName"}).is_string())
        return;
    for (auto const& c : at(pod, {"status", "conditions"})) {
        if (at(c, {"type"}) != "PodScheduled" || at(c, {"status"}) != "False")
            continue;
        s.held_by = text(at(c, {"message"}), "");
        if (at(c, {"reason"}) != "SchedulingGated")
            continue;
        s.word = "SchedulingGated";
        s.held_by.clear();
        for (auto const& gate : at(pod, {"spec", "schedulingGates"}))
            s.held_by += (s.held_by.empty() ? "" : ", ") + text(at(gate, {"name"}));
    }
    if (auto const& node = at(pod, {"status", "nominatedNodeName"}); node.is_string())
        s.held_by = "waits for room on " + text(node) + ": " + s.held_by;
}
pod_state state_of(json const& pod)
{
    pod_state s;
    s.all = at(pod, {"spec", "containers"}).size();
    s.word = text(at(pod, {"status", "phase"}), "Pending");
    if (auto const& reason = at(pod, {"status", "reason"}); reason.is_string() && !reason.empty())
        s.word = text(reason);
    for (auto const* const list : {"initContainerStatuses", "containerStatuses"})
        for (auto const& c : at(pod, {"status", list})) {
            if (list == std::string_view("containerStatuses")) {
                s.ready += at(c, {"ready"}) == true;
                s.restarts += at(c, {"restartCount"}).is_number() ? at(c, {"restartCount"}).get<long>() : 0;
            }
            for (auto const* const state : {"waiting", "terminated"})
                if (auto const& why = at(c, {"state", state, "reason"});
                    why.is_string() && why != "Completed")
                    s.word = (list == std::string_view("initContainerStatuses") ? "Init:" : "") + text(why);
        }
    add_wait(s, pod);
    if (!at(pod, {"metadata", "deletionTimestamp"}).is_null())
        s.word = "Terminating";
    else if (at(pod, {"status", "drain"}).is_object())
        s.word = "Draining";
    return s;
}

std::string images_of(json const& o)
{
    std::string out;
    for (auto const& c : at(o, {"spec", "template", "spec", "containers"}))
        out += (out.empty() ? "" : ",") + text(at(c, {"image"}));
    return out;
}
// ReadWriteOnce is RWO in tables.
std::string abbreviated(std::string const& words)
{
    std::string out;
    std::ranges::copy_if(words, std::back_inserter(out), [](char c) { return c >= 'A' && c <= 'Z'; });
    return out;
}

// As kubectl prints them: "cpu: 80%/60%".
std::string targets_of(json const& o)
{
    std::string out;
    auto const& status = at(o, {"status", "currentMetrics"});
    auto const& specs = at(o, {"spec", "metrics"});
    for (std::size_t i = 0; i < specs.size(); ++i) {
        auto source = text(at(specs[i], {"type"}), "");
        if (!source.empty() && source[0] >= 'A' && source[0] <= 'Z')
            source[0] = static_cast<char>(source[0] + 32);
        auto const& m = at(specs[i], {source.c_str()});
        static json const none;
        auto const& is = at(i < status.size() ? status[i] : none, {source.c_str(), "current"});
        bool const of_resource = source == "resource" || source == "containerResource";
        bool const average = at(m, {"target"}).contains("averageValue");
        auto const shown = [&](char const* field, char const* unit) {
            auto const& now = at(is, {field});
            return (now.is_null() ? "<unknown>" : text(now) + unit) + '/' + text(at(m, {"target", field})) +
                unit;
        };
        out += (out.empty() ? "" : ", ") + (of_resource ? text(at(m, {"name"})) + ": " : "");
        if (average)
            out += shown("averageValue", "") + (source == "object" || source == "external" ? " (avg)" : "");
        else
            out += of_resource ? shown("averageUtilization", "%") : shown("value", "");
    }
    return out.empty() ? "<none>" : out;
}

std::string ports_of(json const& list, char const* field)
{
    std::string out;
    for (auto const& p : list)
        out += (out.empty() ? "" : ",") + number(at(p, {field})) + '/' + text(at(p, {"protocol"}), "TCP");
    return out.empty() ? "<none>" : out;
}

}  // namespace

std::string age(podium::duration d)
{
    auto const s =
        std::max<long>(0, static_cast<long>(std::chrono::duration_cast<std::chrono::seconds>(d).count()));
    auto const two = [](long a, char const* x, long b, char const* y) {
        return std::to_string(a) + x + (b != 0 ? std::to_string(b) + y : "");
    };
    if (s < 120)
        return std::to_string(s) + 's';
    if (s < 600)
        return two(s / 60, "m", s % 60, "s");
    if (s < 3 * 3600)
        return std::to_string(s / 60) + 'm';
    if (s < 8 * 3600)
        return two(s / 3600, "h", s / 60 % 60, "m");
    if (s < 48 * 3600)
        return std::to_string(s / 3600) + 'h';
    return std::to_string(s / 86400) + 'd';
}

std::string age(json const& stamp, podium::time_point now)
{
    podium::model::time t;
    if (!stamp.is_string() || !from_text(stamp.get_ref<std::string const&>(), t))
        return "<unknown>";
    return age(now - t.at);
}

table_row headings(std::string_view plural, bool wide)
{
    table_row r{"NAME"};
    auto const add = [&](std::initializer_list<char const*> more) {
        r.insert(r.end(), more.begin(), more.end());
    };
    if (plural == "pods") {
        add({"READY", "STATUS", "RESTARTS", "AGE"});
        if (wide)
            add({"IP", "NODE"});
    } else if (plural == "deployments") {
        add({"READY", "UP-TO-DATE", "AVAILABLE", "AGE"});
        if (wide)
            add({"IMAGES"});
    } else if (plural == "rollouts") {
        add({"STRATEGY", "STATUS", "STEP", "WEIGHT", "READY", "UP-TO-DATE", "AGE"});
    } else if (plural == "analysisruns") {
        add({"STATUS", "AGE"});
    } else if (plural == "statefulsets") {
        add({"READY", "UP-TO-DATE", "AGE"});
        if (wide)
            add({"IMAGES"});
    } else if (plural == "replicasets") {
        add({"DESIRED", "CURRENT", "READY", "AGE"});
    } else if (plural == "horizontalpodautoscalers") {
        add({"REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"});
    } else if (plural == "persistentvolumeclaims") {
        add({"STATUS", "CAPACITY", "ACCESS MODES", "AGE"});
    } else if (plural == "poddisruptionbudgets") {
        add({"MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS", "AGE"});
    } else if (plural == "controllerrevisions") {
        add({"CONTROLLER", "REVISION", "AGE"});
    } else if (plural == "services") {
        add({"TYPE", "CLUSTER-IP", "PORT(S)", "AGE"});
    } else if (plural == "nodes") {
        add({"STATUS", "AGE"});
        if (wide)
            add({"CPU", "MEMORY", "INTERNAL-IP"});
    } else if (plural == "events") {
        r = {"LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"};
    } else if (plural == "endpointslices") {
        add({"PORTS", "ENDPOINTS", "AGE"});
    } else if (plural == "namespaces") {
        add({"STATUS", "AGE"});
    } else if (plural == "configmaps" || plural == "secrets") {
        add({"DATA", "AGE"});
    } else {
        add({"AGE"});
    }
    return r;
}

table_row cells(std::string_view plural, json const& o, bool wide, podium::time_point now)
{
    table_row r{text(at(o, {"metadata", "name"}))};
    auto const born = age(at(o, {"metadata", "creationTimestamp"}), now);
    auto const add = [&](std::initializer_list<std::string> more) {
        r.insert(r.end(), more.begin(), more.end());
    };
    if (plural == "pods") {
        auto const s = state_of(o);
        add({std::to_string(s.ready) + '/' + std::to_string(s.all), s.word, std::to_string(s.restarts),
            born});
        if (wide)
            add({text(at(o, {"status", "podIP"})), text(at(o, {"spec", "nodeName"}))});
        if (!s.held_by.empty())
            add({s.held_by});
    } else if (plural == "deployments") {
        add({number(at(o, {"status", "readyReplicas"})) + '/' + number(at(o, {"spec", "replicas"})),
            number(at(o, {"status", "updatedReplicas"})), number(at(o, {"status", "availableReplicas"})),
            born});
        if (wide)
            add({images_of(o)});
    } else if (plural == "rollouts") {
        auto const& steps = at(o, {"spec", "strategy", "canary", "steps"});
        auto const& weight = at(o, {"status", "canary", "weights", "canary", "weight"});
        bool const canary = at(o, {"spec", "strategy"}).contains("canary");
        add({canary ? "Canary" : "BlueGreen", text(at(o, {"status", "phase"})),
            steps.is_array()
                ? number(at(o, {"status", "currentStepIndex"})) + '/' + std::to_string(steps.size())
                : "-",
            canary && at(o, {"status", "canary"}).contains("weights") ? number(weight) + '%' : "-",
            number(at(o, {"status", "readyReplicas"})) + '/' + number(at(o, {"spec", "replicas"})),
            number(at(o, {"status", "updatedReplicas"})), born});
        if (auto const why = text(at(o, {"status", "message"}), ""); !why.empty() && why != "complete")
            add({why});
    } else if (plural == "analysisruns") {
        add({text(at(o, {"status", "phase"}), "Pending"), born});
        if (auto const why = text(at(o, {"status", "message"}), ""); !why.empty())
            add({why});
    } else if (plural == "statefulsets") {
        add({number(at(o, {"status", "readyReplicas"})) + '/' + number(at(o, {"spec", "replicas"})),
            number(at(o, {"status", "updatedReplicas"})), born});
        if (wide)
            add({images_of(o)});
    } else if (plural == "replicasets") {
        add({number(at(o, {"spec", "replicas"})), number(at(o, {"status", "replicas"})),
            number(at(o, {"status", "readyReplicas"})), born});
    } else if (plural == "horizontalpodautoscalers") {
        add({text(at(o, {"spec", "scaleTargetRef", "kind"})) + '/' +
                text(at(o, {"spec", "scaleTargetRef", "name"})),
            targets_of(o), text(at(o, {"spec", "minReplicas"}), "<unset>"),
            number(at(o, {"spec", "maxReplicas"})), number(at(o, {"status", "currentReplicas"})), born});
    } else if (plural == "persistentvolumeclaims") {
        std::string modes;
        for (auto const& m : at(o, {"spec", "accessModes"}))
            modes += (modes.empty() ? "" : ",") + abbreviated(text(m));
        add({text(at(o, {"status", "phase"}), "Pending"), text(at(o, {"status", "capacity", "storage"}), ""),
            modes, born});
    } else if (plural == "poddisruptionbudgets") {
        auto const bound = [&](char const* name) {
            auto const& v = at(o, {"spec", name});
            return v.is_number() ? number(v) : text(v, "N/A");
        };
        add({bound("minAvailable"), bound("maxUnavailable"), number(at(o, {"status", "disruptionsAllowed"})),
            born});
    } else if (plural == "controllerrevisions") {
        std::string owner = "<none>";
        for (auto const& ref : at(o, {"metadata", "ownerReferences"}))
            owner = text(at(ref, {"kind"})) + '/' + text(at(ref, {"name"}));
        add({owner, number(at(o, {"revision"})), born});
    } else if (plural == "services") {
        add({text(at(o, {"spec", "type"})), text(at(o, {"spec", "clusterIP"})),
            ports_of(at(o, {"spec", "ports"}), "port"), born});
    } else if (plural == "nodes") {
        std::string status = condition(o, "Ready") == "True" ? "Ready" : "NotReady";
        if (at(o, {"spec", "unschedulable"}) == true)
            status += ",SchedulingDisabled";
        add({status, born});
        if (wide) {
            std::string ip = "<none>";
            for (auto const& a : at(o, {"status", "addresses"}))
                if (at(a, {"type"}) == "InternalIP")
                    ip = text(at(a, {"address"}));
            add({text(at(o, {"status", "capacity", "cpu"})), text(at(o, {"status", "capacity", "memory"})),
                ip});
        }
    } else if (plural == "events") {
        auto object = text(at(o, {"involvedObject", "kind"}));
        std::ranges::transform(
            object, object.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
        auto const& count = at(o, {"count"});
        r = {age(at(o, {"lastTimestamp"}), now), text(at(o, {"type"})), text(at(o, {"reason"})),
            object + '/' + text(at(o, {"involvedObject", "name"})),
            text(at(o, {"message"})) + (count.is_number() && count > 1 ? " (x" + count.dump() + ")" : "")};
    } else if (plural == "endpointslices") {
        std::string all;
        for (auto const& e : at(o, {"endpoints"}))
            for (auto const& a : at(e, {"addresses"}))
                all += (all.empty() ? "" : ",") + text(a) +
                    (at(e, {"conditions", "ready"}) == false ? "(not ready)" : "");
        add({ports_of(at(o, {"ports"}), "port"), all.empty() ? "<none>" : all, born});
    } else if (plural == "namespaces") {
        add({text(at(o, {"status", "phase"})), born});
    } else if (plural == "configmaps" || plural == "secrets") {
        add({std::to_string(at(o, {"data"}).size() + at(o, {"binaryData"}).size()), born});
    } else {
        add({born});
    }
    for (auto& cell : r)
        cell = harmless(cell);
    return r;
}

std::string harmless(std::string_view text)
{
    std::string out;
    for (char const c : text)
        if (c == '\n' || c == '\t')
            out += ' ';
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            out += '?';
        else
            out += c;
    return out;
}

std::string fitted(std::string text, std::size_t width)
{
    std::size_t columns = 0, i = 0;
    while (i < text.size() && columns < width) {
        ++columns;
        do
            ++i;
        while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80);
    }
    text.resize(i);
    return text;
}

std::string set_table(std::vector<table_row> const& rows, std::vector<std::size_t>& widths)
{
    for (auto const& r : rows)
        for (std::size_t i = 0; i < r.size(); ++i) {
            if (i == widths.size())
                widths.push_back(0);
            widths[i] = std::max(widths[i], r[i].size());
        }
    std::string out;
    for (auto const& r : rows) {
        for (std::size_t i = 0; i < r.size(); ++i) {
            out += r[i];
            if (i + 1 < r.size())
                out.append(widths[i] - r[i].size() + 3, ' ');
        }
        out += '\n';
    }
    return out;
}
