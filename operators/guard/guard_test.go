package guard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/operators/guard"
	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// encode returns a clip as a WAV file.
func encode(t *testing.T, c audio.Clip) []byte {
	t.Helper()
	data, err := wav.Encode(c, wav.Options{NoDither: true})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A recording is a message of a test.
type recording struct {
	label, source string
	body          []byte
	want          string // a rule that it breaks; empty: none
}

// recordings are n good clips of each of three classes, and some that a guard refuses among them.
func recordings(t *testing.T, n int) []recording {
	t.Helper()
	var out []recording
	classes := []string{"bell", "kick", "vowel"}
	clip := func(class string, seed int) audio.Clip {
		c, err := synth.Clip(class, uint64(seed), 8000)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	scaled := func(c audio.Clip, gain float32) audio.Clip {
		c.Samples = slices.Clone(c.Samples)
		for i, v := range c.Samples {
			c.Samples[i] = max(-1, min(1, gain*v))
		}
		return c
	}
	for i := range n {
		for j, class := range classes {
			c := clip(class, i+1)
			out = append(out, recording{class, fmt.Sprintf("%s %d.wav", class, i), encode(t, c), ""})
			if i%10 != 5 {
				continue
			}
			odd := clip(class, 1000+i)
			out = append(out,
				recording{classes[(j+1)%3], fmt.Sprintf("wrong %s %d.wav", class, i), encode(t, odd), "label"},
				recording{class, fmt.Sprintf("silent %s %d.wav", class, i), encode(t, scaled(odd, 0)), "silent"},
				recording{class, fmt.Sprintf("loud %s %d.wav", class, i), encode(t, scaled(odd, 30)), "clipped"},
				recording{class, fmt.Sprintf("copy %s %d.wav", class, i), encode(t, scaled(c, 0.6)), "copy"},
				recording{class, fmt.Sprintf("cut %s %d.wav", class, i), encode(t, odd)[:4000], "truncated"},
			)
		}
	}
	return out
}

// spec is a pipeline with a guard alone.
func spec(t *testing.T, dir, config string) pipeline.Spec {
	t.Helper()
	s, err := pipeline.ParseSpec(fmt.Appendf(nil, `
name: mill
operators:
  - {operator: guard, from: audio, to: guarded, config: %s}
`, config))
	if err != nil {
		t.Fatal(err)
	}
	s.DataDir = dir
	return s
}

func registry() pipeline.Registry { return pipeline.Registry{"guard": guard.Factory()} }

// open opens the bus of a spec for the length of the test, or until closed is called.
func open(t *testing.T, s pipeline.Spec) (bus *pipeline.Bus, closed func()) {
	t.Helper()
	bus, err := pipeline.Open(t.Context(), s, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := false
	closed = func() {
		if !done {
			done = true
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := bus.Close(ctx); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(closed)
	return bus, closed
}

func publish(t *testing.T, bus *pipeline.Bus, all []recording) {
	t.Helper()
	for _, r := range all {
		m := &pipeline.Message{Type: pipeline.TypeAudio, Label: r.label, Body: r.body, Header: map[string]string{header.Source: r.source, header.Group: "someone"}}
		if _, err := bus.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs the pipeline until f returns true of the processed messages, and stops it.
func run(t *testing.T, bus *pipeline.Bus, until func(processed int) bool) {
	t.Helper()
	done := make(chan struct{})
	n, ended := 0, false
	p, err := pipeline.Start(t.Context(), bus, registry(), pipeline.Options{
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		OnEvent: func(e pipeline.Event) {
			if e.Type == pipeline.EventProcessed || e.Type == pipeline.EventDead {
				if n++; until(n) && !ended {
					ended = true
					close(done)
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("messages are not processed in time")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

// outputs reads what has passed and what is in quarantine, by source.
func outputs(t *testing.T, bus *pipeline.Bus) (passed, refused map[string]*pipeline.Message) {
	t.Helper()
	read := func(stream string) map[string]*pipeline.Message {
		out := map[string]*pipeline.Message{}
		for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: stream, From: 1, Last: true}) {
			if err != nil {
				t.Fatal(err)
			}
			source := m.Header[header.Source]
			if out[source] != nil {
				t.Errorf("%s is in %s twice", source, stream)
			}
			out[source] = m
		}
		return out
	}
	return read("guarded"), read(pipeline.TypeQuarantine)
}

func TestMessagesPassUnchangedOrAreRefusedWithReasons(t *testing.T) {
	bus, _ := open(t, spec(t, t.TempDir(), "{window: 128, min_clips: 32, idle: 100ms}"))
	all := recordings(t, 30)
	publish(t, bus, all)
	run(t, bus, func(n int) bool { return n == len(all) })
	passed, refused := outputs(t, bus)
	if len(passed)+len(refused) != len(all) {
		t.Errorf("%d have passed and %d are refused, of %d", len(passed), len(refused), len(all))
	}
	wrong := 0
	for _, r := range all {
		m, in := passed[r.source], refused[r.source]
		switch {
		case (m == nil) == (in == nil):
			t.Errorf("%s: passed %v, refused %v", r.source, m != nil, in != nil)
		case r.want == "" && m == nil, r.want != "" && in == nil:
			wrong++
			t.Logf("%s is judged wrongly: %v", r.source, cmpHeader(m, in))
		}
		for _, x := range []*pipeline.Message{m, in} {
			if x == nil {
				continue
			}
			var scores struct {
				Level *float64 `json:"level_db"`
			}
			var basis struct{ Clips int }
			if json.Unmarshal([]byte(x.Header[header.GuardScores]), &scores) != nil || scores.Level == nil ||
				json.Unmarshal([]byte(x.Header[header.GuardBasis]), &basis) != nil || basis.Clips < 30 {
				t.Errorf("%s: scores %s, basis %s", r.source, x.Header[header.GuardScores], x.Header[header.GuardBasis])
			}
			if !bytes.Equal(x.Body, r.body) || x.Label != r.label || x.Header[header.Group] != "someone" {
				t.Errorf("%s: the message has changed", r.source)
			}
		}
		if m != nil && (m.Type != pipeline.TypeAudio || m.Header[header.Guard] != header.Passed || m.Header[header.GuardReason] != "") {
			t.Errorf("%s: %v", r.source, m.Header)
		}
		if in != nil && (in.Type != pipeline.TypeQuarantine || in.Header[header.Guard] != header.Refused || in.Header[header.GuardReason] == "" ||
			r.want != "" && !strings.Contains(in.Header[header.GuardRules], r.want) ||
			in.Header[header.QuarantineType] != pipeline.TypeAudio || in.Header[header.QuarantineTo] != "guarded" ||
			in.Header[header.QuarantineStream] != "MILL_AUDIO" || in.Header[header.QuarantineSequence] == "" || in.Header[header.QuarantineMessageID] == "") {
			t.Errorf("%s, want %s: %v", r.source, r.want, in.Header)
		}
	}
	if wrong > len(all)/20 {
		t.Errorf("%d of %d are judged wrongly", wrong, len(all))
	}
}

func cmpHeader(all ...*pipeline.Message) string {
	for _, m := range all {
		if m != nil {
			return m.Header[header.GuardReason] + " " + m.Header[header.GuardScores]
		}
	}
	return ""
}

// An operator that is stopped and started again, with nothing in its memory, comes to the same verdicts in the same words.
func TestVerdictsSurviveRestarts(t *testing.T) {
	all := recordings(t, 16)
	var first map[string]string
	for _, restarts := range []bool{false, true} {
		s := spec(t, t.TempDir(), "{window: 64, min_clips: 32, idle: 100ms}")
		bus, _ := open(t, s)
		publish(t, bus, all)
		for from := 0; from < len(all); {
			until, seen := len(all)-from, 0
			if restarts {
				until = min(until, 23)
			}
			run(t, bus, func(n int) bool { seen = n; return n >= until })
			from += seen
		}
		passed, refused := outputs(t, bus)
		got := map[string]string{}
		for source, m := range passed {
			got[source] = fmt.Sprint(m.Header)
		}
		for source, m := range refused {
			got[source] = fmt.Sprint(m.Header)
		}
		if len(got) != len(all) {
			t.Fatalf("restarts %v: %d of %d", restarts, len(got), len(all))
		}
		if first == nil {
			first = got
			continue
		}
		for source := range maps.Keys(first) {
			if first[source] != got[source] {
				t.Errorf("%s\nwithout restarts: %s\nwith restarts: %s", source, first[source], got[source])
			}
		}
	}
}

// Two replicas share the messages of a stream, and judge them as one does.
func TestReplicasAgree(t *testing.T) {
	all := recordings(t, 12)
	var first map[string]string
	for _, replicas := range []int{1, 2} {
		s := spec(t, t.TempDir(), "{window: 64, min_clips: 32, idle: 100ms}")
		s.Operators[0].Replicas = replicas
		bus, _ := open(t, s)
		publish(t, bus, all)
		var processed atomic.Int64
		var running []*pipeline.Pipeline
		done := make(chan struct{})
		for range replicas {
			p, err := pipeline.Start(t.Context(), bus, registry(), pipeline.Options{OnEvent: func(e pipeline.Event) {
				if e.Type == pipeline.EventProcessed && processed.Add(1) == int64(len(all)) {
					close(done)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			running = append(running, p)
		}
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("messages are not processed in time")
		}
		for _, p := range running {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			if err := p.Stop(ctx); err != nil {
				t.Error(err)
			}
			cancel()
		}
		passed, refused := outputs(t, bus)
		got := map[string]string{}
		for _, of := range []map[string]*pipeline.Message{passed, refused} {
			for source, m := range of {
				got[source] = fmt.Sprint(m.Header)
			}
		}
		if len(got) != len(all) {
			t.Errorf("%d replicas: %d of %d", replicas, len(got), len(all))
		}
		if first == nil {
			first = got
		}
		for source := range first {
			if first[source] != got[source] {
				t.Errorf("%s\none replica: %s\ntwo: %s", source, first[source], got[source])
			}
		}
	}
}

func TestConfigurationFaults(t *testing.T) {
	for config, want := range map[string]string{
		"{window: 3}":          "window must be",
		"{min_clips: 5000}":    "min_clips",
		"{off: [loudness]}":    "no rule",
		"{idle: 0s}":           "idle",
		"{sample_rate: 1}":     "sample_rate",
		"{model: a b}":         "model",
		"{clipped: 2}":         "clipped",
		"{min_duration: -1s}":  "min_duration",
		"{realness: 1}":        "realness",
		"{min_per_label: 1}":   "min_per_label",
		"{label_margin: .nan}": "label_margin",
	} {
		_, err := guard.Factory()([]byte(config), pipeline.Env{Operator: "guard", Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
	s := spec(t, t.TempDir(), "{}")
	s.Operators[0].To = ""
	if err := pipeline.Check(s, registry()); err == nil || !strings.Contains(err.Error(), "no to") {
		t.Errorf("without to: %v", err)
	}
	s.Operators[0].To, s.Operators[0].Workers = "guarded", 2
	if err := pipeline.Check(s, registry()); err == nil || !strings.Contains(err.Error(), "workers") {
		t.Errorf("two workers: %v", err)
	}
}

func TestUnreadableMessagesBecomeDeadLetters(t *testing.T) {
	bus, _ := open(t, spec(t, t.TempDir(), "{window: 64, min_clips: 4, idle: 50ms}"))
	all := recordings(t, 2)
	all = append(all, recording{"bell", "text.wav", []byte("no audio"), ""}, recording{"bell", "empty.wav", nil, ""})
	publish(t, bus, all)
	run(t, bus, func(n int) bool { return n == len(all) })
	var letters []string
	for l, err := range bus.DeadLetters().List(t.Context(), deadletter.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		letters = append(letters, l.Source)
	}
	if slices.Sort(letters); !slices.Equal(letters, []string{"empty.wav", "text.wav"}) {
		t.Errorf("dead letters: %v", letters)
	}
}
