#include <podium/model/defaults.hpp>

#include <doctest/doctest.h>
#include <string>

namespace model = podium::model;

TEST_CASE("model: a pull policy follows the image's tag")
{
    struct row {
        std::string image;
        model::pull_policy expected;
    };
    for (auto const& r : {
             row{"web", model::pull_policy::always},
             row{"web:latest", model::pull_policy::always},
             row{"web:1.2", model::pull_policy::if_not_present},
             row{"host:5000/web", model::pull_policy::always},
             row{"host:5000/web:1", model::pull_policy::if_not_present},
             row{"web:latest@sha256:0000", model::pull_policy::if_not_present},
         }) {
        CAPTURE(r.image);
        model::pod p;
        p.spec.containers = {model::container{.name = "c", .image = r.image}};
        set_defaults(p);
        CHECK(p.spec.containers[0].image_pull_policy == r.expected);
    }
    model::pod p;
    p.spec.containers = {
        model::container{.name = "c", .image = "web", .image_pull_policy = model::pull_policy::never}};
    set_defaults(p);
    CHECK(p.spec.containers[0].image_pull_policy == model::pull_policy::never);
}

TEST_CASE("model: what a pod's own labels select becomes part of the selector, once, and the rest is shared")
{
    using op = model::label_selector_operator;
    model::pod_affinity_term term;
    term.topology_key = "zone";
    term.label_selector = model::label_selector{{{"app", "web"}}, {}};
    term.match_label_keys = {"version", "absent"};
    term.mismatch_label_keys = {"tenant"};
    model::topology_spread_constraint even;
    even.max_skew = 1;
    even.topology_key = "zone";
    even.label_selector = model::label_selector{};
    even.match_label_keys = {"version"};
    model::pod p;
    p.metadata.labels = {{"app", "web"}, {"version", "2"}, {"tenant", "a"}};
    p.spec.affinity.edit().pod_anti_affinity.edit().required_during_scheduling_ignored_during_execution = {
        term};
    p.spec.topology_spread_constraints = {even};
    auto const written = p;
    set_defaults(p);
    auto const& merged =
        p.spec.affinity->pod_anti_affinity->required_during_scheduling_ignored_during_execution[0];
    CHECK(*merged.label_selector ==
        model::label_selector{{{"app", "web"}}, {{"version", op::in, {"2"}}, {"tenant", op::not_in, {"a"}}}});
    CHECK(*p.spec.topology_spread_constraints[0].label_selector ==
        model::label_selector{{}, {{"version", op::in, {"2"}}}});
    CHECK(written.spec.topology_spread_constraints[0].label_selector->match_expressions.empty());

    auto again = p;
    set_defaults(again);
    CHECK(again == p);
    CHECK(again.spec.affinity.same_as(p.spec.affinity));
    again.metadata.labels["version"] = "3";  // what was merged when it was made holds
    set_defaults(again);
    CHECK(again.spec == p.spec);

    p.spec.affinity.edit().pod_anti_affinity.edit().required_during_scheduling_ignored_during_execution = {
        {}};
    p.spec.topology_spread_constraints = {};
    auto const plain = p;
    set_defaults(p);
    CHECK(p.spec.affinity.same_as(plain.spec.affinity));
}

TEST_CASE("model: zeros in a probe mean the default, and a path is /")
{
    model::pod p;
    model::container c{.name = "c", .image = "web:1"};
    c.liveness_probe = model::probe{.http_get = model::http_get_action{.port = 80},
        .timeout_seconds = 0,
        .period_seconds = 0,
        .success_threshold = 0,
        .failure_threshold = 0};
    p.spec.containers = {c};
    set_defaults(p);
    CHECK(*p.spec.containers[0].liveness_probe ==
        model::probe{.http_get = model::http_get_action{.path = "/", .port = 80}});
}

