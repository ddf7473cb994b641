package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// How many times less processor time than kube-scheduler's with its default sampling: for each pod of the group `schedule`.
const schedulerGoal = 100

var samplings = []string{"adaptive", "all"}

var qualities = []struct{ name, text string }{
	{"placed", "pods placed"},
	{"deviation_half", "deviation of the nodes' cpu use, %, at 3 pods each"},
	{"deviation_full", "deviation of the nodes' cpu use, %, when full"},
}

type scheduled struct {
	pods      float64 // placed; of a single cycle none
	wall, cpu float64 // ns for one pod
	quality   map[string]float64
}

func placedByPeer(program string, args ...string) map[string]scheduled {
	found := map[string]scheduled{}
	for _, one := range bytes.Split(bytes.TrimSpace(run(program, args...)), []byte("\n")) {
		var m map[string]any
		if err := json.Unmarshal(one, &m); err != nil {
			fail("%s: %v", filepath.Base(program), err)
		}
		found[m["name"].(string)] = scheduledFrom(m, "ns_per_op", "cpu_ns_per_op")
	}
	return found
}

func placedByUs(program string, args ...string) map[string]scheduled {
	var report struct{ Benchmarks []map[string]any }
	if err := json.Unmarshal(run(program, append(args, "--benchmark_min_time=0.1", "--benchmark_format=json")...), &report); err != nil {
		fail("%s: %v", filepath.Base(program), err)
	}
	found := map[string]scheduled{}
	for _, m := range report.Benchmarks {
		s := scheduledFrom(m, "real_time", "cpu_time")
		scale := units[m["time_unit"].(string)] / max(1, s.pods)
		s.wall, s.cpu = s.wall*scale, s.cpu*scale
		name, _, _ := strings.Cut(m["name"].(string), "/process_time")
		found[strings.TrimSuffix(name, "/iterations:1")] = s
	}
	return found
}

func scheduledFrom(m map[string]any, wall, cpu string) (s scheduled) {
	s.pods, _ = m["pods"].(float64)
	s.wall, _ = m[wall].(float64)
	s.cpu, _ = m[cpu].(float64)
	s.quality = map[string]float64{}
	for _, what := range qualities {
		s.quality[what.name], _ = m[what.name].(float64)
	}
	return s
}

// The group is `schedule` (pods through a queue until all are bound) or `cycle` (one decision). One workload after the other,
// by both sides in turn, so that a machine that slows down does so for both.
func compareSchedulers(peer, ours, group string, rounds, pods int) {
	var cases, workloads []string // Mix/1000; Mix
	for _, name := range strings.Fields(string(run(ours, "--benchmark_list_tests", "--benchmark_filter=^"+group+"/"))) {
		parts := strings.Split(name, "/")
		cases = append(cases, parts[1]+"/"+parts[2])
		if n := len(workloads); n == 0 || workloads[n-1] != parts[1] {
			workloads = append(workloads, parts[1])
		}
	}
	wall, cpu := map[string]*series{}, map[string]*series{}
	for round := 0; round < rounds; round++ {
		for _, w := range workloads {
			fmt.Fprintf(os.Stderr, "\rround %d of %d: %-40s", round+1, rounds, w)
			var theirs, mine map[string]scheduled
			place := []func(){
				func() {
					theirs = placedByPeer(peer, "-runs", "1", "-only", group+"/"+w+"/", "-pods", fmt.Sprint(pods))
				},
				func() {
					mine = placedByUs(ours, "--benchmark_filter=^"+group+"/"+w+"/", fmt.Sprintf("--pods=%d", pods))
				},
			}
			place[round%2]() // whoever runs second must not have it better each time
			place[1-round%2]()
			for _, name := range cases {
				if !strings.HasPrefix(name, w+"/") {
					continue
				}
				m := mine[group+"/"+name]
				for _, sampling := range samplings {
					t := theirs[group+"/"+name+"/"+sampling]
					if t.wall == 0 || m.wall == 0 || t.pods != m.pods {
						fail("%s/%s: podium placed %.0f pods, kube-scheduler (%s) %.0f", group, name, m.pods, sampling, t.pods)
					}
					key := name + "/" + sampling
					if wall[key] == nil {
						wall[key], cpu[key] = &series{}, &series{}
					}
					wall[key].add(t.wall, m.wall)
					cpu[key].add(t.cpu, m.cpu)
				}
			}
		}
	}
	fmt.Fprintf(os.Stderr, "\r%60s\r", "")

	least, which := 0.0, ""
	var missed []string
	heading("processor time for one pod (median)")
	for _, name := range cases {
		for _, sampling := range samplings {
			key, verdict := name+"/"+sampling, ""
			_, ratio, _ := spread(cpu[key].ratio)
			if group == "schedule" && sampling == "adaptive" {
				verdict = fmt.Sprint(schedulerGoal)
				if ratio < schedulerGoal {
					verdict += " MISSED"
					missed = append(missed, name)
				}
			}
			if which == "" || ratio < least {
				least, which = ratio, key
			}
			line(key, cpu[key], verdict)
		}
	}
	heading("time by the clock for one pod (median)")
	for _, name := range cases {
		for _, sampling := range samplings {
			line(name+"/"+sampling, wall[name+"/"+sampling], "")
		}
	}
	if group == "schedule" {
		fmt.Fprintf(os.Stderr, "filling a cluster with each")
		theirs, mine := placedByPeer(peer, "-runs", "1", "-only", "fill/")["fill/1000"], placedByUs(ours, "--benchmark_filter=^fill/")["fill/1000"]
		fmt.Fprintf(os.Stderr, "\r%60s\r", "")
		if theirs.quality["placed"] == 0 || mine.quality["placed"] == 0 {
			fail("nobody filled a cluster")
		}
		fmt.Printf("%-50s %10s %10s\n", "1000 nodes filled with the mix in five sizes", "Kubernetes", "podium")
		for _, what := range qualities {
			fmt.Printf("%-50s %10.5g %10.5g\n", what.text, theirs.quality[what.name], mine.quality[what.name])
		}
	}
	if len(missed) > 0 {
		fmt.Printf("%d goals missed: %s\n", len(missed), strings.Join(missed, ", "))
	}
	fmt.Printf("least ratio: %s (%s)\n", times(least), which)
}
