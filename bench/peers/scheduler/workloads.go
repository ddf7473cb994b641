package main

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

const (
	hostname = "kubernetes.io/hostname"
	zone     = "topology.kubernetes.io/zone"
)

type shape func(i int) *v1.Pod

// A workload: nodes in zones, init pods that lie on them, and pods to place. The shapes and counts are those of Kubernetes'
// scheduler_perf; ../../scheduler_workloads.hpp makes the same for podium.
type workload struct {
	name     string
	zones    []string // node i is in zones[i mod their number]
	ns       string   // of the init pods; the others are in sched-1 if it is sched-0
	init     []shape  // a group of each; its pod i is on node i mod nodes
	measured shape
	counts   [2][2]int // {init pods of each group, measured pods} at 1000 nodes and at 5000
}

var (
	moon  = []string{"moon-1", "moon-2", "moon-3"}
	zone1 = []string{"zone1"}
)

var workloads = []workload{
	{"SchedulingBasic", nil, "default", []shape{basic}, basic, [2][2]int{{1000, 4000}, {1000, 4000}}},
	{"SchedulingPodAntiAffinity", zone1, "sched-0", []shape{anti}, anti, [2][2]int{{200, 800}, {1000, 2000}}},
	{"RequiredAndPreferredPodAntiAffinity", moon, "sched-0", []shape{bothAnti}, bothAnti, [2][2]int{{200, 800}, {1000, 2000}}},
	{"SchedulingPreferredPodAntiAffinity", zone1, "sched-0", []shape{preferAnti}, preferAnti, [2][2]int{{1000, 2000}, {5000, 2000}}},
	{"SchedulingPodAffinity", zone1, "sched-0", []shape{near}, near, [2][2]int{{1000, 2000}, {5000, 2000}}},
	{"SchedulingPreferredPodAffinity", zone1, "sched-0", []shape{preferNear}, preferNear, [2][2]int{{1000, 2000}, {5000, 2000}}},
	{"TopologySpreading", moon, "default", []shape{basic}, spread(v1.DoNotSchedule), [2][2]int{{1000, 2000}, {5000, 2000}}},
	{"PreferredTopologySpreading", moon, "default", []shape{basic}, spread(v1.ScheduleAnyway), [2][2]int{{1000, 2000}, {5000, 2000}}},
	{"SchedulingNodeAffinity", zone1, "default", []shape{basic}, inZone, [2][2]int{{1000, 4000}, {5000, 4000}}},
	{"MixedSchedulingBasePod", zone1, "sched-0", []shape{basic, near, anti, preferNear, preferAnti}, basic, [2][2]int{{400, 2000}, {2000, 2000}}},
	{"Mix", zone1, "sched-0", []shape{mix}, mix, [2][2]int{{1000, 2100}, {5000, 2100}}},
	{"PreemptionBasic", nil, "default", []shape{low}, high, [2][2]int{{4000, 1000}, {20000, 1000}}},
}

func pod(cpu, memory string) *v1.Pod {
	r := v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu), v1.ResourceMemory: resource.MustParse(memory)}
	p := &v1.Pod{}
	p.Spec.Containers = []v1.Container{{
		Name: "pause", Image: "registry.k8s.io/pause:3.10.1",
		Ports:     []v1.ContainerPort{{ContainerPort: 80}},
		Resources: v1.ResourceRequirements{Requests: r, Limits: r},
	}}
	p.Spec.SchedulerName = "default-scheduler"
	return p
}

func basic(int) *v1.Pod { return pod("100m", "500Mi") }

func colored(c string, a v1.Affinity) *v1.Pod {
	p := basic(0)
	p.Labels = map[string]string{"color": c}
	p.Spec.Affinity = &a
	return p
}
func term(c, key string) v1.PodAffinityTerm {
	return v1.PodAffinityTerm{LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"color": c}}, TopologyKey: key, Namespaces: []string{"sched-1", "sched-0"}}
}
func required(c, key string) []v1.PodAffinityTerm { return []v1.PodAffinityTerm{term(c, key)} }
func preferred(c, key string) []v1.WeightedPodAffinityTerm {
	return []v1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: term(c, key)}}
}

