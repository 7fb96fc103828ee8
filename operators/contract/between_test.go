package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
)

// guard passes spectrograms on and refuses those of a recording whose name begins with "refuse".
func guard([]byte, pipeline.Env) (pipeline.Operator, error) {
	return pipeline.OperatorFunc(func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
		if strings.HasPrefix(m.Header[header.Source], "refuse") {
			return pipeline.Errorf(pipeline.Invalid, "refused")
		}
		return emit(ctx, m)
	}), nil
}

// TestAnOperatorBetweenSpectrogramAndTrain puts an operator of the user's own between two of ours: one line in the
// registry and two fields in the pipeline file. The trainer learns from what has passed, and from nothing else.
func TestAnOperatorBetweenSpectrogramAndTrain(t *testing.T) {
	s := spec(t, "mill", 12)
	s.DataDir, s.Listen = t.TempDir(), "127.0.0.1:0"
	train := s.Operators[1]
	train.From = "guarded"
	s.Operators = []pipeline.OperatorSpec{s.Operators[0], {Name: "guard", Operator: "guard", From: "spectrogram", To: "guarded"}, train}
	reg := registry()
	reg["guard"] = guard
	if err := pipeline.Check(s, reg); err != nil {
		t.Fatal(err)
	}
	bus, stop := runWith(t, s, reg)
	c := dial(t, bus.URL(), "mill")
	for i := range 6 {
		c.publish("low", nats.Header{"Wavemill-Source": {"low " + strconv.Itoa(i)}, "Wavemill-Group": {"theo"}}, tone(300, float64(i)))
		c.publish("high", nats.Header{"Wavemill-Source": {"high " + strconv.Itoa(i)}, "Wavemill-Group": {"lucas"}}, tone(2500, float64(i)))
	}
	c.publish("low", nats.Header{"Wavemill-Source": {"refuse.wav"}}, tone(300, 0.5))
	if letter := c.next("dlq"); letter.Subject != "mill.dlq.guard" || letter.Header.Get("Wavemill-Source") != "refuse.wav" ||
		letter.Header.Get("Wavemill-Dead-Stream") != "MILL_SPECTROGRAM" {
		t.Errorf("%s: %v", letter.Subject, letter.Header)
	}
	if n := clipsOf(t, c.next("model").Data); n != 12 {
		t.Errorf("a model was trained on %d clips, want 12", n)
	}
	sources := map[string]bool{}
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: "guarded", From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		source := m.Header[header.Source]
		group := map[bool]string{true: "theo", false: "lucas"}[strings.HasPrefix(source, "low")]
		if m.Type != pipeline.TypeSpectrogram || sources[source] || m.Header[header.Group] != group {
			t.Errorf("%s of type %s, group %q, or twice", source, m.Type, m.Header[header.Group])
		}
		sources[source] = true
	}
	if len(sources) != 12 {
		t.Errorf("%d spectrograms have passed, want 12", len(sources))
	}
	stop()

	// Everything is acknowledged; a trainer that starts again reads the stream that it is to read.
	s.Operators[2].Config = bytes.Replace(s.Operators[2].Config, []byte("steps: 4"), []byte("steps: 4\nname: second"), 1)
	bus, _ = runWith(t, s, reg)
	watching, stopWatching := context.WithTimeout(t.Context(), patience)
	defer stopWatching()
	n := 0
	if err := bus.Models().Watch(watching, "second", func(e modelstore.Entry) {
		n = clipsOf(t, e.Info)
		stopWatching()
	}); err != nil || n != 12 {
		t.Errorf("after a restart a model was trained on %d clips, want 12 (%v)", n, err)
	}
}

// clipsOf returns how many clips a model event says the model was trained on.
func clipsOf(t *testing.T, event []byte) int {
	t.Helper()
	var e struct{ Clips int }
	if err := json.Unmarshal(event, &e); err != nil {
		t.Errorf("model event %s: %v", event, err)
	}
	return e.Clips
}

func runWith(t *testing.T, s pipeline.Spec, reg pipeline.Registry) (*pipeline.Bus, func()) {
	t.Helper()
	return runLogged(t, s, reg, slog.New(slog.NewTextHandler(t.Output(), nil)))
}