TEST_CASE("model: what is limited is requested")
{
    model::pod p;
    model::container c{.name = "c"};
    c.resources.limits = {
        {"cpu", podium::quantity::from_integer(2)}, {"memory", podium::quantity::from_integer(1000)}};
    c.resources.requests = {{"cpu", podium::quantity::from_integer(1)}};
    p.spec.containers = {c};
    set_defaults(p);
    auto const& requests = p.spec.containers[0].resources.requests;
    CHECK(requests.at("cpu").value() == 1);
    CHECK(requests.at("memory").value() == 1000);
}

TEST_CASE("model: defaults that change nothing leave shared lists shared")
{
    model::pod a;
    a.spec.containers = {model::container{.name = "c", .image = "web:1"}};
    set_defaults(a);
    auto b = a;
    set_defaults(b);
    CHECK(b == a);
    CHECK(b.spec.containers.same_as(a.spec.containers));
}

TEST_CASE("model: a deployment rolls by a quarter, unless it recreates")
{
    model::deployment d;
    set_defaults(d);
    REQUIRE(d.spec.strategy.rolling_update);
    CHECK(d.spec.strategy.rolling_update->max_surge == podium::int_or_percent::percent(25));
    CHECK(d.spec.strategy.rolling_update->max_unavailable == podium::int_or_percent::percent(25));
    CHECK(d.spec.replicas == 1);
    CHECK(d.spec.revision_history_limit == 10);
    CHECK(d.spec.progress_deadline_seconds == 600);

    model::deployment r;
    r.spec.strategy.type = model::deployment_strategy_type::recreate;
    set_defaults(r);
    CHECK(!r.spec.strategy.rolling_update);
}

TEST_CASE("model: a service's port is its target, and an affinity to clients lasts three hours")
{
    model::service s;
    s.spec.ports = {{.port = 80}, {.port = 81, .target_port = "http"}};
    s.spec.session_affinity = model::session_affinity::client_ip;
    set_defaults(s);
    CHECK(s.spec.ports[0].target_port == model::int_or_string(80));
    CHECK(s.spec.ports[1].target_port == model::int_or_string("http"));
    CHECK(s.spec.session_affinity_config->client_ip->timeout_seconds == 10800);
}

TEST_CASE("model: a secret's stringData becomes data and wins")
{
    model::secret s;
    s.data = {{"a", {"old"}}, {"b", {"kept"}}};
    s.string_data = {{"a", "new"}};
    set_defaults(s);
    CHECK(s.data.at("a").value == "new");
    CHECK(s.data.at("b").value == "kept");
    CHECK(s.string_data.empty());
}

TEST_CASE("model: an autoscaler goes by 80 % of the cpu, and a behavior with any part gets the rest")
{
    model::horizontal_pod_autoscaler a;
    set_defaults(a);
    CHECK(a.spec.min_replicas == 1);
    REQUIRE(a.spec.metrics.size() == 1);
    CHECK(a.spec.metrics[0].resource->name == "cpu");
    CHECK(a.spec.metrics[0].resource->target.average_utilization == 80);
    CHECK_FALSE(a.spec.behavior);

    a.spec.behavior.edit().scale_down.emplace().select_policy = model::scaling_policy_select::disabled;
    set_defaults(a);
    auto const& up = *a.spec.behavior->scale_up;
    auto const& down = *a.spec.behavior->scale_down;
    CHECK(up.stabilization_window_seconds == 0);
    CHECK(up.select_policy == model::scaling_policy_select::max);
    CHECK(up.policies ==
        std::vector<model::hpa_scaling_policy>{{model::hpa_scaling_policy_type::pods, 4, 15},
            {model::hpa_scaling_policy_type::percent, 100, 15}});
    CHECK_FALSE(down.stabilization_window_seconds);  // the controller's five minutes
    CHECK(down.select_policy == model::scaling_policy_select::disabled);
    CHECK(down.policies ==
        std::vector<model::hpa_scaling_policy>{{model::hpa_scaling_policy_type::percent, 100, 15}});
}
