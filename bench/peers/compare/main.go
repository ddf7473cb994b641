// Runs podium's benchmarks and Kubernetes' own code on the same workloads, one after the other, several times over, and
// prints how many times less time podium takes. ../../compare builds both sides and calls this.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// An area is what one podium program measures; the peers' program measures it when told `-only name`. Where `goal` is set it
// holds for all of it, and podium's program need not measure all that the peers' does.
type area struct {
	name, program string
	goal          float64
}

var groups = map[string][]area{
	"primitives": {{"selector", "labels", 0}, {"quantity", "core", 0}, {"queue", "reconcile", 0}, {"hpa", "autoscale", 0}, {"deployment", "rollout", 0}},
	"autoscale":  {{"hpa", "controllers", 100}},
}

// What a workload is to reach, by the beginning of its name; the others are shown for what they are.
var goals = []struct {
	prefix string
	ratio  float64
}{
	{"selector/match_1M/", 10}, {"selector/list_100k_all/", 1000}, {"selector/list_ns_10k/", 10}, {"selector/reverse_10k", 10},
	{"quantity/parse", 10}, {"quantity/format", 10},
	{"queue/add_get_done_1thread", 10},
	{"hpa/", 10},
	{"deployment/sync_steady", 10}, {"deployment/rolling_", 10},
}

// Where podium rightly differs. Kubernetes writes the deployment's revision and its status one by one; podium's sync is one
// transaction, which writes an object once. "1E" in thousandths is beyond 64 bits: podium says the largest number, Kubernetes 0
// (the check is a hash of all twenty answers).
var different = map[string][2]float64{
	"quantity/parse check": {3471722930, 1558630234},
	"deployment/rolling_100replicas_fake_client writes_per_rollout": {12, 13},
}

// What else podium's programs measure beside one of the peers' workloads: shown, and no part of the least ratio. Labels that
// stay in an embedder's own std::map are looked up there; the workload itself packs them. Of the autoscalers the whole sync:
// what was measured is committed to a store, and so is what was decided, of which the peer's does neither.
var beside = map[string]string{"selector/match_maps/": "selector/match_1M/", "hpa/committed/": "hpa/"}

// Check values: what both sides must have computed.
var checks = []string{"check", "hits", "requirements", "milli", "processed", "inserted", "waited_ms", "desired", "proposal", "writes", "size", "pods", "syncs_per_rollout", "writes_per_rollout"}

type measurement struct {
	ns    float64 // for one operation, by the clock
	check map[string]float64
}

func checkValues(m map[string]any) map[string]float64 {
	out := map[string]float64{}
	for _, name := range checks {
		if v, ok := m[name].(float64); ok {
			out[name] = v
		}
	}
	return out
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "bench/compare: "+format+"\n", values...)
	os.Exit(1)
}

func run(program string, args ...string) []byte {
	var out, trouble bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil {
		fail("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, trouble.String())
	}
	return out.Bytes()
}

func runPeer(program string, a area) map[string]measurement {
	found := map[string]measurement{}
	lines := bufio.NewScanner(bytes.NewReader(run(program, "-runs", "1", "-only", a.name)))
	for lines.Scan() {
		var m map[string]any
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			continue
		}
		if ns, ok := m["ns_per_op"].(float64); ok {
			found[m["name"].(string)] = measurement{ns, checkValues(m)}
		}
	}
	return found
}

