//go:build linux

package charttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"sigs.k8s.io/yaml"
)

// everyKind is a pipeline with each kind of the chart: takes become recordings, recordings spectrograms, those that the guard
// passes train a model, and the model generates, on request and to top up.
const everyKind = `
nats: {mode: bundled}
pipeline: {inputs: [take]}
operators:
  segment: {kind: segment, config: {by: length, max: 2s}}
  spectrogram: {kind: spectrogram}
  guard: {kind: guard, from: spectrogram, to: guarded, config: {idle: 500ms, "off": [copy]}}
  embed: {kind: embed, config: {features: mel-statistics}}
  synthesize: {kind: synthesize, to: resynthesized, config: {iterations: 4}}
  train: {kind: train, from: guarded, config: {steps: 20, idle: 1s, wait_for: 12, min_clips: 6, again: 0, gate: false, seed: 1}}
  generate: {kind: generate}
  topup: {kind: topup, config: {to: 6, proof: false, idle: 2s, again: 1000}}
`

// TestEveryKindRuns starts the container of every kind that the chart can render: each becomes ready, and each makes of what it
// reads what it is for.
func TestEveryKindRuns(t *testing.T) {
	c := newCluster(t, nil)
	c.apply(everyKind)
	var values struct {
		Operators map[string]struct{ Kind string }
	}
	var kinds map[string]any
	if err := yaml.Unmarshal([]byte(everyKind), &values); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(readFile(t, chartDir, "files", "kinds.json")), &kinds); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(values.Operators))
	if want := slices.Sorted(maps.Keys(kinds)); !slices.Equal(names, want) {
		t.Fatalf("the test starts %v, and the chart has the kinds %v", names, want)
	}

	c.run("mill-wavemill-nats-0", "nats").ready()
	c.hook("mill-wavemill-provision", "provision")
	running := map[string]*pod{}
	for _, name := range names {
		running[name] = c.run(name+"-a", name)
	}
	for _, name := range names {
		if running[name].up(); name != "generate" {
			running[name].ready()
		}
	}

	js := c.connect("mill-wavemill-nats-0")
	c.publishTakes(js)
	c.finds(js, "WAVEMILL_GUARDED", running["guard"], func(nats.Header) bool { return true })
	c.finds(js, "KV_WAVEMILL_MODEL", running["train"], func(nats.Header) bool { return true })
	running["generate"].ready()
	clip, err := js.Conn().Request("wavemill.generate", []byte(`{"label":"kick","n":1,"seed":7}`), patience)
	if err != nil || len(clip.Data) < 44 {
		t.Errorf("generate answers with %d bytes, %v", len(clip.Data), err)
	}
	for stream, of := range map[string]struct{ kind, key, value string }{
		"WAVEMILL_AUDIO":         {kind: "segment", key: "Wavemill-Start"},
		"WAVEMILL_SPECTROGRAM":   {kind: "spectrogram", key: "Wavemill-Front-End"},
		"WAVEMILL_GUARDED":       {kind: "guard", key: "Wavemill-Guard", value: "passed"},
		"WAVEMILL_EMBEDDING":     {kind: "embed", key: "Wavemill-Features", value: "mel-statistics"},
		"WAVEMILL_RESYNTHESIZED": {kind: "synthesize", key: "Wavemill-Source"},
		"WAVEMILL_CLIP":          {kind: "topup", key: "Wavemill-Topup", value: "topup"},
	} {
		c.finds(js, stream, running[of.kind], func(h nats.Header) bool {
			return h.Get(of.key) != "" && (of.value == "" || h.Get(of.key) == of.value)
		})
	}
	if s, err := js.Stream(t.Context(), "WAVEMILL_DLQ"); err != nil || s.CachedInfo().State.Msgs != 0 {
		t.Errorf("dead letters: %+v, %v", s.CachedInfo().State, err)
	}
	for _, p := range running {
		p.stop()
	}
}

// publishTakes publishes generated sounds of six labels as takes.
func (c *cluster) publishTakes(js jetstream.JetStream) {
	c.t.Helper()
	dir := c.t.TempDir()
	wavemill(c.t, "synth", "--out", dir, "--n", "4", "--seed", "1", "--log-level", "error", "--progress", "off")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.wav"))
	if err != nil || len(files) < 20 {
		c.t.Fatal(files, err)
	}
	for _, file := range files {
		label, name := filepath.Base(filepath.Dir(file)), filepath.Base(file)
		m := &nats.Msg{Subject: "wavemill.take." + label, Data: []byte(readFile(c.t, file)), Header: nats.Header{"Wavemill-Source": {name}}}
		if _, err := js.PublishMsg(c.t.Context(), m, jetstream.WithMsgID(label+"/"+name)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// finds waits until a stream has a message whose headers satisfy is. The pod is the one that should have published it.
func (c *cluster) finds(js jetstream.JetStream, stream string, from *pod, is func(nats.Header) bool) {
	c.t.Helper()
	s, err := js.Stream(c.t.Context(), stream)
	if err != nil {
		c.t.Fatal(err)
	}
	next := uint64(1)
	for deadline := time.Now().Add(patience); ; {
		info, err := s.Info(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		for ; next <= info.State.LastSeq; next++ {
			m, err := s.GetMsg(c.t.Context(), next)
			if err != nil {
				c.t.Fatal(fmt.Errorf("%s %d: %w", stream, next, err))
			}
			if is(m.Header) {
				return
			}
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s has %d messages, and none is from %s:\n%s", stream, info.State.Msgs, from.name, from.containers[0].log())
		}
		time.Sleep(100 * time.Millisecond) // A poll, not a guess.
	}
}
