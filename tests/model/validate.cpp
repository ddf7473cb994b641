#include <podium/model.hpp>

#include <doctest/doctest.h>
#include <string>
#include <string_view>

namespace model = podium::model;
using model::json;

namespace {

/// A valid object of each kind, to break.
json valid(std::string_view kind)
{
    auto const text = [&]() -> std::string_view {
        if (kind == "Pod")
            return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{
                "volumes":[{"name":"v","emptyDir":{}}],
                "initContainers":[{"name":"i","image":"x:1"}],
                "containers":[{"name":"c","image":"x:1","ports":[{"name":"http","containerPort":80}],
                    "env":[{"name":"A","value":"1"},{"name":"B","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}],
                    "resources":{"limits":{"cpu":"1"},"requests":{"cpu":"500m"}},
                    "volumeMounts":[{"name":"v","mountPath":"/data"}],
                    "readinessProbe":{"httpGet":{"port":"http"}}, "lifecycle":{"preStop":{"sleep":{"seconds":5}}}}],
                "affinity":{"podAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,
                        "podAffinityTerm":{"topologyKey":"zone","namespaces":["default"],"labelSelector":{}}}]},
                    "podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"kubernetes.io/hostname",
                        "labelSelector":{"matchLabels":{"app":"p"}},"matchLabelKeys":["v"],"mismatchLabelKeys":["w"]}]}},
                "topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule",
                    "minDomains":2,"labelSelector":{"matchLabels":{"app":"p"}},"matchLabelKeys":["v"]}],
                "schedulingGates":[{"name":"example.com/quota"}],"overhead":{"cpu":"10m"}}})";
        if (kind == "Deployment")
            return R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{
                "selector":{"matchLabels":{"app":"d"}},
                "template":{"metadata":{"labels":{"app":"d"}},"spec":{"containers":[{"name":"c","image":"x:1"}]}}}})";
        if (kind == "Rollout")
            return R"({"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout","metadata":{"name":"r"},"spec":{
                "selector":{"matchLabels":{"app":"r"}},
                "template":{"metadata":{"labels":{"app":"r"}},"spec":{"containers":[{"name":"c","image":"x:1"}]}},
                "strategy":{"canary":{"stableService":"web","canaryService":"preview","trafficRouting":{"podium":{}},
                    "steps":[{"setWeight":10},{"pause":{"duration":"1m"}},{"setWeight":50},
                        {"analysis":{"templates":[{"templateName":"t"}]}},{"setCanaryScale":{"replicas":2}}]}}}})";
        if (kind == "HorizontalPodAutoscaler")
            return R"({"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"a"},"spec":{
                "scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},
                "minReplicas":2,"maxReplicas":10,
                "metrics":[{"type":"Resource","resource":{"name":"cpu",
                        "target":{"type":"Utilization","averageUtilization":60}}},
                    {"type":"Pods","pods":{"metric":{"name":"in_flight"},
                        "target":{"type":"AverageValue","averageValue":"10"}}},
                    {"type":"External","external":{"metric":{"name":"queue","selector":{"matchLabels":{"a":"b"}}},
                        "target":{"type":"Value","value":"30"},
                        "prometheus":{"address":"http://127.0.0.1:9090","query":"queue_length"}}}],
                "behavior":{"scaleDown":{"stabilizationWindowSeconds":60,"tolerance":"0.05",
                    "policies":[{"type":"Pods","value":1,"periodSeconds":60}]}}}})";
        if (kind == "AnalysisTemplate")
            return R"({"apiVersion":"argoproj.io/v1alpha1","kind":"AnalysisTemplate","metadata":{"name":"t"},"spec":{
                "metrics":[{"name":"a","interval":"5s","provider":{"podium":{"measure":"conversions"}}},
                    {"name":"b","successCondition":"result >= 0.9","provider":{"web":{"url":"http://web/"}}}]}})";
        if (kind == "StatefulSet")
            return R"({"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"db"},"spec":{
                "serviceName":"db","selector":{"matchLabels":{"app":"d"}},"podManagementPolicy":"Parallel",
                "updateStrategy":{"rollingUpdate":{"partition":1}},"ordinals":{"start":1},
                "persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Retain"},
                "volumeClaimTemplates":[{"metadata":{"name":"data"},
                    "spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}],
                "template":{"metadata":{"labels":{"app":"d"}},"spec":{"containers":[
                    {"name":"c","image":"x:1","volumeMounts":[{"name":"data","mountPath":"/data"}]}]}}}})";
        if (kind == "PersistentVolumeClaim")
            return R"({"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"c"},"spec":{
                "accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}},
                "storageClassName":"standard","volumeMode":"Filesystem"}})";
        if (kind == "PodDisruptionBudget")
            return R"({"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"b"},"spec":{
                "minAvailable":"50%","selector":{"matchLabels":{"app":"d"}},"unhealthyPodEvictionPolicy":"AlwaysAllow"}})";
        if (kind == "Service")
            return R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},"spec":{"ports":[{"port":80}]}})";
        if (kind == "ConfigMap")
            return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"b"}})";
        return R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}})";
    }();
    return *model::parse_json(text);
}