var units = map[string]float64{"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
var suffix = regexp.MustCompile(`(/iterations:\d+)?(/manual_time)?$`)
var number = regexp.MustCompile(`/S/(\d+)$`)

func runOurs(program string, a area) map[string]measurement {
	var report struct{ Benchmarks []map[string]any }
	out := run(program, "--benchmark_filter=^"+a.name+"/", "--benchmark_min_time=0.2", "--benchmark_format=json")
	if err := json.Unmarshal(out, &report); err != nil {
		fail("%s: %v", filepath.Base(program), err)
	}
	found := map[string]measurement{}
	for _, m := range report.Benchmarks {
		name := m["name"].(string)
		if m["error_occurred"] == true {
			fail("%s: %v", name, m["error_message"])
		}
		unit := units[m["time_unit"].(string)]
		manual := strings.HasSuffix(name, "/manual_time")
		items := 1.0 // in an iteration
		if rate, ok := m["items_per_second"].(float64); ok && !manual {
			items = rate * m["cpu_time"].(float64) * unit / 1e9
		}
		name = number.ReplaceAllString(suffix.ReplaceAllString(name, ""), "/S$1")
		found[name] = measurement{m["real_time"].(float64) * unit / items, checkValues(m)}
	}
	return found
}

func text(ns float64) string {
	switch {
	case ns < 1e3:
		return fmt.Sprintf("%.1f ns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.1f us", ns/1e3)
	}
	return fmt.Sprintf("%.1f ms", ns/1e6)
}

// Of an odd number of values the middle one.
func spread(values []float64) (least, middle, most float64) {
	v := append([]float64{}, values...)
	sort.Float64s(v)
	return v[0], (v[(len(v)-1)/2] + v[len(v)/2]) / 2, v[len(v)-1]
}

// The times of one workload, a round each.
type series struct{ peer, ours, ratio []float64 }

func (s *series) add(peer, ours float64) {
	s.peer, s.ours, s.ratio = append(s.peer, peer), append(s.ours, ours), append(s.ratio, peer/ours)
}

func times(ratio float64) string {
	if ratio < 1 {
		return fmt.Sprintf("%.3f", ratio)
	}
	return fmt.Sprintf("%.1f", ratio)
}

func heading(what string) {
	fmt.Printf("%-50s %10s %10s %9s  %-19s %s\n", what, "Kubernetes", "podium", "ratio", "least .. most", "goal")
}

func line(name string, s *series, verdict string) {
	_, theirs, _ := spread(s.peer)
	_, mine, _ := spread(s.ours)
	low, ratio, high := spread(s.ratio)
	fmt.Printf("%-50s %10s %10s %9s  %-19s %s\n", name, text(theirs), text(mine), times(ratio), times(low)+" .. "+times(high), verdict)
}

func goalOf(name string) float64 {
	for _, g := range goals {
		if strings.HasPrefix(name, g.prefix) {
			return g.ratio
		}
	}
	return 0
}

func main() {
	peers := flag.String("peers", "", "the folder of the peers' programs")
	ours := flag.String("ours", "", "the folder of podium's benchmarks")
	rounds := flag.Int("runs", 5, "how often each side runs")
	pods := flag.Int("pods", 0, "the scheduler places at most so many pods of a workload; 0: all")
	flag.Parse()
	peer := filepath.Join(*peers, "kubernetes")
	var areas []area
	for _, name := range flag.Args() {
		if name == "schedule" || name == "cycle" {
			compareSchedulers(filepath.Join(*peers, "scheduler"), filepath.Join(*ours, "bench_schedule"), name, *rounds, *pods)
			continue
		}
		group, ok := groups[name]
		if !ok {
			fail("there is no group %q; there are: primitives, autoscale, schedule, cycle", name)
		}
		areas = append(areas, group...)
	}
	if len(areas) == 0 {
		return
	}

	all, extra := map[string]*series{}, map[string]*series{}
	var order []string
	wrong := 0
	for round := 0; round < *rounds; round++ {
		for _, a := range areas {
			fmt.Fprintf(os.Stderr, "\rround %d of %d: %-12s", round+1, *rounds, a.name)
			program := filepath.Join(*ours, "bench_"+a.program)
			var theirs, mine map[string]measurement
			if round%2 == 0 { // whoever runs second must not have it better each time
				theirs, mine = runPeer(peer, a), runOurs(program, a)
			} else {
				mine, theirs = runOurs(program, a), runPeer(peer, a)
			}
			if len(theirs) == 0 {
				fail("the peers' program measured nothing of %q", a.name)
			}
			for name, t := range theirs {
				m, ok := mine[name]
				if !ok && a.goal > 0 {
					continue
				}
				if !ok {
					fail("podium has no benchmark %q", name)
				}
				if len(t.check) == 0 {
					fail("%s: nothing shows what the peer computed", name)
				}
				for what, value := range t.check {
					got, ok := m.check[what]
					agreed := ok && got == value
					if pair, known := different[name+" "+what]; known {
						agreed = ok && got == pair[0] && value == pair[1]
					}
					if !agreed {
						fmt.Fprintf(os.Stderr, "\n%s: %s is %v, the peer's is %v\n", name, what, m.check[what], value)
						wrong++
					}
				}
				s := all[name]
				if s == nil {
					s = &series{}
					all[name] = s
				}
				s.add(t.ns, m.ns)
			}
			for ours, peers := range beside {
				for name, m := range mine {
					if which, ok := strings.CutPrefix(name, ours); ok {
						s := extra[name]
						if s == nil {
							s = &series{}
							extra[name] = s
						}
						t, ok := theirs[peers+which]
						if !ok {
							fail("the peers have no workload %q", peers+which)
						}
						s.add(t.ns, m.ns)
					}
				}
			}
		}
	}
	fmt.Fprintf(os.Stderr, "\r%40s\r", "")
	goal := map[string]float64{}
	for _, a := range areas {
		var names []string
		for name := range all {
			if strings.HasPrefix(name, a.name+"/") {
				names = append(names, name)
				goal[name] = a.goal
			}
		}
		sort.Strings(names)
		order = append(order, names...)
	}

	heading("workload, time for one operation (median)")
	for _, g := range goals {
		for _, a := range areas {
			if strings.HasPrefix(g.prefix, a.name+"/") && !slices.ContainsFunc(order, func(name string) bool { return strings.HasPrefix(name, g.prefix) }) {
				fail("no workload has the goal of %q", g.prefix)
			}
		}
	}
	least, which, missed := 0.0, "", 0
	for _, name := range order {
		s := all[name]
		_, ratio, _ := spread(s.ratio)
		wanted, verdict := max(goalOf(name), goal[name]), ""
		if wanted > 0 {
			verdict = fmt.Sprintf("%.0f", wanted)
			if ratio < wanted {
				verdict += " MISSED"
				missed++
			}
		}
		line(name, s, verdict)
		if which == "" || ratio < least {
			least, which = ratio, name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		line(name, extra[name], "beside")
	}
	for _, name := range slices.Sorted(maps.Keys(different)) {
		if workload, _, _ := strings.Cut(name, " "); all[workload] == nil {
			continue
		}
		fmt.Printf("rightly different: %s: podium %.0f, Kubernetes %.0f\n", name, different[name][0], different[name][1])
	}
	if missed > 0 {
		fmt.Printf("%d goals missed\n", missed)
	}
	fmt.Printf("least ratio: %s (%s)\n", times(least), which)
	if wrong > 0 {
		fail("%d check values differ", wrong)
	}
}
