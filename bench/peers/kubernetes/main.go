// Kubernetes' own Go code (client-go, apimachinery, kubernetes/pkg/controller) on the workloads of podium's benchmarks:
// the same input, the same operations, the same check values. ../../compare runs both side by side.
// Usage: kubernetes [-only prefix,prefix] [-runs 5]; prints one JSON line per measurement and run.
//
// Two unexported methods are reached through go:linkname; empty.s lets the compiler accept functions without a body.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	_ "unsafe"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	scalefake "k8s.io/client-go/scale/fake"
	ktesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/kubernetes/pkg/controller/deployment"
	deploymentutil "k8s.io/kubernetes/pkg/controller/deployment/util"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	hpametrics "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
)

//go:linkname syncDeployment k8s.io/kubernetes/pkg/controller/deployment.(*DeploymentController).syncDeployment
func syncDeployment(dc *deployment.DeploymentController, ctx context.Context, key string) error

//go:linkname reconcileAutoscaler k8s.io/kubernetes/pkg/controller/podautoscaler.(*HorizontalController).reconcileAutoscaler
func reconcileAutoscaler(a *podautoscaler.HorizontalController, ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, key string) error

//go:linkname enqueueHPA k8s.io/kubernetes/pkg/controller/podautoscaler.(*HorizontalController).enqueueHPA
func enqueueHPA(a *podautoscaler.HorizontalController, obj interface{})

// ---- deterministic generator (splitmix64)
type rng struct{ s uint64 }

func (r *rng) next() uint64 {
	r.s += 0x9e3779b97f4a7c15
	z := r.s
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}
func (r *rng) below(n uint64) uint64 { return r.next() % n }

var labelKeys = []struct {
	k, p string
	n    uint64
}{{"app", "app-", 1000}, {"tier", "tier-", 5}, {"env", "env-", 4}, {"version", "v", 50}, {"team", "team-", 100}, {"region", "region-", 8}, {"zone", "zone-", 24}, {"track", "track-", 3}, {"component", "component-", 200}, {"owner", "owner-", 500}}

func labelSet(r *rng) map[string]string {
	n := 5 + int(r.below(6))
	m := make(map[string]string, n)
	for i := 0; i < n; i++ {
		m[labelKeys[i].k] = labelKeys[i].p + strconv.FormatUint(r.below(labelKeys[i].n), 10)
	}
	return m
}

var runs = flag.Int("runs", 5, "")
var only = flag.String("only", "", "")

func want(p string) bool {
	if *only == "" {
		return true
	}
	for _, s := range strings.Split(*only, ",") {
		if strings.HasPrefix(p, s) {
			return true
		}
	}
	return false
}
func out(m map[string]any) { b, _ := json.Marshal(m); fmt.Println(string(b)) }

// bench runs f(n) *runs times and prints ns/op and allocations/op
func bench(name string, n int, f func(n int), extra ...any) {
	for r := 0; r < *runs; r++ {
		runtime.GC()
		var a, b runtime.MemStats
		runtime.ReadMemStats(&a)
		c0 := cpu()
		t := time.Now()
		f(n)
		el := time.Since(t)
		c1 := cpu()
		runtime.ReadMemStats(&b)
		m := map[string]any{"name": name, "run": r, "n": n, "ns_per_op": float64(el.Nanoseconds()) / float64(n), "cpu_ns_per_op": float64((c1 - c0).Nanoseconds()) / float64(n), "ops_per_s": float64(n) / el.Seconds(), "allocs_per_op": float64(b.Mallocs-a.Mallocs) / float64(n), "bytes_per_op": float64(b.TotalAlloc-a.TotalAlloc) / float64(n)}
		for i := 0; i+1 < len(extra); i += 2 {
			v := extra[i+1]
			if g, ok := v.(func() any); ok {
				v = g()
			}
			m[extra[i].(string)] = v
		}
		out(m)
	}
}

