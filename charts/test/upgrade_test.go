//go:build linux

package charttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	appsv1 "k8s.io/api/apps/v1"

	"wavemill/charts/test/rendered"
)

// formerBinary returns the program of chart 0.1, which `make test-upgrade` builds, or today's one, with which the configuration and
// the arguments of chart 0.1 still run.
func formerBinary(t *testing.T) string {
	t.Helper()
	from := os.Getenv("WAVEMILL_FORMER")
	if from == "" {
		return build(t).wavemill
	}
	program, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(build(t).dir, "wavemill-0.1")
	if err := os.WriteFile(to, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestUpgradeFromFormerChart upgrades a release of chart 0.1 with its own values while recordings and requests come in, in the order
// of Helm and Kubernetes: the hook, then the trainer's stateful set, then each deployment pod by pod. No recording and no clip is
// lost or there twice.
func TestUpgradeFromFormerChart(t *testing.T) {
	c := newCluster(t, nil)
	_, host := c.bus("bus", server+"max_payload: 8MB", nil)
	values := "nats: {url: 'nats://" + host + ":4222'}\n" +
		"spectrogram: {replicas: 2, workers: 1}\ngenerate: {replicas: 2}\n" +
		"train: {config: {steps: 20, idle: 1s, wait_for: 12, min_clips: 6, again: 0, seed: 1}}\n"

	c.objects, c.binary = renderFormer(t, values), formerBinary(t)
	old := map[string][]*pod{"train": {c.run("mill-wavemill-train-0", "train")}}
	for _, name := range []string{"spectrogram", "generate"} {
		for i := range 2 {
			old[name] = append(old[name], c.run(fmt.Sprintf("%s-old-%d", name, i), name))
		}
	}
	for _, p := range append(old["spectrogram"], old["train"]...) {
		p.ready()
	}
	js := c.connect("bus")
	load := c.publish(js)
	load.wait(20)
	for _, p := range old["generate"] {
		p.await("ready", readiness)
	}
	requests := c.request(js)
	requests.wait(5)
	early := requests.again.Load() // Generators of 0.1 are ready before they have a model.

	c.apply(values)
	c.binary = build(t).wavemill
	c.hook("mill-wavemill-provision", "provision")
	requests.wait(5)
	old["train"][0].stop()
	c.run("mill-wavemill-train-0", "train").ready()
	load.wait(10)
	for _, name := range []string{"spectrogram", "generate"} {
		c.roll(name, old[name])
		load.wait(10)
		requests.wait(5)
	}
	asked, sent := requests.stop(), load.stop()

	c.settled(js, "WAVEMILL_AUDIO", "wavemill-spectrogram")
	for stream, want := range map[string]int{"WAVEMILL_AUDIO": sent, "WAVEMILL_SPECTROGRAM": sent, "WAVEMILL_CLIP": asked, "WAVEMILL_DLQ": 0} {
		s, err := js.Stream(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		if got := int(s.CachedInfo().State.Msgs); got != want {
			last, err := s.GetMsg(t.Context(), s.CachedInfo().State.LastSeq)
			t.Errorf("%s has %d messages, want %d; the last one: %+v, %v", stream, got, want, last, err)
		}
	}
	// The test of the release begins with `wavemill verify`.
	p := c.make("verify", "test")
	verify := p.spec.InitContainers[0]
	var report struct {
		OK       bool
		Messages int
	}
	verify.Args = append(verify.Args, "--json")
	if err := json.Unmarshal([]byte(p.start(verify, command(verify)).finish()), &report); err != nil || !report.OK {
		t.Errorf("verify: %+v, %v", report, err)
	}
	t.Logf("%d recordings and %d clips, none lost or doubled; %d requests asked again before the upgrade, %d during it: %v",
		sent, asked, early, requests.again.Load()-early, requests.reasons)
}

// roll replaces the pods of a deployment as its rendered strategy says: with a surge of one and none unavailable, a new pod is
// ready before an old one is stopped.
func (c *cluster) roll(component string, old []*pod) {
	c.t.Helper()
	d := c.objects["Deployment/mill-wavemill-"+component].(*appsv1.Deployment)
	if s := d.Spec.Strategy.RollingUpdate; s == nil || s.MaxSurge.IntValue() != 1 || s.MaxUnavailable.IntValue() != 0 || int(*d.Spec.Replicas) != len(old) {
		c.t.Fatalf("%s: %d replicas by the strategy %+v", component, *d.Spec.Replicas, d.Spec.Strategy)
	}
	if d.Spec.Template.Labels[rendered.Component] != component {
		c.t.Fatalf("labels %v", d.Spec.Template.Labels)
	}
	for i, p := range old {
		c.run(fmt.Sprintf("%s-new-%d", component, i), component).ready()
		p.stop()
	}
}

// requests are requests for clips, one after the other, each repeated until it is answered, as a client does that gets no answer
// or is told to ask again.
type requests struct {
	*load
	again   atomic.Int64   // How often a request was repeated.
	reasons map[string]int // How often each reason was given, to be read after the end.
}

// request begins to ask.
func (c *cluster) request(js jetstream.JetStream) *requests {
	r := &requests{load: &load{t: c.t, stored: make(chan int, 1), quit: make(chan struct{})}, reasons: map[string]int{}}
	go func() {
		defer close(r.stored)
		for i := 0; ; {
			select {
			case <-r.quit:
				return
			case <-time.After(40 * time.Millisecond): // The rate of the load.
			}
			answer, err := js.Conn().Request("wavemill.generate", fmt.Appendf(nil, `{"label":"kick","n":1,"seed":%d}`, i), 10*time.Second)
			if err == nil && answer.Header.Get("Nats-Service-Error") != "" {
				err = errors.New(answer.Header.Get("Nats-Service-Error"))
			}
			if err != nil {
				r.again.Add(1)
				r.reasons[err.Error()]++
				continue
			}
			i++
			select {
			case <-r.stored:
			default:
			}
			r.stored <- i
		}
	}()
	return r
}
