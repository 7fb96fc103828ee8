package topup_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/augment"
	"wavemill/models/eval"
	"wavemill/models/sampling"
	"wavemill/models/training"
	"wavemill/operators/topup"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
)

// patience is for a machine with much other work: a real round takes seconds.
const patience = 5 * time.Minute

// sound is recording i of a class.
func sound(t *testing.T, class string, i int) audio.Clip {
	t.Helper()
	c, err := synth.Clip(class, uint64(i+1), 8000)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tiny is a model of two classes that has learnt nothing; the tests share it.
var tiny = sync.OnceValues(func() (models.Checkpoint, error) {
	var all []dataset.Recording
	for i := range 12 {
		c, err := synth.Clip([]string{"bell", "kick"}[i%2], uint64(i+1), 8000)
		if err != nil {
			return models.Checkpoint{}, err
		}
		all = append(all, dataset.Recording{Item: dataset.Item{Name: strconv.Itoa(i), Label: c.Label}, Clip: c, Digest: fingerprint.Digest(c), Print: fingerprint.Of(c)})
	}
	set, err := training.Prepare(context.Background(), all, training.Options{Holdout: dataset.Holdout{Seed: 1}})
	if err != nil {
		return models.Checkpoint{}, err
	}
	c, _, err := unmonitored(training.Job{Arch: "vae", Config: []byte(`{"channels":2,"latent":2}`), Seed: 1, Steps: 2}).Run(context.Background(), set)
	return c, err
})

// unmonitored leaves the measurements of clips out, which take most of the time of a small training.
func unmonitored(j training.Job) training.Job {
	j.NewEvaluator = func(training.Set, uint64) (training.Evaluator, error) { return nil, nil }
	j.BestBy = training.BestByLast
	return j
}

// A job makes what is missing without a filter, and has the verdict that the test wants.
type job struct {
	augment.Job
	verdict *atomic.Value
	runs    *atomic.Int64
}

func (j job) Run(ctx context.Context, s *sampling.Sampler, recordings []dataset.Recording, _ augment.Split) (augment.Report, error) {
	j.runs.Add(1)
	if j.verdict.Load() == "too few" {
		return augment.Report{}, fmt.Errorf("proof: %w", augment.ErrTooFewUnseen)
	}
	have := map[string]int{}
	for _, r := range recordings {
		have[r.Label]++
	}
	rows := [][]string{{"file", "label", "origin", "seed", "confidence", "newness", "weight"}}
	for _, label := range s.Labels {
		for i := range max(0, j.To-have[label]) {
			c, err := s.Generate(ctx, sampling.Provenance{Label: label, Seed: j.Seed + uint64(i)})
			if err != nil {
				return augment.Report{}, err
			}
			body, err := c.WAV(wav.PCM16)
			if err != nil {
				return augment.Report{}, err
			}
			name := sampling.FileName(label, c.Seed)
			rows = append(rows, []string{name, label, "generated", strconv.FormatUint(c.Seed, 10), "0.9", "1.0", "1.0"})
			if err := j.Store(name, body); err != nil {
				return augment.Report{}, err
			}
		}
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		return augment.Report{}, err
	}
	gain := eval.Gain{Points: 1.5, Intervals: eval.Intervals{"gain_points": {0.5, 2.5}}, Verdict: j.verdict.Load().(string)}
	return augment.Report{Proof: &augment.Proof{Gain: gain}}, j.Store(augment.ManifestName, b.Bytes())
}

// A mill is a pipeline with the operator, and what its test sees.
type mill struct {
	t       *testing.T
	bus     *pipeline.Bus
	real    bool // whether rounds are real, and not jobs of the test
	verdict atomic.Value
	runs    atomic.Int64
	rounds  chan topup.Outcome
	entry   modelstore.Entry

	pipeline *pipeline.Pipeline // the last that was started
}

func newMill(t *testing.T, config string) *mill {
	t.Helper()
	spec, err := pipeline.ParseSpec(fmt.Appendf(nil, "{name: mill, operators: [{operator: topup, config: %s}]}", config))
	if err != nil {
		t.Fatal(err)
	}
	spec.DataDir = t.TempDir()
	bus, err := pipeline.Open(t.Context(), spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m := &mill{t: t, bus: bus, rounds: make(chan topup.Outcome, 100)}
	m.verdict.Store(eval.UseThem)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := bus.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return m
}

// start runs the pipeline until stop is called.
func (m *mill) start() (stop func()) {
	m.t.Helper()
	hooks := topup.Hooks{OnRound: func(o topup.Outcome) { m.rounds <- o }, NewJob: func(j augment.Job) topup.Job {
		if m.real {
			j.Epochs = 10 // The filter is not what these tests are about.
			return j
		}
		return job{j, &m.verdict, &m.runs}
	}}
	p, err := pipeline.Start(m.t.Context(), m.bus, pipeline.Registry{"topup": topup.Factory(hooks)}, pipeline.Options{Log: slog.New(slog.NewTextHandler(m.t.Output(), nil))})
	if err != nil {
		m.t.Fatal(err)
	}
	m.pipeline = p
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			m.t.Error(err)
		}
	}
}

