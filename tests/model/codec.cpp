#include <podium/model.hpp>

#include <boost/mp11/algorithm.hpp>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace model = podium::model;
using podium::errc;

namespace sample {

enum class flavour : std::uint8_t { plain, extra_hot };
BOOST_DESCRIBE_ENUM(flavour, plain, extra_hot)

struct dish {
    std::string name{};
    std::uint32_t count = 3;
    flavour taste = flavour::plain;
    std::optional<bool> served{};
    double price = 0;
    std::vector<std::int8_t> codes{};
    model::json anything{};
    std::string table_id{};
    friend bool operator==(dish const&, dish const&) = default;
};
BOOST_DESCRIBE_STRUCT(dish, (), (name, count, taste, served, price, codes, anything, table_id))
constexpr bool required(dish const*, std::string_view member)
{
    return member == "name";
}

struct undescribed {};

}  // namespace sample

static_assert(model::Codable<sample::dish>);
static_assert(model::Codable<model::pod>);
static_assert(!model::Codable<sample::undescribed>);
static_assert(sizeof(model::pod) <= 1200, "a hundred thousand of them live in memory");

namespace {

using random_source = std::mt19937_64;

std::string random_text(random_source& random)
{
    static constexpr char const* words[] = {
        "", "a", "web-1", "\"quoted\"", "back\\slash", "new\nline", "\x01", "gr\xC3\xBC\xC3\x9F", "8080"};
    return words[random() % std::size(words)];
}

// A value for anything that the codec knows.
template<class T>
struct random_value;

template<class T>
T any(random_source& random)
{
    return random_value<T>::make(random);
}

template<>
struct random_value<bool> {
    static bool make(random_source& random) { return random() % 2; }
};
template<std::integral T>
struct random_value<T> {
    static T make(random_source& random)
    {
        return random() % 2 ? static_cast<T>(random()) : static_cast<T>(random() % 12);
    }
};
template<>
struct random_value<std::string> {
    static std::string make(random_source& random) { return random_text(random); }
};
template<>
struct random_value<model::bytes> {
    static model::bytes make(random_source& random)
    {
        std::string out(random() % 5, ' ');
        for (char& c : out)
            c = static_cast<char>(random());
        return {out};
    }
};
template<>
struct random_value<podium::quantity> {
    static podium::quantity make(random_source& random)
    {
        return podium::quantity::from_milli(static_cast<std::int64_t>(random() % 1'000'000));
    }
};
template<>
struct random_value<podium::int_or_percent> {
    static podium::int_or_percent make(random_source& random)
    {
        auto const n = static_cast<std::int64_t>(random() % 101);
        return random() % 2 ? podium::int_or_percent(n) : podium::int_or_percent::percent(n);
    }
};
template<>
struct random_value<model::int_or_string> {
    static model::int_or_string make(random_source& random)
    {
        return random() % 2 ? model::int_or_string(random_text(random))
                            : model::int_or_string(any<std::int32_t>(random));
    }
};
template<>
struct random_value<model::time> {
    static model::time make(random_source& random)
    {
        return podium::time_point{
            podium::duration{static_cast<std::int64_t>(random() % 4'000'000'000'000'000'000u)}};
    }
};
template<>
struct random_value<podium::duration> {
    static podium::duration make(random_source& random)
    {
        return podium::duration{static_cast<std::int64_t>(random())};
    }
};
template<>
struct random_value<podium::time_point> {  // of the machines: exact, and anywhere
    static podium::time_point make(random_source& random)
    {
        return podium::time_point{any<podium::duration>(random)};
    }
};
template<>
struct random_value<double> {
    static double make(random_source& random)
    {
        return static_cast<double>(static_cast<std::int64_t>(random())) /
            static_cast<double>(1 + random() % 1'000'000);
    }
};
template<class T>
requires std::is_enum_v<T>
struct random_value<T> {
    static T make(random_source& random)
    {
        auto const& all = model::detail::codec_for<T>::enumerators;
        return all[random() % all.size()].value;
    }
};
template<class T>
struct random_value<std::optional<T>> {
    static std::optional<T> make(random_source& random)
    {
        return random() % 3 ? std::optional<T>() : std::optional<T>(any<T>(random));
    }
};
template<class T>
struct random_value<model::boxed<T>> {
    static model::boxed<T> make(random_source& random)
    {
        return random() % 3 ? model::boxed<T>() : model::boxed<T>(any<T>(random));
    }
};
template<class T>
struct random_value<std::vector<T>> {
    static std::vector<T> make(random_source& random)
    {
        std::vector<T> out;
        for (auto n = random() % 3; n > 0; --n)
            out.push_back(any<T>(random));
        return out;
    }
};
template<class T>
struct random_value<model::shared_list<T>> {
    static model::shared_list<T> make(random_source& random) { return any<std::vector<T>>(random); }
};
template<class T>
struct random_value<std::map<std::string, T>> {
    static std::map<std::string, T> make(random_source& random)
    {
        std::map<std::string, T> out;
        for (auto n = random() % 3; n > 0; --n)
            out.emplace(random_text(random), any<T>(random));
        return out;
    }
};
template<model::detail::DescribedStruct T>
struct random_value<T> {
    static T make(random_source& random)
    {
        T out{};
        boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_public>>(
            [&](auto d) {
                using member = std::remove_cvref_t<decltype(out.*d.pointer)>;
                if (random() % 2)
                    out.*d.pointer = any<member>(random);
            });
        return out;
    }
};

template<class K>
void check_round_trips(std::uint64_t seed)
{
    CAPTURE(K::kind);
    random_source random(seed);
    K const object = any<K>(random);
    auto const text = model::encode(object);
    auto const from_text = model::decode_text<K>(text);
    REQUIRE_MESSAGE(from_text, (from_text ? "" : from_text.error().text()));
    REQUIRE(*from_text == object);
    REQUIRE(model::encode(*from_text) == text);
    REQUIRE(model::json::parse(text) == model::to_json(object));
    REQUIRE(*model::decode<K>(model::to_json(object)) == object);
}

}  // namespace

