#include <podium/model.hpp>
#include <podium/yaml.hpp>

#include <doctest/doctest.h>
#include <string>
#include <string_view>

namespace model = podium::model;
namespace yaml = podium::yaml;
using podium::errc;

namespace {

model::scheme const& kinds()
{
    static auto const all = model::default_scheme();
    return all;
}

constexpr std::string_view shop = R"(# The shop.
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: &web {app: web}
  ports:
  - {port: 80, targetPort: http}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 2
  selector:
    matchLabels: &labels
      app: web
  template:
    metadata:
      labels:
        <<: *labels
        tier: front
    spec:
      containers:
      - name: web
        image: shop/web:1.2
        ports: [{name: http, containerPort: 8080}]
        resources: {requests: {cpu: 0.5, memory: 64Mi}}
        readinessProbe: {httpGet: {port: http}}
)";

}  // namespace

TEST_CASE("yaml: a file's objects are decoded, completed and valid")
{
    auto const read = yaml::read_manifests(shop, "shop.yaml", kinds());
    REQUIRE_MESSAGE(read, (read ? "" : read.error().text()));
    REQUIRE(read->size() == 2);
    auto const service = (*read)[0].object.as<model::service>();
    REQUIRE(service);
    CHECK(service->metadata.namespace_ == "default");
    CHECK(service->spec.ports[0].target_port == model::int_or_string("http"));
    auto const web = (*read)[1].object.as<model::deployment>();
    REQUIRE(web);
    CHECK(web->metadata.namespace_ == "shop");
    CHECK(web->spec.template_.metadata.labels.at("app") == "web");
    CHECK(web->spec.template_.spec.containers[0].resources.requests.at("cpu").milli_value() == 500);
    CHECK(web->spec.strategy.rolling_update.has_value());
    CHECK((*read)[1].document == 2);
    CHECK((*read)[1].line == 11);
    CHECK(!(*read)[1].written["spec"].contains("strategy"));
}

TEST_CASE("yaml: JSON goes the same way, and Lists are opened")
{
    auto const read = yaml::read_manifests(
        R"({"apiVersion":"v1","kind":"List","items":[
            {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}},
            {"apiVersion":"v1","kind":"Namespace","metadata":{"name":"b"}}]})",
        "all.json", kinds(), "shop");
    REQUIRE_MESSAGE(read, (read ? "" : read.error().text()));
    REQUIRE(read->size() == 2);
    CHECK((*read)[0].object.namespace_() == "shop");
    CHECK((*read)[1].object.as<model::namespace_>());
    CHECK(yaml::read_manifests("", "empty.yaml", kinds())->empty());
}

TEST_CASE("yaml: every error names file, document, line, field and expectation")
{
    struct row {
        std::string name;
        std::string text;
        std::string expected;
    };
    for (auto const& r : {
             row{"not YAML", "a: [", "f.yaml, document 1, line 1: not YAML: end of sequence flow not found"},
             row{"a key given twice", "kind: A\nkind: B\n",
                 "f.yaml, document 1, line 2: this key is given twice (kind)"},
             row{"no object", "- a\n",
                 "f.yaml, document 1, line 1: expected an object with apiVersion and kind"},
             row{"no such kind", "---\napiVersion: v1\nkind: Unicorn\n",
                 "f.yaml, document 1, line 3: kind: no such kind here"},
             row{"a wrong type, deep",
                 "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n  - port: 80\n  - "
                 "name: b\n    port: high\n",
                 "f.yaml, document 1, line 8: spec.ports[1].port: expected an integer, found a string"},
             row{"required: the line of what it is missing from",
                 "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n  - name: b\n",
                 "f.yaml, document 1, line 6: spec.ports[0].port: required"},
             row{"invalid, in a List",
                 "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    "
                 "name: B\n",
                 "f.yaml, document 1, line 7: items[0].metadata.name: must be lower case letters, digits, "
                 "'-' and '.', and each part between dots must begin and end with a letter or digit "
                 "(web.example.com)"},
             row{"two documents, two errors",
                 "apiVersion: v1\nkind: Node\n---\napiVersion: v1\nkind: Namespace\n",
                 "f.yaml, document 1, line 1: metadata.name: required\nf.yaml, document 2, line 4: "
                 "metadata.name: required"},
             row{"a List without items", "apiVersion: v1\nkind: List\n",
                 "f.yaml, document 1, line 1: items: expected a list"},
         }) {
        CAPTURE(r.name);
        auto const read = yaml::read_manifests(r.text, "f.yaml", kinds());
        REQUIRE(!read);
        CHECK(read.error().text() == r.expected);
        CHECK(read.error().path.empty());
    }
}

TEST_CASE("yaml: a failing manifest keeps its secrets")
{
    for (std::string_view const text : {
             "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: hunter2}\n",
             "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: [hunter2]}\n",
             "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: \"hunter2\n",
             "apiVersion: v1\nkind: Secret\nmetadata: {name: S}\nstringData: {password: hunter2}\n",
             "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: !x hunter2}\n",
             "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"stringData\":{\"password\":\"hunter2}}",
         }) {
        CAPTURE(text.size());
        auto const read = yaml::read_manifests(text, "f.yaml", kinds());
        REQUIRE(!read);
        CHECK(read.error().text().find("hunter") == std::string::npos);
    }
}
