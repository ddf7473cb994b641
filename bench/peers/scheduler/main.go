// kube-scheduler's own code (v1.35.4, default plugins, parallelism 16) on the workloads that podium's scheduler is timed on.
// ../../compare runs both side by side.
//
//	schedule/WORKLOAD/NODES/SAMPLING  all pods wait; the time until the last is bound, by scheduler, cache, queue and informers
//	                                  in one process, with an API in memory that only records the binds
//	cycle/WORKLOAD/NODES/SAMPLING     SchedulePod alone, over and over with nothing bound in between
//	fill/NODES                        the mix in five sizes until nothing fits: how many pods, and how even the nodes are
//
// SAMPLING is `adaptive` (the default: fewer of the nodes are looked at the more there are) or `all`.
// Usage: scheduler [-only prefix,prefix] [-runs 3] [-pods 0]; prints one JSON line per measurement and run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/profile"
)

var (
	only = flag.String("only", "schedule/", "what to measure")
	runs = flag.Int("runs", 3, "how often")
	pods = flag.Int("pods", 0, "place at most so many pods of each workload; 0: all")
)

func want(name string) bool {
	return slices.ContainsFunc(strings.Split(*only, ","), func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func print(m map[string]any) { b, _ := json.Marshal(m); fmt.Println(string(b)) }

// cpu is the time of this process on all processors, garbage collection too.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func start(ctx context.Context, api *memAPI, percent int32) *scheduler.Scheduler {
	f := scheduler.NewInformerFactory(api, 0)
	// No sink: events are built and queued as ever, and no recorder writes them.
	b := events.NewBroadcaster(&events.EventSinkImpl{Interface: api.EventsV1()})
	s, err := scheduler.New(ctx, api, f, nil, profile.NewRecorderFactory(b), scheduler.WithPercentageOfNodesToScore(&percent))
	must(err)
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	must(s.WaitForHandlersSync(ctx))
	return s
}

func drain(name string, w workload, nodes int, percent int32) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ns, init, waiting := w.build(nodes, *pods)
	api := newMemAPI(ns, init, len(waiting))
	s := start(ctx, api, percent)
	for _, p := range waiting {
		api.add(p)
	}
	for queued := 0; queued < len(waiting); time.Sleep(10 * time.Millisecond) {
		all, _ := s.SchedulingQueue.PendingPods()
		queued = len(all)
	}
	runtime.GC()
	t, c := time.Now(), cpu()
	go s.Run(ctx)
	select {
	case <-api.done:
	case <-time.After(5 * time.Minute):
		must(fmt.Errorf("%s: not all pods were bound in five minutes", name))
	}
	wall, used := time.Since(t), cpu()-c
	n := float64(len(waiting))
	print(map[string]any{"name": name, "pods": n, "ns_per_op": float64(wall.Nanoseconds()) / n, "cpu_ns_per_op": float64(used.Nanoseconds()) / n, "ops_per_s": n / wall.Seconds()})
}

func cycle(name string, w workload, nodes int, percent int32) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ns, init, waiting := w.build(nodes, 64)
	s := start(ctx, newMemAPI(ns, init, 0), percent)
	logged := klog.NewContext(ctx, klog.Background())
	var each []time.Duration
	runtime.GC()
	var c time.Duration
	for i, begin := 0, time.Now(); i < 20 || time.Since(begin) < time.Second; i++ {
		if i == 5 {
			c = cpu()
		}
		t := time.Now()
		_, err := s.SchedulePod(logged, s.Profiles["default-scheduler"], framework.NewCycleState(), waiting[i%len(waiting)])
		if fits := (*framework.FitError)(nil); !errors.As(err, &fits) { // those that must preempt fit nowhere
			must(err)
		}
		if i >= 5 {
			each = append(each, time.Since(t))
		}
	}
	used := cpu() - c
	slices.Sort(each)
	print(map[string]any{"name": name, "n": len(each), "ns_per_op": float64(each[len(each)/2].Nanoseconds()), "cpu_ns_per_op": float64(used.Nanoseconds()) / float64(len(each))})
}

// fill places pods one by one. One that fits nowhere counts out all like it (of that shape and size), since nothing leaves;
// until all 35 are out.
// The deviation is that of the nodes' use of cpu, in percent of a node.
func fill(nodes int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := workload{zones: zone1, ns: "sched-0"}
	ns, _, _ := w.build(nodes, 0)
	s := start(ctx, newMemAPI(ns, nil, 0), 100)
	logged := klog.NewContext(ctx, klog.Background())
	used := map[string]float64{}
	deviation := func() float64 {
		var sum, squares float64
		for _, n := range ns {
			x := used[n.Name] / 40 // of 4000 thousandths
			sum, squares = sum+x, squares+x*x
		}
		mean := sum / float64(nodes)
		return math.Sqrt(max(0, squares/float64(nodes)-mean*mean))
	}
	placed, half := 0, 0.0
	var out [35]bool
	for i := 0; slices.Contains(out[:], false); i++ {
		if out[i%len(out)] {
			continue
		}
		p := named(sizedMix(i), "sched-1", fmt.Sprintf("pod-%06d", i))
		r, err := s.SchedulePod(logged, s.Profiles["default-scheduler"], framework.NewCycleState(), p)
		var fits *framework.FitError
		if errors.As(err, &fits) {
			out[i%len(out)] = true
			continue
		}
		must(err)
		p.Spec.NodeName = r.SuggestedHost
		must(s.Cache.AssumePod(klog.Background(), p))
		used[r.SuggestedHost] += float64(p.Spec.Containers[0].Resources.Requests.Cpu().MilliValue())
		if placed++; placed == 3*nodes {
			half = deviation()
		}
	}
	print(map[string]any{"name": fmt.Sprintf("fill/%d", nodes), "placed": placed, "deviation_half": half, "deviation_full": deviation()})
}

func main() {
	flag.Parse()
	var logs flag.FlagSet
	klog.InitFlags(&logs)
	logs.Set("logtostderr", "false")
	logs.Set("stderrthreshold", "FATAL")
	klog.SetOutput(io.Discard)
	utilruntime.ErrorHandlers = nil
	print(map[string]any{"name": "env", "go": runtime.Version(), "gomaxprocs": runtime.GOMAXPROCS(0)})
	each := func(kind string, nodes []int, measure func(string, workload, int, int32)) {
		for _, w := range workloads {
			for _, n := range nodes {
				for _, sampling := range []string{"adaptive", "all"} {
					for name, r := fmt.Sprintf("%s/%s/%d/%s", kind, w.name, n, sampling), 0; r < *runs && want(name); r++ {
						measure(name, w, n, map[string]int32{"all": 100}[sampling])
					}
				}
			}
		}
	}
	each("schedule", []int{1000, 5000}, drain)
	each("cycle", []int{100, 1000, 5000, 15000}, cycle)
	for r := 0; r < *runs && want("fill/1000"); r++ {
		fill(1000)
	}
}