// cpu is the process's user+system time, all threads (the collector's too): on a shared machine it says more than the clock
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func rssKiB() int {
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(l, "VmRSS:") {
			k, _ := strconv.Atoi(strings.Fields(l)[1])
			return k
		}
	}
	return 0
}
func heap() uint64 {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
func must(err error) {
	if err != nil {
		panic(err)
	}
}

var sink atomic.Int64
var sinkAny any

var selectors = []string{"app=app-7", "app=app-7,tier=tier-1,env=env-2", "env in (env-1,env-2),tier notin (tier-0),track,!owner", "app!=app-7", "app in (app-0,app-1,app-2,app-3,app-4,app-5,app-6,app-7,app-8,app-9,app-10,app-11,app-12,app-13,app-14,app-15,app-16,app-17,app-18,app-19)"}

func selectorBench() {
	for i, s := range selectors {
		bench(fmt.Sprintf("selector/parse/S%d", i+1), 50000, func(n int) {
			for j := 0; j < n; j++ {
				x, err := labels.Parse(s)
				must(err)
				sinkAny = x
			}
		}, "requirements", func() any { r, _ := sinkAny.(labels.Selector).Requirements(); return len(r) })
	}
	g := &rng{1}
	sets := make([]labels.Set, 1000000)
	h0, r0 := heap(), rssKiB()
	for i := range sets {
		sets[i] = labelSet(g)
	}
	out(map[string]any{"name": "selector/labelset_memory", "n": len(sets), "heap_bytes_per_set": float64(heap()-h0) / float64(len(sets)), "rss_bytes_per_set": float64(rssKiB()-r0) * 1024 / float64(len(sets))})
	for i, s := range selectors {
		sel, _ := labels.Parse(s)
		hits := 0
		bench(fmt.Sprintf("selector/match_1M/S%d", i+1), len(sets), func(n int) {
			hits = 0
			for j := 0; j < n; j++ {
				if sel.Matches(sets[j]) {
					hits++
				}
			}
		}, "hits", func() any { return hits })
	}
	sets = sets[:100000:100000]
	idx := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for i, l := range sets {
		idx.Add(&v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("ns-%d", i%10), Name: fmt.Sprintf("pod-%06d", i), Labels: l}})
	}
	lister := corelisters.NewPodLister(idx)
	for i, s := range selectors[:3] {
		sel, _ := labels.Parse(s)
		hits := 0
		bench(fmt.Sprintf("selector/list_100k_all/S%d", i+1), 10, func(n int) {
			for j := 0; j < n; j++ {
				l, _ := lister.List(sel)
				hits = len(l)
			}
		}, "hits", func() any { return hits })
		bench(fmt.Sprintf("selector/list_ns_10k/S%d", i+1), 50, func(n int) {
			for j := 0; j < n; j++ {
				l, _ := lister.Pods("ns-3").List(sel)
				hits = len(l)
			}
		}, "hits", func() any { return hits })
	}
	// reverse: 10k services in one namespace; which of them select this pod? (the endpoints controllers' loop)
	sidx := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for i := 0; i < 10000; i++ {
		s := map[string]string{"app": fmt.Sprintf("app-%d", i%1000), "env": fmt.Sprintf("env-%d", i/1000%4)}
		if i%2 == 1 {
			s["tier"] = fmt.Sprintf("tier-%d", i%5)
		}
		sidx.Add(&v1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("svc-%05d", i)}, Spec: v1.ServiceSpec{Selector: s}})
	}
	sl := corelisters.NewServiceLister(sidx)
	hits := 0
	bench("selector/reverse_10k", 1000, func(n int) {
		hits = 0
		for j := 0; j < n; j++ {
			all, _ := sl.Services("ns").List(labels.Everything())
			for _, s := range all {
				if s.Spec.Selector == nil {
					continue
				}
				if labels.ValidatedSetSelector(s.Spec.Selector).Matches(sets[j]) {
					hits++
				}
			}
		}
	}, "hits", func() any { return hits })
}

var quantities = []string{"100m", "1", "2500m", "1Gi", "512Mi", "1.5Gi", "4Ki", "100k", "0.1", "12e6", "1500000000", "0.5", "128974848", "129e6", "129M", "123Mi", "3.14159", "1E", "250u", "7n"}