model::scheme const& kinds()
{
    static auto const all = model::default_scheme();
    return all;
}

std::string problems(json const& value)
{
    auto const read = kinds().read(value);
    return read ? "" : read.error().text();
}

}  // namespace

TEST_CASE("model: what validation starts from is valid")
{
    for (std::string_view const kind :
        {"Pod", "Deployment", "Rollout", "AnalysisTemplate", "Service", "ConfigMap", "Node", "StatefulSet",
            "PersistentVolumeClaim", "PodDisruptionBudget", "HorizontalPodAutoscaler"})
        CHECK(problems(valid(kind)) == "");
}

TEST_CASE("model: each broken rule is one error at its field")
{
    struct row {
        std::string kind;
        std::string at;     ///< JSON pointer
        std::string value;  ///< JSON; empty: erased
        std::string expected;
    };
    for (auto const& r :
        {
            row{"Pod", "/metadata/name", "", "metadata.name: required"},
            row{"Pod", "/metadata/name", R"("Web")",
                "metadata.name: must be lower case letters, digits, '-' and '.', and each part between dots "
                "must begin and end with a letter or digit (web.example.com)"},
            row{"Pod", "/metadata/labels", R"({"a":"-"})",
                "metadata.labels.a: must be empty, or letters, digits, '-', '_' and '.' that begin and end "
                "with a letter or digit (my-value)"},
            row{"Pod", "/metadata/ownerReferences",
                R"([{"apiVersion":"v1","kind":"A","name":"a","uid":"1","controller":true},{"apiVersion":"v1","kind":"A","name":"b","uid":"2","controller":true}])",
                "metadata.ownerReferences[1].controller: only one owner may be the controller"},
            row{"Pod", "/spec/containers", "[]", "spec.containers: required"},
            row{"Pod",
                "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/topologyKey",
                R"("")",
                "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey:"
                " "
                "required"},
            row{"Pod",
                "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/"
                "mismatchLabelKeys/0",
                R"("v")",
                "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]."
                "matchLabelKeys[0]: must not be in mismatchLabelKeys too"},
            row{"Pod", "/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/weight",
                "101",
                "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: must "
                "be "
                "from 1 to 100"},
            row{"Pod",
                "/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/"
                "podAffinityTerm/"
                "namespaces/0",
                R"("A")",
                "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]."
                "podAffinityTerm."
                "namespaces[0]: must be lower case letters, digits and '-', and begin and end with a letter "
                "or digit (web-1)"},
            row{"Pod", "/spec/topologySpreadConstraints/0/maxSkew", "0",
                "spec.topologySpreadConstraints[0].maxSkew: must be at least 1"},
            row{"Pod", "/spec/topologySpreadConstraints/0/minDomains", "0",
                "spec.topologySpreadConstraints[0].minDomains: must be at least 1"},
            row{"Pod", "/spec/topologySpreadConstraints/0/whenUnsatisfiable", R"("ScheduleAnyway")",
                "spec.topologySpreadConstraints[0].minDomains: only with whenUnsatisfiable DoNotSchedule"},
            row{"Pod", "/spec/topologySpreadConstraints/0/labelSelector", "",
                "spec.topologySpreadConstraints[0].matchLabelKeys: must not be given without labelSelector"},
            row{"Pod", "/spec/topologySpreadConstraints/0/labelSelector/matchExpressions",
                R"([{"key":"v","operator":"Exists"},{"key":"v","operator":"NotIn","values":["1"]}])",
                "spec.topologySpreadConstraints[0].matchLabelKeys[0]: must not be in labelSelector too"},
            row{"Pod", "/spec/topologySpreadConstraints/-",
                R"({"maxSkew":2,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule"})",
                "spec.topologySpreadConstraints[1]: must be unique, this one is given twice"},
            row{"Pod", "/spec/schedulingGates/0/name", R"("-")",
                "spec.schedulingGates[0].name: must be letters, digits, '-', '_' and '.', begin and end with "
                "a "
                "letter or digit, and may have a DNS subdomain and '/' before it (example.com/my-name)"},
            row{"Pod", "/spec/schedulingGates/-", R"({"name":"example.com/quota"})",
                "spec.schedulingGates[1].name: must be unique, this one is given twice"},
            row{"Pod", "/spec/nodeName", R"("n")",
                "spec.nodeName: must be empty as long as there are schedulingGates"},
            row{"Pod", "/spec/overhead/cpu", R"("-1")", "spec.overhead.cpu: must not be negative"},
            row{"Pod", "/spec/containers/0/image", "", "spec.containers[0].image: required"},
            row{"Pod", "/spec/containers/0/name", R"("i")",
                "spec.containers[0].name: must be unique, this one is given twice"},
            row{"Pod", "/spec/containers/0/ports/0/containerPort", "0",
                "spec.containers[0].ports[0].containerPort: must be from 1 to 65535"},
            row{"Pod", "/spec/containers/0/ports/0/containerPort", "65536",
                "spec.containers[0].ports[0].containerPort: must be from 1 to 65535"},
            row{"Pod", "/spec/containers/0/ports/-", R"({"name":"http","containerPort":81})",
                "spec.containers[0].ports[1].name: must be unique, this one is given twice"},
            row{"Pod", "/spec/containers/0/env/-", R"({"name":"A"})",
                "spec.containers[0].env[2].name: must be unique, this one is given twice"},
            row{"Pod", "/spec/containers/0/env/1/value", R"("x")",
                "spec.containers[0].env[1].valueFrom: must not be given beside value"},
            row{"Pod", "/spec/containers/0/env/1/valueFrom", "{}",
                "spec.containers[0].env[1].valueFrom: expected one of fieldRef, resourceFieldRef, "
                "configMapKeyRef, secretKeyRef"},
            row{"Pod", "/spec/containers/0/env/1/valueFrom/fieldRef/fieldPath", R"("spec.secret")",
                "spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: expected a field such as "
                "metadata.name, metadata.labels['key'], spec.nodeName or status.podIP"},
            row{"Pod", "/spec/containers/0/resources/requests/cpu", R"("2")",
                "spec.containers[0].resources.requests.cpu: must not be more than the limit"},
            row{"Pod", "/spec/containers/0/resources/requests/memory", R"("-1")",
                "spec.containers[0].resources.requests.memory: must not be negative"},
            row{"Pod", "/spec/containers/0/volumeMounts/0/name", R"("w")",
                "spec.containers[0].volumeMounts[0].name: no such volume in spec.volumes"},
            row{"Pod", "/spec/containers/0/volumeMounts/0/subPath", R"("a/../../b")",
                "spec.containers[0].volumeMounts[0].subPath: must be a relative path without '..'"},
            row{"Pod", "/spec/containers/0/readinessProbe/periodSeconds", "-1",
                "spec.containers[0].readinessProbe.periodSeconds: must be at least 1"},
            row{"Pod", "/spec/containers/0/readinessProbe/tcpSocket", R"({"port":1})",
                "spec.containers[0].readinessProbe: expected one of httpGet, tcpSocket, exec"},
            row{"Pod", "/spec/containers/0/livenessProbe",
                R"({"exec":{"command":["a"]},"successThreshold":2})",
                "spec.containers[0].livenessProbe.successThreshold: must be 1 for liveness and startup"},
            row{"Pod", "/spec/containers/0/lifecycle/preStop/sleep/seconds", "31",
                "spec.containers[0].lifecycle.preStop.sleep.seconds: must be from 0 to "
                "terminationGracePeriodSeconds"},
            row{"Pod", "/spec/containers/0/restartPolicy", R"("Always")",
                "spec.containers[0].restartPolicy: only for init containers"},
            row{"Pod", "/spec/initContainers/0/restartPolicy", R"("Never")",
                "spec.initContainers[0].restartPolicy: expected \"Always\" (a sidecar) or nothing"},
            row{"Pod", "/spec/volumes/0/hostPath", R"({"path":"/a"})",
                "spec.volumes[0]: expected one of emptyDir, hostPath, configMap, secret, downwardAPI, "
                "persistentVolumeClaim"},
            row{"Pod", "/spec/terminationGracePeriodSeconds", "-1",
                "spec.terminationGracePeriodSeconds: must be at least "
                "0\nspec.containers[0].lifecycle.preStop.sleep.seconds: must be from 0 to "
                "terminationGracePeriodSeconds"},
            row{"Pod", "/spec/tolerations", R"([{"value":"x"}])",
                "spec.tolerations[0].operator: must be Exists when there is no key"},
            row{"Pod", "/spec/affinity",
                R"({"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"Gt","values":["x"]}]}]}}})",
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms["
                "0].matchExpressions[0].values: expected one integer"},
            row{"Deployment", "/spec/replicas", "-1", "spec.replicas: must be at least 0"},
            row{"Deployment", "/spec/selector", "{}",
                "spec.selector: must not be empty, it would select every pod"},
            row{"Deployment", "/spec/selector/matchLabels/app", R"("e")",
                "spec.template.metadata.labels: must be matched by spec.selector"},
            row{"Deployment", "/spec/selector/matchExpressions", R"([{"key":"tier","operator":"Exists"}])",
                "spec.template.metadata.labels: must be matched by spec.selector"},
            row{"Deployment", "/spec/template/spec/restartPolicy", R"("Never")",
                "spec.template.spec.restartPolicy: must be \"Always\" here"},
            row{"Deployment", "/spec/strategy", R"({"rollingUpdate":{"maxSurge":0,"maxUnavailable":"0%"}})",
                "spec.strategy.rollingUpdate.maxUnavailable: must not be 0 when maxSurge is 0: nothing could "
                "ever change"},
            row{"Deployment", "/spec/strategy", R"({"rollingUpdate":{"maxUnavailable":"101%"}})",
                "spec.strategy.rollingUpdate.maxUnavailable: must be no more than 100%"},
            row{"Deployment", "/spec/strategy", R"({"rollingUpdate":{"maxSurge":-1}})",
                "spec.strategy.rollingUpdate.maxSurge: must be at least 0"},
            row{"Deployment", "/spec/strategy", R"({"type":"Recreate","rollingUpdate":{}})",
                "spec.strategy.rollingUpdate: must not be given with type Recreate"},
            row{"Deployment", "/spec/progressDeadlineSeconds", "0",
                "spec.progressDeadlineSeconds: must be more than minReadySeconds"},
            row{"PodDisruptionBudget", "/spec/maxUnavailable", "1",
                "spec: minAvailable and maxUnavailable cannot be both set"},
            row{"PodDisruptionBudget", "/spec/minAvailable", "-1", "spec.minAvailable: must be at least 0"},
            row{"PodDisruptionBudget", "/spec/minAvailable", R"("101%")",
                "spec.minAvailable: must be no more than 100%"},
            row{"PodDisruptionBudget", "/spec/minAvailable", R"("half")",
                "spec.minAvailable: expected an integer, or a percentage such as 25%"},
            row{"PodDisruptionBudget", "/spec/selector", R"({"matchLabels":{"a":"-"}})",
                "spec.selector.matchLabels.a: must be empty, or letters, digits, '-', '_' and '.' that begin "
                "and end "
                "with a letter or digit (my-value)"},
            row{"PodDisruptionBudget", "/spec/unhealthyPodEvictionPolicy", R"("Never")",
                "spec.unhealthyPodEvictionPolicy: expected one of \"IfHealthyBudget\", \"AlwaysAllow\""},
            row{"StatefulSet", "/spec/replicas", "-1", "spec.replicas: must be at least 0"},
            row{"StatefulSet", "/metadata/name", R"("d.b")",
                "metadata.name: must be lower case letters, digits and '-', and begin and end with a letter "
                "or digit (web-1)"},
            row{"StatefulSet", "/spec/ordinals/start", "-1", "spec.ordinals.start: must be at least 0"},
            row{"StatefulSet", "/spec/updateStrategy/rollingUpdate/partition", "-1",
                "spec.updateStrategy.rollingUpdate.partition: must be at least 0"},
            row{"StatefulSet", "/spec/updateStrategy/rollingUpdate/maxUnavailable", "0",
                "spec.updateStrategy.rollingUpdate.maxUnavailable: must be at least 1"},
            row{"StatefulSet", "/spec/updateStrategy/type", R"("OnDelete")",
                "spec.updateStrategy.rollingUpdate: must not be given with type OnDelete"},
            row{"StatefulSet", "/spec/volumeClaimTemplates/0/metadata/name", R"("other")",
                "spec.template.spec.containers[0].volumeMounts[0].name: no such volume in spec.volumes"},
            row{"StatefulSet", "/spec/volumeClaimTemplates/-",
                R"({"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1"}}}})",
                "spec.volumeClaimTemplates[1].metadata.name: must be unique, this one is given twice"},
            row{"StatefulSet", "/spec/volumeClaimTemplates/0/spec/accessModes", "[]",
                "spec.volumeClaimTemplates[0].spec.accessModes: required"},
            row{"StatefulSet", "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted", R"("Delete")",
                "spec.persistentVolumeClaimRetentionPolicy.whenDeleted: must be \"Retain\": claims are "
                "deleted "
                "by people here"},
            row{"PersistentVolumeClaim", "/spec/resources/requests", "{}",
                "spec.resources.requests.storage: required"},
            row{"PersistentVolumeClaim", "/spec/resources/requests/storage", R"("0")",
                "spec.resources.requests.storage: must be more than zero"},
            row{"PersistentVolumeClaim", "/spec/resources/limits", R"({"storage":"2Gi"})",
                "spec.resources.limits: nothing is measured or limited: leave it out"},
            row{"PersistentVolumeClaim", "/spec/volumeMode", R"("Block")",
                "spec.volumeMode: must be \"Filesystem\", it is a directory"},
            row{"PersistentVolumeClaim", "/spec/volumeName", R"("pv-1")",
                "spec.volumeName: there are no PersistentVolumes to choose from"},
            row{"PersistentVolumeClaim", "/spec/accessModes/0", R"("ReadWriteOncePod")",
                "spec.accessModes[0]: nobody keeps other pods away here: ReadWriteOnce, of one node, is what "
                "can be had"},
            row{"PersistentVolumeClaim", "/spec/dataSource", R"({"name":"x"})",
                "spec.dataSource: unknown field"},
            row{"Rollout", "/spec/strategy", "{}", "spec.strategy: expected one of blueGreen and canary"},
            row{"Rollout", "/spec/strategy/canary/steps/2/setWeight", "101",
                "spec.strategy.canary.steps[2].setWeight: must be from 0 to 100"},
            row{"Rollout", "/spec/strategy/canary/steps/2/setWeight", "5",
                "spec.strategy.canary.steps[2].setWeight: must not be less than in a step before: an abort "
                "goes back, "
                "steps go on"},
            row{"Rollout", "/spec/strategy/canary/steps/1/pause/duration", R"("soon")",
                "spec.strategy.canary.steps[1].pause.duration: expected a duration such as \"90s\", \"5m\" "
                "or "
                "\"1h30m\", or seconds"},
            row{"Rollout", "/spec/strategy/canary/steps/1", "{}",
                "spec.strategy.canary.steps[1]: expected one of setWeight, pause, setCanaryScale and "
                "analysis"},
            row{"Rollout", "/spec/strategy/canary/canaryService", R"("web")",
                "spec.strategy.canary.canaryService: must be another one: it would lead to both versions"},
            row{"Rollout", "/spec/strategy/canary/stableService", "",
                "spec.strategy.canary.stableService: required"},
            row{"Rollout", "/spec/strategy/canary/dynamicStableScale", "1",
                "spec.strategy.canary.dynamicStableScale: expected true or false, found an integer"},
            row{"Rollout", "/spec/strategy",
                R"({"blueGreen":{"activeService":"web","previewService":"web"}})",
                "spec.strategy.blueGreen.previewService: must be another one: it would lead to both colours"},
            row{"Rollout", "/spec/strategy/canary/trafficRouting/podium",
                R"({"sticky":{"cookie":"my cookie"}})",
                "spec.strategy.canary.trafficRouting.podium.sticky.cookie: must be letters, digits and "
                "!#$%&'*+-.^_`|~ (X-Visitor)"},
            row{"Rollout", "/spec/strategy/canary/trafficRouting/podium", R"({"conversionHeader":"a:b"})",
                "spec.strategy.canary.trafficRouting.podium.conversionHeader: must be letters, digits and "
                "!#$%&'*+-.^_`|~ (X-Visitor)"},
            row{"Rollout", "/spec/strategy/canary/steps/1/pause/duration", R"("0s")",
                "spec.strategy.canary.steps[1].pause.duration: must be longer than 0"},
            row{"Rollout", "/spec/strategy/canary/steps/1/pause/duration", "-1",
                "spec.strategy.canary.steps[1].pause.duration: must be at least 1"},
            row{"Rollout", "/metadata/annotations", R"({"podium.dev/restart-on-config-change":"yes"})",
                "metadata.annotations[podium.dev/restart-on-config-change]: must be \"true\" or \"false\""},
            row{"Deployment", "/metadata/annotations", R"({"podium.dev/restart-on-config-change":"True"})",
                "metadata.annotations[podium.dev/restart-on-config-change]: must be \"true\" or \"false\""},
            row{"StatefulSet", "/metadata/annotations", R"({"podium.dev/restart-on-config-change":""})",
                "metadata.annotations[podium.dev/restart-on-config-change]: must be \"true\" or \"false\""},
            row{"Rollout", "/spec/restartAt", R"("now")", "spec.restartAt: unknown field"},
            row{"HorizontalPodAutoscaler", "/spec/minReplicas", "11",
                "spec.maxReplicas: must not be less than minReplicas"},
            row{"HorizontalPodAutoscaler", "/spec/maxReplicas", "0",
                "spec.maxReplicas: must be at least 1\nspec.maxReplicas: must not be less than minReplicas"},
            row{"HorizontalPodAutoscaler", "/spec/minReplicas", "0", ""},
            row{"HorizontalPodAutoscaler", "/spec/scaleTargetRef/apiVersion", R"("v1")",
                "spec.scaleTargetRef.apiVersion: expected \"GROUP/VERSION\""},
            row{"HorizontalPodAutoscaler", "/spec/scaleTargetRef/name", R"("")",
                "spec.scaleTargetRef.name: required"},
            row{"HorizontalPodAutoscaler", "/spec/metrics/0/resource/target/averageUtilization", "0",
                "spec.metrics[0].resource.target.averageUtilization: must be more than 0"},
            row{"HorizontalPodAutoscaler", "/spec/metrics/0/resource/target/averageValue", R"("1")",
                "spec.metrics[0].resource.target.averageValue: must not be given, it is not the target's "
                "type"},
            row{"HorizontalPodAutoscaler", "/spec/metrics/0/resource/target/type", R"("Value")",
                "spec.metrics[0].resource.target.type: this kind of metric has no such target"},
            row{"HorizontalPodAutoscaler", "/spec/metrics/0/resource", "",
                "spec.metrics[0].resource: required"},
            row{"HorizontalPodAutoscaler", "/spec/metrics/1/pods/target/averageValue", R"("-1")",
                "spec.metrics[1].pods.target.averageValue: must be more than 0"},
            row{"HorizontalPodAutoscaler", "/spec/metrics/1/pods/metric/name", R"("a/b")",
                "spec.metrics[1].pods.metric.name: expected a metric's name"},
            row{"HorizontalPodAutoscaler", "/spec/metrics/2/type", R"("Object")",
                "spec.metrics[2].external: must not be given, it is not the metric's type\n"
                "spec.metrics[2].object: required"},
            row{"HorizontalPodAutoscaler", "/spec/metrics/2/external/prometheus/address", R"("ftp://x")",
                "spec.metrics[2].external.prometheus.address: expected http://HOST:PORT"},
            row{"HorizontalPodAutoscaler", "/spec",
                R"({"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},"minReplicas":0,"maxReplicas":1})",
                "spec.metrics: must have an Object or External metric where minReplicas is 0: nothing else "
                "would wake it"},
            row{"HorizontalPodAutoscaler", "/spec/season", "{}", ""},
            row{"HorizontalPodAutoscaler", "/spec/season",
                R"({"slots":1441,"maxPercent":99,"weightPercent":0})",
                "spec.season.slots: must be from 1 to 1440\nspec.season.maxPercent: must be from 100 to "
                "100000\n"
                "spec.season.weightPercent: must be from 1 to 100"},
            row{"HorizontalPodAutoscaler", "/spec/season", R"({"lengthSeconds":0})",
                "spec.season.lengthSeconds: must be from 1 to 31622400\n"
                "spec.season.leadSeconds: must be from 0 to 0"},
            row{"HorizontalPodAutoscaler", "/spec/season", R"({"lengthSeconds":60,"leadSeconds":61})",
                "spec.season.leadSeconds: must be from 0 to 60"},
            row{"HorizontalPodAutoscaler", "/spec/behavior/scaleDown/stabilizationWindowSeconds", "3601",
                "spec.behavior.scaleDown.stabilizationWindowSeconds: must be from 0 to 3600"},
            row{"HorizontalPodAutoscaler", "/spec/behavior/scaleDown/policies/0/periodSeconds", "1801",
                "spec.behavior.scaleDown.policies[0].periodSeconds: must be from 1 to 1800"},
            row{"HorizontalPodAutoscaler", "/spec/behavior/scaleDown/policies/0/value", "0",
                "spec.behavior.scaleDown.policies[0].value: must be at least 1"},
            row{"HorizontalPodAutoscaler", "/spec/behavior/scaleDown/tolerance", R"("-0.1")",
                "spec.behavior.scaleDown.tolerance: must not be negative"},
            row{"AnalysisTemplate", "/spec/metrics/0/provider/podium/alpha", "2",
                "spec.metrics[0].provider.podium.alpha: must be more than 0, and at most 0.5"},
            row{"AnalysisTemplate", "/spec/metrics/0/provider/podium/alpha", "0",
                "spec.metrics[0].provider.podium.alpha: must be more than 0, and at most 0.5"},
            row{"AnalysisTemplate", "/spec/metrics/0/provider/podium/alpha", "0.51",
                "spec.metrics[0].provider.podium.alpha: must be more than 0, and at most 0.5"},
            row{"AnalysisTemplate", "/spec/metrics/0/provider/podium/margin", "0",
                "spec.metrics[0].provider.podium.margin: must be more than 0 and less than 1"},
            row{"AnalysisTemplate", "/spec/metrics/0/provider/podium/effect", "1",
                "spec.metrics[0].provider.podium.effect: must be at least 0.000000001 and less than 1"},
            row{"AnalysisTemplate", "/spec/metrics/0/provider/podium/expected", "-0.1",
                "spec.metrics[0].provider.podium.expected: must be from 0 to 1"},
            row{"AnalysisTemplate", "/spec/metrics/0/provider/podium/question", R"("better")",
                "spec.metrics[0].provider.podium.effect: required when the question is better"},
            row{"AnalysisTemplate", "/spec/metrics/0/provider/podium/horizon", "10",
                "spec.metrics[0].provider.podium.horizon: must be at least minimum, and 1"},
            row{"AnalysisTemplate", "/spec/metrics/0/interval", R"("x")",
                "spec.metrics[0].interval: expected a duration such as \"90s\", \"5m\" or \"1h30m\", or "
                "seconds"},
            row{"AnalysisTemplate", "/spec/metrics/0/interval", R"("0s")",
                "spec.metrics[0].interval: must be longer than 0"},
            row{"AnalysisTemplate", "/spec/metrics/0/initialDelay", R"("-5s")",
                "spec.metrics[0].initialDelay: expected a duration such as \"90s\", \"5m\" or \"1h30m\", or "
                "seconds"},
            row{"AnalysisTemplate", "/spec/timeLimit", R"("0s")", "spec.timeLimit: must be longer than 0"},
            row{"AnalysisTemplate", "/spec/metrics/1/successCondition", R"("good")",
                "spec.metrics[1].successCondition: expected \"result >= 0.95\", with <, <=, ==, !=, >= or > "
                "and a number, joined by \"&&\""},
            row{"AnalysisTemplate", "/spec/metrics/1/failureCondition", R"("result < nan")",
                "spec.metrics[1].failureCondition: expected \"result >= 0.95\", with <, <=, ==, !=, >= or > "
                "and a number, joined by \"&&\""},
            row{"AnalysisTemplate", "/spec/metrics/0/failureCondition", R"("result < 1")",
                "spec.metrics[0].successCondition: means nothing for podium, whose question says what is "
                "good, nor does a failureCondition"},
            row{"AnalysisTemplate", "/spec/metrics/1",
                R"({"name":"b","provider":{"prometheus":{"address":"http://p/","query":"up"}}})",
                "spec.metrics[1].successCondition: required, or a failureCondition"},
            row{"AnalysisTemplate", "/spec/metrics/1/provider", "{}",
                "spec.metrics[1].provider: expected one of podium, prometheus, web, job and command"},
            row{"AnalysisTemplate", "/spec/metrics/1/name", R"("a")",
                "spec.metrics[1].name: must be unique, this one is given twice"},
            row{"Service", "/spec/split", R"({"label":"track","weights":{"1":0,"2":0}})",
                "spec.split.weights: must not all be 0: nobody would be served"},
            row{"Service", "/spec/split", R"({"label":"track","weights":{"1":1,"2":-1}})",
                "spec.split.weights.2: must be from 0 to 1000000"},
            row{"Service", "/spec/split", R"({"label":"","weights":{"1":1}})",
                "spec.split.label: the name must not be empty"},
            row{"Service", "/spec/split", R"({"label":"track","weights":{"1":1},"sticky":{}})",
                "spec.split.sticky: expected a cookie or a header, and not both"},
            row{"Service", "/spec/split",
                R"({"label":"track","weights":{"1":1},"mirror":{"version":"2","percent":101}})",
                "spec.split.mirror.percent: must be from 1 to 100"},
            row{"Service", "/spec/split",
                R"({"label":"track","weights":{"1":1},"matches":[{"header":"X Y","version":"1"}]})",
                "spec.split.matches[0].header: must be letters, digits and !#$%&'*+-.^_`|~ (X-Visitor)"},
            row{"Service", "/spec/ports", "[]", "spec.ports: required"},
            row{"Service", "/spec/ports/0/targetPort", R"("not a name")",
                "spec.ports[0].targetPort: must be lower case letters, digits and '-', and begin and end "
                "with a letter or digit"},
            row{"Service", "/spec/ports/-", R"({"name":"b","port":80})",
                "spec.ports[0].name: required when there are several ports\nspec.ports[1].port: must be "
                "unique, this one is given twice"},
            row{"Service", "/spec/clusterIP", R"("127.0.0.256")",
                "spec.clusterIP: expected an IPv4 address or \"None\""},
            row{"Service", "/metadata/name", R"("1s")",
                "metadata.name: must be lower case letters, digits and '-', begin with a letter and end with "
                "a letter or digit (web-1)"},
            row{"ConfigMap", "/data", R"({"../x":"y"})",
                "data[../x]: must be letters, digits, '-', '_' and '.' (app.conf)"},
            row{"ConfigMap", "/data", R"({"..x":"y"})", "data[..x]: must not start with '..'"},
            row{"Node", "/spec",
                R"({"taints":[{"key":"a","effect":"NoExecute"},{"key":"a","effect":"NoExecute"}]})",
                "spec.taints[1]: must be unique, this one is given twice"},
        }) {
        CAPTURE(r.kind);
        CAPTURE(r.at);
        CAPTURE(r.value);
        auto value = valid(r.kind);
        json::json_pointer const at(r.at);
        if (!r.value.empty())
            value[at] = *model::parse_json(r.value);
        else
            value[at.parent_pointer()].erase(at.back());
        auto const found = problems(value);
        // Two errors may come in either order: they are compared as a set of two lines.
        std::string const wanted = r.expected;
        auto const newline = wanted.find('\n');
        auto const turned = newline == std::string::npos
            ? wanted
            : wanted.substr(newline + 1) + '\n' + wanted.substr(0, newline);
        CHECK_MESSAGE((found == wanted || found == turned), found);
    }
}

