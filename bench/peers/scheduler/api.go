package main

import (
	"encoding/json"
	"fmt"
	"sync"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"
)

// memAPI stands in for an API server: it keeps the pods in a map and answers with watch events. Nothing is serialised, stored
// or sent, except that a patch goes through JSON.
type memAPI struct {
	*fake.Clientset
	mu       sync.Mutex
	pods     map[string]*v1.Pod
	events   chan watch.Event
	revision int
	bound    int
	want     int
	done     chan struct{} // closed when `want` pods are bound
}

type watching chan watch.Event

func (w watching) Stop()                          {}
func (w watching) ResultChan() <-chan watch.Event { return w }

func newMemAPI(nodes []*v1.Node, pods []*v1.Pod, want int) *memAPI {
	a := &memAPI{Clientset: fake.NewClientset(), pods: map[string]*v1.Pod{}, events: make(chan watch.Event, 1<<17), want: want, done: make(chan struct{})}
	for _, n := range []string{"default", "sched-0", "sched-1"} {
		a.Tracker().Add(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n}})
	}
	allNodes, allPods := &v1.NodeList{}, &v1.PodList{}
	allNodes.ResourceVersion, allPods.ResourceVersion = "1", "1"
	for _, n := range nodes {
		allNodes.Items = append(allNodes.Items, *n)
	}
	for _, p := range pods {
		a.pods[string(p.UID)] = p
		allPods.Items = append(allPods.Items, *p)
	}
	a.PrependReactor("list", "nodes", func(ktesting.Action) (bool, runtime.Object, error) { return true, allNodes, nil })
	a.PrependReactor("list", "pods", func(ktesting.Action) (bool, runtime.Object, error) { return true, allPods, nil })
	a.PrependWatchReactor("nodes", func(ktesting.Action) (bool, watch.Interface, error) {
		return true, make(watching), nil
	})
	a.PrependWatchReactor("pods", func(ktesting.Action) (bool, watch.Interface, error) { return true, watching(a.events), nil })
	a.PrependReactor("create", "pods", func(act ktesting.Action) (bool, runtime.Object, error) {
		if act.GetSubresource() != "binding" {
			return false, nil, nil
		}
		b := act.(ktesting.CreateAction).GetObject().(*v1.Binding)
		a.mu.Lock()
		defer a.mu.Unlock()
		p := *a.pods[b.Namespace+"/"+b.Name] // the old object stays as it was
		p.Spec.NodeName = b.Target.Name
		a.put(watch.Modified, &p)
		if a.bound++; a.bound == a.want {
			close(a.done)
		}
		return true, b, nil
	})
	existing := func(act ktesting.Action, name string) (*v1.Pod, error) {
		if p := a.pods[act.GetNamespace()+"/"+name]; p != nil {
			return p, nil
		}
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, name)
	}
	a.PrependReactor("patch", "pods", func(act ktesting.Action) (bool, runtime.Object, error) {
		patch := act.(ktesting.PatchAction)
		a.mu.Lock()
		defer a.mu.Unlock()
		p, err := existing(act, patch.GetName())
		if err != nil {
			return true, nil, err
		}
		before, _ := json.Marshal(p)
		after, err := strategicpatch.StrategicMergePatch(before, patch.GetPatch(), v1.Pod{})
		changed := &v1.Pod{}
		if err == nil {
			err = json.Unmarshal(after, changed)
		}
		if err == nil {
			a.put(watch.Modified, changed)
		}
		return true, changed, err
	})
	a.PrependReactor("delete", "pods", func(act ktesting.Action) (bool, runtime.Object, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		p, err := existing(act, act.(ktesting.DeleteAction).GetName())
		if err == nil {
			delete(a.pods, string(p.UID))
			a.events <- watch.Event{Type: watch.Deleted, Object: p}
		}
		return true, p, err
	})
	return a
}

func (a *memAPI) put(what watch.EventType, p *v1.Pod) {
	a.revision++
	p.ResourceVersion = fmt.Sprint(a.revision + 10)
	a.pods[string(p.UID)] = p
	a.events <- watch.Event{Type: what, Object: p}
}

func (a *memAPI) add(p *v1.Pod) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(watch.Added, p)
}