func quantityBench() {
	const N = 2000000
	texts := func(of func(q resource.Quantity, i int) string) func() any {
		return func() any {
			h := fnv.New32a()
			for i, t := range quantities {
				h.Write([]byte(of(resource.MustParse(t), i) + " "))
			}
			return h.Sum32()
		}
	}
	canonical := func(q resource.Quantity, _ int) string {
		b, suf := q.CanonicalizeBytes(make([]byte, 0, 64))
		return string(b) + string(suf)
	}
	bench("quantity/parse", N, func(n int) {
		for i := 0; i < n; i++ {
			q, err := resource.ParseQuantity(quantities[i%20])
			must(err)
			sink.Store(q.MilliValue())
		}
	}, "check", texts(func(q resource.Quantity, _ int) string { return strconv.FormatInt(q.MilliValue(), 10) }))
	qs := make([]resource.Quantity, 20)
	for i := range qs {
		qs[i] = resource.MustParse(quantities[i])
	}
	buf := make([]byte, 0, 64)
	bench("quantity/format", N, func(n int) {
		for i := 0; i < n; i++ {
			b, suf := qs[i%20].CanonicalizeBytes(buf[:0])
			sink.Store(int64(len(b) + len(suf)))
		}
	}, "check", texts(canonical))
	bench("quantity/parse_format_roundtrip", N/2, func(n int) {
		for i := 0; i < n; i++ {
			q, _ := resource.ParseQuantity(quantities[i%20])
			b, suf := q.CanonicalizeBytes(buf[:0])
			s := string(b) + string(suf)
			sink.Store(int64(len(s)))
		}
	}, "check", texts(canonical))
	small := []resource.Quantity{resource.MustParse("100m"), resource.MustParse("2500m"), resource.MustParse("1"), resource.MustParse("250m")}
	acc := resource.Quantity{}
	bench("quantity/add_cpu", N*5, func(n int) {
		acc = resource.Quantity{}
		for i := 0; i < n; i++ {
			acc.Add(small[i&3])
		}
		sink.Store(acc.MilliValue())
	}, "milli", func() any { return acc.MilliValue() })
	bench("quantity/cmp", N, func(n int) {
		c := 0
		for i := 0; i < n; i++ {
			c += qs[i%20].Cmp(qs[(i+7)%20])
		}
		sink.Store(int64(c))
	}, "check", texts(func(q resource.Quantity, i int) string {
		return strconv.Itoa(q.Cmp(resource.MustParse(quantities[(i+7)%20])))
	}))
}

func queueBench() {
	const N = 1000000
	keys := make([]string, N)
	for i := range keys {
		keys[i] = fmt.Sprintf("ns-%d/name-%d", i%100, i)
	}
	nolimit := workqueue.NewTypedItemExponentialFailureRateLimiter[string](5*time.Millisecond, 1000*time.Second)
	got := 0
	bench("queue/add_get_done_1thread", N, func(n int) {
		q := workqueue.NewTypedRateLimitingQueue(nolimit)
		got = 0
		for i := 0; i < n; i++ {
			q.Add(keys[i%100000])
			k, _ := q.Get()
			q.Done(k)
			got++
		}
		q.ShutDown()
	}, "processed", func() any { return got })
	bench("queue/add_dedupe_10x_then_drain", N, func(n int) {
		q := workqueue.NewTypedRateLimitingQueue(nolimit)
		for i := 0; i < n; i++ {
			q.Add(keys[i%100000])
		}
		got = 0
		for q.Len() > 0 {
			k, _ := q.Get()
			q.Done(k)
			got++
		}
		q.ShutDown()
	}, "processed", func() any { return got })
	waited := time.Duration(0)
	bench("queue/forget_ratelimit_when", N, func(n int) {
		waited = 0
		l := workqueue.NewTypedItemExponentialFailureRateLimiter[string](5*time.Millisecond, 1000*time.Second)
		for i := 0; i < n; i++ {
			waited += l.When(keys[i%100000])
			l.Forget(keys[i%100000])
		}
	}, "waited_ms", func() any { return waited.Milliseconds() })
	// The delays, under a clock that is moved by hand. The queue's own goroutine takes the additions from a channel: the
	// last is in when the clock has a waiter for it.
	delayed := func(least time.Duration) (workqueue.TypedDelayingInterface[string], *testingclock.FakeClock, time.Duration) {
		c := testingclock.NewFakeClock(time.Unix(0, 0))
		q := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[string]{Clock: c})
		g := &rng{2}
		t0 := time.Now()
		for i := 0; i < N; i++ {
			q.AddAfter(keys[i], least+time.Duration(g.below(1000))*time.Millisecond)
		}
		return q, c, time.Since(t0)
	}
	for r := 0; r < *runs; r++ {
		heap()
		c0 := cpu()
		q, _, spent := delayed(30 * time.Second)
		out(map[string]any{"name": "queue/delay_insert_1M", "run": r, "n": N, "ns_per_op": float64(spent.Nanoseconds()) / N, "cpu_ns_per_op": float64((cpu() - c0).Nanoseconds()) / N, "inserted": N})
		q.ShutDown()
	}
	for r := 0; r < *runs; r++ {
		heap()
		q, c, _ := delayed(8 * time.Second)
		time.Sleep(500 * time.Millisecond) // the goroutine takes the last of the additions
		c0, t0, fired := cpu(), time.Now(), 0
		c.Step(9 * time.Second)
		for fired < N {
			k, _ := q.Get()
			q.Done(k)
			fired++
		}
		out(map[string]any{"name": "queue/delay_fire_1M", "run": r, "n": N, "ns_per_op": float64(time.Since(t0).Nanoseconds()) / N, "cpu_ns_per_op": float64((cpu() - c0).Nanoseconds()) / N, "processed": fired})
		q.ShutDown()
	}
}