TEST_CASE("model: what must not change is told apart from what may")
{
    struct row {
        std::string kind;
        std::string at;
        std::string value;
        std::string expected;
    };
    for (auto const& r : {
             row{"Pod", "/spec/containers/0/image", R"("x:2")", ""},
             row{"Pod", "/spec/nodeName", R"("n1")", ""},
             row{"Pod", "/spec/tolerations", R"([{"operator":"Exists"}])", ""},
             row{"Pod", "/metadata/labels", R"({"a":"b"})", ""},
             row{"Pod", "/spec/containers/0/command", R"(["a"])", "spec"},
             row{"Pod", "/spec/hostNetwork", "true", "spec"},
             row{"Pod", "/spec/schedulingGates", "[]", ""},
             row{"Pod", "/spec/schedulingGates/0/name", R"("other")", "spec.schedulingGates"},
             row{"Pod", "/spec/nodeSelector", R"({"disk":"ssd"})", ""},  // as long as it is gated
             row{"Pod", "/spec/topologySpreadConstraints", "[]", "spec"},
             row{"Pod", "/spec/affinity/podAffinity", "{}", "spec"},
             row{"Deployment", "/spec/replicas", "5", ""},
             row{"Deployment", "/spec/selector/matchLabels", R"({"app":"d","x":"y"})", "spec.selector"},
             row{"ConfigMap", "/data/a", R"("c")", ""},
             row{"StatefulSet", "/spec/replicas", "5", ""},
             row{"StatefulSet", "/spec/updateStrategy/rollingUpdate/partition", "0", ""},
             row{"StatefulSet", "/spec/template/spec/containers/0/image", R"("x:2")", ""},
             row{"StatefulSet", "/spec/serviceName", R"("e")", "spec.serviceName"},
             row{"StatefulSet", "/spec/podManagementPolicy", R"("OrderedReady")", "spec.podManagementPolicy"},
             row{"StatefulSet", "/spec/volumeClaimTemplates", "[]", "spec.volumeClaimTemplates"},
             row{"PersistentVolumeClaim", "/spec/resources/requests/storage", R"("2Gi")", ""},
             row{"PersistentVolumeClaim", "/spec/resources/requests/storage", R"("1023Mi")",
                 "spec.resources.requests.storage"},
             row{"PersistentVolumeClaim", "/spec/accessModes", R"(["ReadWriteMany"])", "spec.accessModes"},
             row{"PersistentVolumeClaim", "/spec/storageClassName", R"("fast")", "spec.storageClassName"},
         }) {
        CAPTURE(r.kind);
        CAPTURE(r.at);
        auto const& entry = **kinds().entry_for(valid(r.kind));
        auto value = valid(r.kind);
        value[json::json_pointer(r.at)] = *model::parse_json(r.value);
        auto const before = *entry.decode(valid(r.kind));
        auto const after = *entry.decode(value);
        auto const wrong = entry.validate_update(before.get(), after.get());
        CHECK((wrong.empty() ? "" : wrong[0].path) == r.expected);
        CHECK(entry.validate_update(before.get(), before.get()).empty());
    }

    model::pod bound;
    bound.spec.node_name = "n1";
    auto moved = bound;
    moved.spec.node_name = "n2";
    CHECK(validate_update(bound, moved).at(0).path == "spec.nodeName");

    model::config_map sealed;
    sealed.immutable = true;
    auto changed = sealed;
    changed.data["a"] = "b";
    CHECK(validate_update(sealed, changed).at(0).path == "data");
}