TEST_CASE("model: decoding reports everything that is wrong, each with its path")
{
    auto const d = model::decode_text<model::deployment>(R"({
        "apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "a", "creationTimestamp": null, "labels": {"x/y": 1}},
        "spec": {"replica": 3, "minReadySeconds": "10", "selector": {"matchLabels": {"a": "b"}},
            "strategy": {"type": "Sometimes", "rollingUpdate": {"maxSurge": "a lot", "maxUnavailable": 1.5}},
            "template": {"spec": {"containers": [
                {"name": "x", "imag": 1, "ports": [{"containerPort": 99999999999}], "env": [{"value": 3}],
                 "resources": {"limits": {"cpu": "fast"}}, "livenessProbe": {"grpc": {"port": 1}}}]}}}})");
    REQUIRE(!d);
    std::vector<std::string> paths{d.error().path};
    for (auto const& e : d.error().further)
        paths.push_back(e.path);
    std::sort(paths.begin(), paths.end());
    CHECK(paths ==
        std::vector<std::string>{"apiVersion", "metadata.labels[x/y]", "spec.minReadySeconds", "spec.replica",
            "spec.strategy.rollingUpdate.maxSurge", "spec.strategy.rollingUpdate.maxUnavailable",
            "spec.strategy.type", "spec.template.spec.containers[0].env[0].name",
            "spec.template.spec.containers[0].env[0].value", "spec.template.spec.containers[0].imag",
            "spec.template.spec.containers[0].livenessProbe.grpc",
            "spec.template.spec.containers[0].ports[0].containerPort",
            "spec.template.spec.containers[0].resources.limits.cpu"});
}

TEST_CASE("model: each mistake has words that say what was expected")
{
    struct row {
        std::string name;
        std::string text;
        std::string expected;
    };
    for (auto const& r : {
             row{"missing", R"({})", "name: required"},
             row{"null counts as missing", R"({"name":null})", "name: required"},
             row{"another type", R"({"name":[]})", "name: expected a string, found a list"},
             row{"not an object", R"([])", "expected an object, found a list"},
             row{"unknown", R"({"name":"x","colour":1})", "colour: unknown field"},
             row{"a slip of the pen", R"({"name":"x","tablID":"4"})",
                 "tablID: unknown field, did you mean \"tableID\"?"},
             row{"the wrong case", R"({"name":"x","Count":1})",
                 "Count: unknown field, did you mean \"count\"?"},
             row{"negative", R"({"name":"x","count":-1})",
                 "count: out of range, must be from 0 to 4294967295"},
             row{"too big", R"({"name":"x","codes":[1,128]})",
                 "codes[1]: out of range, must be from -128 to 127"},
             row{"a fraction", R"({"name":"x","count":1.0})", "count: expected an integer, found a fraction"},
             row{"no such value", R"({"name":"x","taste":"extra_hot"})",
                 "taste: expected one of \"Plain\", \"ExtraHot\""},
             row{"a word for a boolean", R"({"name":"x","served":"yes"})",
                 "served: expected true or false, found a string"},
         }) {
        CAPTURE(r.name);
        auto const decoded = model::decode_text<sample::dish>(r.text);
        REQUIRE(!decoded);
        CHECK(decoded.error().text() == r.expected);
    }
}