type fakeMetrics struct {
	pods func(ns string, sel labels.Selector) []string
}

func usage(i int) int64 { return 100 + int64(i*37%51) }

func (f fakeMetrics) GetResourceMetric(ctx context.Context, res v1.ResourceName, ns string, sel labels.Selector, c string) (hpametrics.PodMetricsInfo, time.Time, error) {
	names := f.pods(ns, sel)
	m := make(hpametrics.PodMetricsInfo, len(names))
	now := time.Now()
	for i, n := range names {
		if i%50 == 0 { // 2% have no metric
			continue
		}
		m[n] = hpametrics.PodMetric{Timestamp: now, Window: 30 * time.Second, Value: usage(i)}
	}
	return m, now, nil
}
func (fakeMetrics) GetRawMetric(string, string, labels.Selector, labels.Selector) (hpametrics.PodMetricsInfo, time.Time, error) {
	panic("x")
}
func (fakeMetrics) GetObjectMetric(string, string, *autoscalingv2.CrossVersionObjectReference, labels.Selector) (int64, time.Time, error) {
	panic("x")
}
func (fakeMetrics) GetExternalMetric(string, string, labels.Selector) ([]int64, time.Time, error) {
	panic("x")
}

func hpaBench() {
	setup := func(nNS, hpasPerNS, podsPerHPA int) (*podautoscaler.HorizontalController, []*autoscalingv2.HorizontalPodAutoscaler, *fake.Clientset, *podautoscaler.ReplicaCalculator) {
		cs := fake.NewClientset()
		inf := informers.NewSharedInformerFactory(cs, 0)
		names := map[string][]string{}
		start := metav1.NewTime(time.Now().Add(-time.Hour))
		var hpas []*autoscalingv2.HorizontalPodAutoscaler
		for n := 0; n < nNS; n++ {
			ns := fmt.Sprintf("ns-%d", n)
			for h := 0; h < hpasPerNS; h++ {
				app := fmt.Sprintf("app-%d", h)
				for p := 0; p < podsPerHPA; p++ {
					name := fmt.Sprintf("%s-%05d", app, p)
					names[ns+"/app="+app] = append(names[ns+"/app="+app], name)
					ready := v1.ConditionTrue
					if p%50 == 1 { // 2% have never been ready
						ready = v1.ConditionFalse
					}
					inf.Core().V1().Pods().Informer().GetIndexer().Add(&v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: map[string]string{"app": app, "tier": "web", "env": "prod"}},
						Spec:   v1.PodSpec{Containers: []v1.Container{{Name: "c", Resources: v1.ResourceRequirements{Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("100m")}}}, {Name: "d", Resources: v1.ResourceRequirements{Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("25m")}}}}},
						Status: v1.PodStatus{Phase: v1.PodRunning, StartTime: &start, Conditions: []v1.PodCondition{{Type: v1.PodReady, Status: ready, LastTransitionTime: start}}}})
				}
				hpas = append(hpas, &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: app},
					Spec: autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: app}, MinReplicas: ptr.To[int32](1), MaxReplicas: int32(podsPerHPA),
						Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: v1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](80)}}}},
						Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{
							ScaleUp:   &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](0), SelectPolicy: ptr.To(autoscalingv2.MaxChangePolicySelect), Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}, {Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15}}},
							ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](300), SelectPolicy: ptr.To(autoscalingv2.MaxChangePolicySelect), Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}}}}}})
			}
		}
		sc := &scalefake.FakeScaleClient{}
		sc.AddReactor("get", "*", func(a ktesting.Action) (bool, kruntime.Object, error) {
			g := a.(ktesting.GetAction)
			return true, &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Namespace: g.GetNamespace(), Name: g.GetName()}, Spec: autoscalingv1.ScaleSpec{Replicas: int32(podsPerHPA)}, Status: autoscalingv1.ScaleStatus{Replicas: int32(podsPerHPA), Selector: "app=" + g.GetName()}}, nil
		})
		byKey := map[string]int{}
		for i, h := range hpas {
			byKey[h.Namespace+"/"+h.Name] = i
		}
		cs.PrependReactor("update", "horizontalpodautoscalers", func(a ktesting.Action) (bool, kruntime.Object, error) {
			o := a.(ktesting.UpdateAction).GetObject().(*autoscalingv2.HorizontalPodAutoscaler)
			hpas[byKey[o.Namespace+"/"+o.Name]] = o
			return true, o, nil
		})
		mapper := apimeta.NewDefaultRESTMapper([]schema.GroupVersion{{Group: "apps", Version: "v1"}})
		mapper.Add(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, apimeta.RESTScopeNamespace)
		mc := fakeMetrics{func(ns string, sel labels.Selector) []string { return names[ns+"/"+sel.String()] }}
		hc := podautoscaler.NewHorizontalController(context.Background(), cs.CoreV1(), sc, cs.AutoscalingV2(), mapper, mc, inf.Autoscaling().V2().HorizontalPodAutoscalers(), inf.Core().V1().Pods(), 15*time.Second, 5*time.Minute, 0.1, 5*time.Minute, 30*time.Second)
		for _, h := range hpas {
			enqueueHPA(hc, h)
		}
		return hc, hpas, cs, podautoscaler.NewReplicaCalculator(mc, inf.Core().V1().Pods().Lister(), 5*time.Minute, 30*time.Second)
	}
	ctx := context.Background()
	hc, hpas, cs, rc := setup(1, 1, 1000)
	key := hpas[0].Namespace + "/" + hpas[0].Name
	must(reconcileAutoscaler(hc, ctx, hpas[0], key))
	cs.ClearActions()
	bench("hpa/reconcile_1hpa_1000pods", 200, func(n int) {
		for i := 0; i < n; i++ {
			must(reconcileAutoscaler(hc, ctx, hpas[0], key))
		}
	}, "desired", func() any { return hpas[0].Status.DesiredReplicas }, "writes", func() any { return len(cs.Actions()) })
	sel, _ := labels.Parse("app=app-0")
	var want int32
	bench("hpa/replica_calculator_1000pods", 500, func(n int) {
		for i := 0; i < n; i++ {
			want, _, _, _, _ = rc.GetResourceReplicas(ctx, 1000, 80, v1.ResourceCPU, podautoscaler.Tolerances{}, "ns-0", sel, "")
		}
	}, "proposal", func() any { return want })
	hc, hpas, cs, _ = setup(100, 100, 10)
	sync := func(int) {
		for i := range hpas {
			must(reconcileAutoscaler(hc, ctx, hpas[i], hpas[i].Namespace+"/"+hpas[i].Name))
		}
	}
	sync(0)
	cs.ClearActions()
	bench("hpa/sync_10000hpas_10pods", 10000, sync, "writes", func() any { return len(cs.Actions()) })
}