TEST_CASE("model: a selector takes labels as Kubernetes' does")
{
    using op = model::label_selector_operator;
    std::map<std::string, std::string> const labels{{"app", "web"}, {"tier", "front"}};
    struct row {
        std::string name;
        model::label_selector selector;
        bool expected;
    };
    for (auto const& r : {
             row{"empty takes all", {}, true},
             row{"a label", {{{"app", "web"}}, {}}, true},
             row{"another value", {{{"app", "db"}}, {}}, false},
             row{"in", {{}, {{"app", op::in, {"db", "web"}}}}, true},
             row{"not in", {{}, {{"app", op::not_in, {"web"}}}}, false},
             row{"not in, without the label", {{}, {{"zone", op::not_in, {"a"}}}}, true},
             row{"exists", {{}, {{"zone", op::exists, {}}}}, false},
             row{"does not exist", {{}, {{"zone", op::does_not_exist, {}}}}, true},
             row{"all must hold", {{{"app", "web"}}, {{"tier", op::does_not_exist, {}}}}, false},
         }) {
        CAPTURE(r.name);
        CHECK(matches(r.selector, labels) == r.expected);
    }
}

TEST_SUITE("property")
{
    TEST_CASE("model: defaults set twice are defaults set once, and what was valid stays valid")
    {
        for (std::string_view const kind :
            {"Pod", "Deployment", "Rollout", "AnalysisTemplate", "Service", "ConfigMap", "Node",
                "StatefulSet", "PersistentVolumeClaim", "PodDisruptionBudget", "HorizontalPodAutoscaler"}) {
            CAPTURE(kind);
            auto const once = kinds().read(valid(kind));
            REQUIRE(once);
            auto const twice = kinds().read(kinds().to_json(*once));
            REQUIRE(twice);
            CHECK(once->kind->equal(once->data.get(), twice->data.get()));
        }
    }
}