TEST_CASE("model: initial values are not written, required ones are")
{
    CHECK(model::encode(sample::dish{}) == R"({"name":""})");
    sample::dish d{.name = "soup", .count = 0, .taste = sample::flavour::extra_hot, .served = false};
    d.table_id = "4";
    d.anything = {{"a", {1, 2}}};
    CHECK(model::encode(d) ==
        R"({"name":"soup","count":0,"taste":"ExtraHot","served":false,"anything":{"a":[1,2]},"tableID":"4"})");
    CHECK(*model::decode_text<sample::dish>(model::encode(d)) == d);
}

TEST_CASE("model: names in JSON are Kubernetes'")
{
    CHECK(model::text_of(model::protocol::tcp) == "TCP");
    CHECK(model::text_of(model::service_type::cluster_ip) == "ClusterIP");
    CHECK(model::text_of(model::service_type::load_balancer) == "LoadBalancer");
    CHECK(model::text_of(model::condition_status::true_) == "True");
    CHECK(model::text_of(model::taint_effect::prefer_no_schedule) == "PreferNoSchedule");
    CHECK(model::text_of(model::address_type::ipv4) == "IPv4");
    CHECK(model::text_of(model::dns_policy::cluster_first_with_host_net) == "ClusterFirstWithHostNet");

    model::pod p;
    p.status.pod_ip = "127.0.0.1";
    p.status.pod_ips = {{"127.0.0.1"}};
    p.status.host_ip = "127.0.0.2";
    p.spec.host_pid = true;
    p.spec.volumes = {model::volume{.name = "v", .downward_api = model::downward_api_volume_source{}}};
    CHECK(model::encode(p) ==
        R"({"apiVersion":"v1","kind":"Pod","spec":{"containers":[],"volumes":[{"name":"v","downwardAPI":{}}],"hostPID":true},)"
        R"("status":{"phase":"Pending","hostIP":"127.0.0.2","podIP":"127.0.0.1","podIPs":[{"ip":"127.0.0.1"}]}})");
}

TEST_CASE("model: text is always JSON, whatever bytes an object holds")
{
    model::config_map map;
    map.data["a"] = "ok \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 bad \xFF \xC0\x80 \xED\xA0\x80 \xC3";
    auto const back = model::decode_text<model::config_map>(model::encode(map));
    REQUIRE(back);
    CHECK(back->data.at("a").starts_with("ok \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 bad \xEF\xBF\xBD "));
}

TEST_CASE("model: a secret's bytes are base64 and nothing else is")
{
    struct row {
        std::string text;
        char const* expected;  ///< null: refused
    };
    for (auto const& r : {row{"", ""}, row{"aGk=", "hi"}, row{"aGkh", "hi!"}, row{"aA==", "h"},
             row{"aGk", nullptr}, row{"aGl=", nullptr}, row{"a===", nullptr}, row{"aG k", nullptr},
             row{"aA==aGkh", nullptr}, row{"====", nullptr}}) {
        CAPTURE(r.text);
        model::bytes out;
        bool const ok = from_text(r.text, out);
        REQUIRE(ok == (r.expected != nullptr));
        if (ok) {
            CHECK(out.value == r.expected);
            CHECK(to_text(out) == r.text);
        }
    }
}

TEST_CASE("model: errors name fields and never hold a secret")
{
    for (std::string_view const text : {R"({"data":{"password":"hunter2"}})",
             R"({"data":{"password":["hunter2"]}})", R"({"type":{"a":"hunter2"}})",
             R"({"stringData":{"a":{"b":"hunter2"}}})", R"({"immutable":"hunter2"})"}) {
        auto const decoded = model::decode_text<model::secret>(text);
        REQUIRE(!decoded);
        CHECK(decoded.error().text().find("hunter") == std::string::npos);
    }
}

TEST_CASE("model: a document that is wrong everywhere has a bounded number of errors")
{
    std::string text = R"({"data":{)";
    for (int i = 0; i < 5000; ++i)
        text += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":1";
    auto const decoded = model::decode_text<model::config_map>(text + "}}");
    REQUIRE(!decoded);
    CHECK(decoded.error().further.size() == 99);
}

TEST_SUITE("property")
{
    TEST_CASE("model: every object of every kind comes back from its JSON")
    {
        for (std::uint64_t seed = 1; seed <= 60; ++seed) {
            CAPTURE(seed);
            [seed]<class... K>(model::kind_list<K...>) { (check_round_trips<K>(seed), ...); }(
                model::shipped_kinds{});
        }
    }
}