func deployBench() {
	ctx := context.Background()
	mk := func(nNS, perNS, olds, replicas, podsPer int) (*deployment.DeploymentController, informers.SharedInformerFactory, *fake.Clientset, []string, *atomic.Int64) {
		cs := fake.NewClientset()
		inf := informers.NewSharedInformerFactory(cs, 0)
		var writes atomic.Int64
		di, ri, pi := inf.Apps().V1().Deployments(), inf.Apps().V1().ReplicaSets(), inf.Core().V1().Pods()
		cs.PrependReactor("update", "*", func(a ktesting.Action) (bool, kruntime.Object, error) {
			writes.Add(1)
			o := a.(ktesting.UpdateAction).GetObject()
			switch x := o.(type) {
			case *appsv1.Deployment:
				di.Informer().GetIndexer().Update(x)
			case *appsv1.ReplicaSet:
				ri.Informer().GetIndexer().Update(x)
			}
			return true, o, nil
		})
		cs.PrependReactor("create", "replicasets", func(a ktesting.Action) (bool, kruntime.Object, error) {
			writes.Add(1)
			o := a.(ktesting.CreateAction).GetObject().(*appsv1.ReplicaSet)
			o.UID = types.UID(o.Namespace + "/" + o.Name)
			ri.Informer().GetIndexer().Add(o)
			return true, o, nil
		})
		dc, err := deployment.NewDeploymentController(ctx, di, ri, pi, cs)
		must(err)
		var keys []string
		for n := 0; n < nNS; n++ {
			ns := fmt.Sprintf("ns-%d", n)
			for k := 0; k < perNS; k++ {
				name := fmt.Sprintf("d-%d", k)
				lbl := map[string]string{"app": name}
				tm := func(rev int) v1.PodTemplateSpec {
					return v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: lbl}, Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c", Image: fmt.Sprintf("example/app:%d", rev), Ports: []v1.ContainerPort{{ContainerPort: 80}}, Resources: v1.ResourceRequirements{Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("100m"), v1.ResourceMemory: resource.MustParse("64Mi")}}}}}}
				}
				d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, UID: types.UID(ns + name), Generation: 1}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To(int32(replicas)), Selector: &metav1.LabelSelector{MatchLabels: lbl}, Template: tm(olds), RevisionHistoryLimit: ptr.To[int32](10), ProgressDeadlineSeconds: ptr.To[int32](600),
					Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: ptr.To(intstr.FromString("25%")), MaxUnavailable: ptr.To(intstr.FromString("25%"))}}}}
				di.Informer().GetIndexer().Add(d)
				for o := 0; o <= olds; o++ {
					t := tm(o)
					t.Labels = map[string]string{"app": name, "pod-template-hash": fmt.Sprintf("h%d", o)}
					rep := int32(0)
					if o == olds {
						rep = int32(replicas)
					}
					rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: fmt.Sprintf("%s-h%d", name, o), UID: types.UID(fmt.Sprintf("%s/%s-h%d", ns, name, o)), Labels: t.Labels, CreationTimestamp: metav1.NewTime(time.Unix(1700000000+int64(o), 0)), Annotations: map[string]string{deploymentutil.RevisionAnnotation: strconv.Itoa(o + 1)}, OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))}},
						Spec: appsv1.ReplicaSetSpec{Replicas: &rep, Selector: &metav1.LabelSelector{MatchLabels: t.Labels}, Template: t}, Status: appsv1.ReplicaSetStatus{Replicas: rep, ReadyReplicas: rep, AvailableReplicas: rep, FullyLabeledReplicas: rep}}
					ri.Informer().GetIndexer().Add(rs)
					if o == olds {
						for p := 0; p < podsPer; p++ {
							pi.Informer().GetIndexer().Add(&v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: fmt.Sprintf("%s-%d", rs.Name, p), Labels: t.Labels, OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}}})
						}
					}
				}
				keys = append(keys, ns+"/"+name)
			}
		}
		return dc, inf, cs, keys, &writes
	}
	dc, _, cs, keys, writes := mk(100, 10, 10, 10, 10)
	for w := 0; w < 4; w++ {
		for _, k := range keys {
			must(syncDeployment(dc, ctx, k))
		}
	}
	cs.ClearActions()
	writes.Store(0)
	bench("deployment/sync_steady_1000x(10old+1rs,10pods)", 2000, func(n int) {
		for i := 0; i < n; i++ {
			must(syncDeployment(dc, ctx, keys[i%len(keys)]))
		}
	}, "writes", func() any { return writes.Load() })
	// a whole rolling update of 100 replicas: the replica sets' status follows their spec at once
	for r := 0; r < *runs; r++ {
		dc, inf, cs, keys, writes := mk(1, 100, 0, 100, 0)
		for w := 0; w < 4; w++ {
			for _, k := range keys {
				must(syncDeployment(dc, ctx, k))
			}
		}
		ri, di := inf.Apps().V1().ReplicaSets(), inf.Apps().V1().Deployments()
		syncs := 0
		writes.Store(0)
		var spent time.Duration
		// one deployment at a time, all in the same namespace (the listers scan the namespace)
		for _, k := range keys {
			ns, name, _ := cache.SplitMetaNamespaceKey(k)
			d0, _ := di.Lister().Deployments(ns).Get(name)
			d := d0.DeepCopy()
			d.Generation++
			d.Spec.Template.Spec.Containers[0].Image = "example/app:next"
			di.Informer().GetIndexer().Update(d)
			for {
				t := time.Now()
				must(syncDeployment(dc, ctx, k))
				spent += time.Since(t)
				syncs++
				all, _ := ri.Lister().ReplicaSets(ns).List(labels.SelectorFromSet(map[string]string{"app": name}))
				done := true
				for _, x := range all {
					rep := *x.Spec.Replicas
					if x.Status.Replicas != rep || x.Status.AvailableReplicas != rep {
						y := x.DeepCopy()
						y.Status = appsv1.ReplicaSetStatus{Replicas: rep, ReadyReplicas: rep, AvailableReplicas: rep, FullyLabeledReplicas: rep, ObservedGeneration: x.Generation}
						ri.Informer().GetIndexer().Update(y)
						done = false
					}
				}
				dn, _ := di.Lister().Deployments(ns).Get(name)
				if done && dn.Status.UpdatedReplicas == 100 && dn.Status.Replicas == 100 && dn.Status.AvailableReplicas == 100 && dn.Status.ObservedGeneration == d.Generation {
					break
				}
				if syncs > 100000 {
					panic("no progress")
				}
			}
			cs.ClearActions()
		}
		out(map[string]any{"name": "deployment/rolling_100replicas_fake_client", "run": r, "n": syncs, "ops_per_s": float64(syncs) / spent.Seconds(), "ns_per_op": float64(spent.Nanoseconds()) / float64(syncs), "syncs_per_rollout": float64(syncs) / 100, "writes_per_rollout": float64(writes.Load()) / 100})
	}
	d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](1000), Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: ptr.To(intstr.FromString("25%")), MaxUnavailable: ptr.To(intstr.FromString("25%"))}}}}
	newRS := &appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Replicas: ptr.To[int32](400)}}
	oldRS := &appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Replicas: ptr.To[int32](750)}}
	all := []*appsv1.ReplicaSet{newRS, oldRS}
	size := int32(0)
	bench("deployment/NewRSNewReplicas", 2000000, func(n int) {
		for i := 0; i < n; i++ {
			*newRS.Spec.Replicas = int32(i % 500)
			x, err := deploymentutil.NewRSNewReplicas(d, all, newRS)
			must(err)
			size = x
		}
	}, "size", func() any { return size })
	pods := int32(0)
	bench("deployment/MaxUnavailable+MaxSurge", 2000000, func(n int) {
		for i := 0; i < n; i++ {
			pods = deploymentutil.MaxUnavailable(*d) + deploymentutil.MaxSurge(*d)
		}
	}, "pods", func() any { return pods })
}

func main() {
	flag.Parse()
	out(map[string]any{"name": "env", "go": runtime.Version(), "gomaxprocs": runtime.GOMAXPROCS(0), "cpus": runtime.NumCPU()})
	if want("selector") {
		selectorBench()
		heap()
	}
	if want("quantity") {
		quantityBench()
	}
	if want("queue") {
		queueBench()
		heap()
	}
	if want("hpa") {
		hpaBench()
		heap()
	}
	if want("deployment") {
		deployBench()
	}
}