// next waits for the end of a round.
func (m *mill) next() topup.Outcome {
	m.t.Helper()
	select {
	case o := <-m.rounds:
		return o
	case <-time.After(patience):
		m.t.Fatal("no round ends")
		return topup.Outcome{}
	}
}

func (m *mill) publish(class string, from, to int) {
	m.t.Helper()
	for i := from; i < to; i++ {
		m.record([]dataset.Recording{{Item: dataset.Item{Name: fmt.Sprintf("%s %d.wav", class, i)}, Clip: sound(m.t, class, i)}})
	}
}

// record publishes recordings.
func (m *mill) record(all []dataset.Recording) {
	m.t.Helper()
	for _, r := range all {
		body, err := wav.Encode(r.Clip, wav.Options{NoDither: true})
		if err == nil {
			_, err = m.bus.Publish(m.t.Context(), &pipeline.Message{
				Type: pipeline.TypeAudio, Label: r.Clip.Label, Body: body, Header: map[string]string{header.Source: r.Name},
			})
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
}

// serve puts the tiny model into the store. With another seed it has another digest.
func (m *mill) serve(seed uint64) models.Checkpoint {
	m.t.Helper()
	c, err := tiny()
	if err != nil {
		m.t.Fatal(err)
	}
	c.Seed = seed
	m.put(c)
	return c
}

func (m *mill) put(c models.Checkpoint) {
	m.t.Helper()
	content, err := c.Encode()
	if err != nil {
		m.t.Fatal(err)
	}
	digest, err := c.Digest()
	if err == nil {
		m.entry, err = m.bus.Models().Put(m.t.Context(), "vae", digest, content, nil, m.entry)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// notices follows what the operator announces from now on; the result waits for a notice.
func (m *mill) notices() func(want func(topup.Details) bool) topup.Details {
	m.t.Helper()
	notices, err := m.bus.Conn().SubscribeSync("mill.model.progress")
	if err != nil {
		m.t.Fatal(err)
	}
	return func(want func(topup.Details) bool) topup.Details {
		m.t.Helper()
		for deadline := time.Now().Add(patience); ; {
			msg, err := notices.NextMsg(time.Until(deadline))
			if err != nil {
				m.t.Fatalf("the notice does not come: %v", err)
			}
			var n struct {
				Kind string `json:"kind"`
				topup.Details
			}
			if err := json.Unmarshal(msg.Data, &n); err != nil {
				m.t.Fatal(err)
			}
			if n.Kind == "topup" && want(n.Details) {
				return n.Details
			}
		}
	}
}

// clips counts the clips of the stream by label, and fails where one is there twice.
func (m *mill) clips() map[string]int {
	m.t.Helper()
	count, seen := map[string]int{}, map[string]bool{}
	for c, err := range m.bus.Messages(m.t.Context(), pipeline.Subscription{Stream: pipeline.TypeClip, From: 1, Last: true}) {
		if err != nil {
			m.t.Fatal(err)
		}
		key := c.Label + c.Header[header.Seed] + c.Header[header.Model]
		if seen[key] {
			m.t.Errorf("%s is there twice", c.ID)
		}
		seen[key] = true
		count[c.Label]++
		p, _, err := sampling.ReadProvenance(c.Body)
		if err != nil || p.Label != c.Label || p.Model != c.Header[header.Model] || c.Header[header.Topup] != "topup" || !m.real && c.Header[header.Confidence] != "0.9" {
			m.t.Errorf("clip %s: %+v, %v, %v", c.ID, p, c.Header, err)
		}
	}
	return count
}

const config = "{to: 8, idle: 100ms, again: 2, lease: 500ms}"

func TestEveryLabelGetsItsClips(t *testing.T) {
	m := newMill(t, config)
	m.publish("bell", 0, 6)
	m.publish("kick", 0, 3)
	stop := m.start()
	m.serve(1)
	if o := m.next(); o.State != topup.StateFull || o.Verdict != eval.UseThem {
		t.Errorf("%+v", o)
	}
	if got := m.clips(); got["bell"] != 2 || got["kick"] != 5 {
		t.Errorf("clips %v", got)
	}
	// More recordings: nothing is missing any more, and nothing is generated.
	m.publish("bell", 6, 12)
	if o := m.next(); o.State != topup.StateFull || m.runs.Load() != 1 {
		t.Errorf("%+v after %d jobs", o, m.runs.Load())
	}
	stop()
	// A restart, and then another model: the clips that there are count.
	stop = m.start()
	defer stop()
	m.serve(2)
	if o := m.next(); o.State != topup.StateFull || m.runs.Load() != 1 {
		t.Errorf("%+v after %d jobs", o, m.runs.Load())
	}
	if got := m.clips(); got["bell"] != 2 || got["kick"] != 5 {
		t.Errorf("clips %v", got)
	}
}

func TestItStopsWhereClipsDoNotHelp(t *testing.T) {
	m := newMill(t, config)
	notice := m.notices()
	m.verdict.Store(eval.NoDifference)
	m.publish("bell", 0, 6)
	m.publish("kick", 0, 6)
	m.serve(1)
	stop := m.start()
	if o := m.next(); o.State != topup.StateStopped || !strings.Contains(o.Reason, eval.NoDifference) || len(m.clips()) != 0 {
		t.Errorf("%+v, clips %v", o, m.clips())
	}
	notice(func(d topup.Details) bool { return d.State == topup.StateStopped && d.Verdict == eval.NoDifference })
	stop()
	// It does not try again after a restart, but with another model.
	stop = m.start()
	defer stop()
	if state := m.status(topup.StateStopped); !strings.Contains(state.Reason, eval.NoDifference) || m.runs.Load() != 1 {
		t.Errorf("%+v after %d jobs", state, m.runs.Load())
	}
	m.verdict.Store(eval.UseThem)
	m.serve(2)
	if o := m.next(); o.State != topup.StateFull || m.runs.Load() != 2 {
		t.Errorf("%+v after %d jobs", o, m.runs.Load())
	}
	if got := m.clips(); got["bell"] != 2 || got["kick"] != 2 {
		t.Errorf("clips %v", got)
	}
}

// status asks for the operator's details until they have the state.
func (m *mill) status(want string) topup.Details {
	m.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		var s struct{ Details topup.Details }
		r, err := m.bus.Conn().Request("mill.status.topup", nil, patience)
		if err == nil {
			err = json.Unmarshal(r.Data, &s)
		}
		if err != nil {
			m.t.Fatal(err)
		}
		if s.Details.State == want {
			return s.Details
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("state %+v", s.Details)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A round that was interrupted while it published is done again, and publishes only what is missing.
func TestInterruptedRound(t *testing.T) {
	m := newMill(t, config)
	m.publish("bell", 0, 6)
	m.publish("kick", 0, 3)
	sampler, err := sampling.OpenWith(m.serve(1), architectures.Open)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(3) { // What a process had published that was killed before it recorded the outcome.
		c, err := sampler.Generate(t.Context(), sampling.Provenance{Label: "kick", Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		body, err := c.WAV(wav.PCM16)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.bus.Publish(t.Context(), &pipeline.Message{
			ID: fmt.Sprintf("mill/topup@%s/kick/%d", c.Model, seed), Type: pipeline.TypeClip, Label: "kick", Body: body,
			Header: map[string]string{header.Topup: "topup", header.Seed: strconv.FormatUint(seed, 10), header.Model: c.Model, header.Confidence: "0.9"},
		}); err != nil {
			t.Fatal(err)
		}
	}
	defer m.start()()
	m.next()
	if got := m.clips(); got["bell"] != 2 || got["kick"] != 5 {
		t.Errorf("clips %v", got)
	}
	if d := m.status(topup.StateFull); d.Published != 4 || d.Duplicates != 0 {
		t.Errorf("%+v: 3 of the 7 clips were there", d)
	}
}

func TestWithoutProofableRecordings(t *testing.T) {
	m := newMill(t, config)
	m.verdict.Store("too few")
	m.publish("bell", 0, 2)
	m.publish("kick", 0, 2)
	m.serve(1)
	defer m.start()()
	if o := m.next(); o.State != topup.StateStopped || !strings.Contains(o.Reason, "proof: false") {
		t.Errorf("%+v", o)
	}
}

func TestConfigurationFaults(t *testing.T) {
	for config, want := range map[string]string{
		"{}":                         "to is missing",
		"{to: 5, model: a b}":        "model",
		"{to: 5, confidence: 1}":     "confidence",
		"{to: 5, idle: 0s}":          "idle",
		"{to: 5, again: 0}":          "again",
		"{to: 5, again_share: 2}":    "again_share",
		"{to: 5, max_recordings: 1}": "max_recordings",
		"{to: 5, max_clips: 0}":      "max_clips",
		"{to: 5, lease: 1ms}":        "lease",

		"{to: 5, proof_steps: -1}":            "proof_steps",
		"{to: 5, proof_seeds: -1}":            "proof_seeds",
		"{to: 5, proof_budget: -1s}":          "proof_budget",
		"{to: 5, proof_augmentation: [loud]}": "proof_augmentation: augmentation \"loud\" is unknown",

		"{to: 5, labels: [bell]}": "labels",
	} {
		_, err := topup.Factory(topup.Hooks{})([]byte(config), pipeline.Env{Operator: "topup", Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}