func anti(int) *v1.Pod {
	return colored("green", v1.Affinity{PodAntiAffinity: &v1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required("green", hostname)}})
}
func bothAnti(int) *v1.Pod {
	p := anti(0)
	p.Labels["tier"] = "t"
	p.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution = preferred("green", zone)
	return p
}
func preferAnti(int) *v1.Pod {
	return colored("yellow", v1.Affinity{PodAntiAffinity: &v1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: preferred("yellow", hostname)}})
}
func near(int) *v1.Pod {
	return colored("blue", v1.Affinity{PodAffinity: &v1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required("blue", zone)}})
}
func preferNear(int) *v1.Pod {
	return colored("red", v1.Affinity{PodAffinity: &v1.PodAffinity{PreferredDuringSchedulingIgnoredDuringExecution: preferred("red", hostname)}})
}
func inZone(int) *v1.Pod {
	p := basic(0)
	p.Spec.Affinity = &v1.Affinity{NodeAffinity: &v1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
		MatchExpressions: []v1.NodeSelectorRequirement{{Key: zone, Operator: v1.NodeSelectorOpIn, Values: []string{"zone1", "zone2"}}}}}}}}
	return p
}
func spread(otherwise v1.UnsatisfiableConstraintAction) shape {
	return func(int) *v1.Pod {
		p := basic(0)
		p.Labels = map[string]string{"color": "blue"}
		p.Spec.TopologySpreadConstraints = []v1.TopologySpreadConstraint{{MaxSkew: 5, TopologyKey: zone, WhenUnsatisfiable: otherwise,
			LabelSelector: &metav1.LabelSelector{MatchLabels: p.Labels}}}
		return p
	}
}
func low(int) *v1.Pod {
	p := pod("900m", "500Mi")
	p.Spec.Priority, p.Spec.TerminationGracePeriodSeconds = ptr.To[int32](0), ptr.To[int64](0)
	return p
}
func high(int) *v1.Pod {
	p := pod("3", "500Mi")
	p.Spec.Priority = ptr.To[int32](10)
	return p
}
func mix(i int) *v1.Pod {
	return []shape{basic, basic, near, preferNear, preferAnti, spread(v1.ScheduleAnyway), inZone}[i%7](i)
}

// The mix in five sizes, so that it matters for the last pods where the first went.
func sizedMix(i int) *v1.Pod {
	sizes := [][2]string{{"100m", "500Mi"}, {"250m", "4Gi"}, {"500m", "1Gi"}, {"900m", "10Gi"}, {"1400m", "2Gi"}}
	p, s := mix(i), sizes[i%5]
	p.Spec.Containers[0].Resources = pod(s[0], s[1]).Spec.Containers[0].Resources
	return p
}

func named(p *v1.Pod, ns, name string) *v1.Pod {
	p.Name, p.Namespace, p.UID = name, ns, types.UID(ns+"/"+name)
	return p
}

// At most `most` measured pods; 0: all.
func (w workload) build(nodes, most int) (ns []*v1.Node, init, measured []*v1.Pod) {
	r := v1.ResourceList{v1.ResourcePods: resource.MustParse("110"), v1.ResourceCPU: resource.MustParse("4"), v1.ResourceMemory: resource.MustParse("32Gi")}
	for i := range nodes {
		name := fmt.Sprintf("node-%05d", i)
		n := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{hostname: name}}}
		if len(w.zones) > 0 {
			n.Labels[zone] = w.zones[i%len(w.zones)]
		}
		n.Status = v1.NodeStatus{Capacity: r, Allocatable: r, Conditions: []v1.NodeCondition{{Type: v1.NodeReady, Status: v1.ConditionTrue}}}
		ns = append(ns, n)
	}
	counts := w.counts[0]
	if nodes > 1000 {
		counts = w.counts[1]
	}
	if nodes < 1000 {
		counts[0], counts[1] = counts[0]*nodes/1000, counts[1]*nodes/1000
	}
	start := metav1.Now()
	for g, make := range w.init {
		for i := range counts[0] {
			p := named(make(i), w.ns, fmt.Sprintf("init-%d-%06d", g, i))
			p.Spec.NodeName = ns[i%nodes].Name
			p.Status = v1.PodStatus{Phase: v1.PodRunning, StartTime: &start}
			init = append(init, p)
		}
	}
	for i := range counts[1] {
		if most > 0 && i == most {
			break
		}
		p := named(w.measured(i), map[string]string{"sched-0": "sched-1", "default": "default"}[w.ns], fmt.Sprintf("pod-%06d", i))
		p.Status.Phase = v1.PodPending
		measured = append(measured, p)
	}
	return
}
