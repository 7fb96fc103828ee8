package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// two is a pipeline of two stages: audio to clip, clip to polished.
func two(s *pipeline.Spec) {
	s.Operators = append(s.Operators, pipeline.OperatorSpec{Name: "second", Operator: "work", From: "clip", To: "polished"})
}

// copied emits the body, or fails as it asks.
func copied(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	if string(m.Body) == "bad" {
		return pipeline.Errorf(pipeline.Invalid, "cannot be used")
	}
	return emit(ctx, &pipeline.Message{Type: pipeline.TypeClip, Body: m.Body})
}

// traced runs the two stages with an exporter in memory until n messages have reached the stream polished.
func traced(t *testing.T, log *slog.Logger, publish func(*pipeline.Bus), n uint64) (tracetest.SpanStubs, *pipeline.Bus) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	bus, err := pipeline.Open(within(t), specOf(t, "", two), pipeline.BusOptions{Tracer: provider})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(within(t)); err != nil {
			t.Error(err)
		}
	})
	running, err := pipeline.Start(within(t), bus, on(copied), pipeline.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	publish(bus)
	eventually(t, "the messages at the end", func() bool {
		last, err := bus.LastSequence(t.Context(), "polished")
		return err == nil && last == n
	})
	if err := running.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	return exporter.GetSpans(), bus
}

func attribute0(s tracetest.SpanStub, name string) string {
	for _, a := range s.Attributes {
		if a.Key == attribute.Key(name) {
			return a.Value.String()
		}
	}
	return ""
}

// One trace leads from the publication of a recording through both stages; each span has the one before as its parent.
func TestTrace(t *testing.T) {
	spans, bus := traced(t, nil, func(bus *pipeline.Bus) {
		if _, err := bus.Publish(within(t), &pipeline.Message{Type: pipeline.TypeAudio, Label: "a label", Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}, 1)
	want := []struct {
		name string
		kind trace.SpanKind
	}{
		{"publish t.audio.{label}", trace.SpanKindProducer},
		{"process t.audio.{label}", trace.SpanKindConsumer},
		{"publish t.clip.{label}", trace.SpanKindProducer},
		{"process t.clip.{label}", trace.SpanKindConsumer},
		{"publish t.polished.{label}", trace.SpanKindProducer},
	}
	if len(spans) != len(want) {
		t.Fatalf("%d spans, want %d", len(spans), len(want))
	}
	var parent trace.SpanContext
	for _, w := range want {
		i := slices.IndexFunc(spans, func(s tracetest.SpanStub) bool { return s.Name == w.name })
		if i < 0 {
			t.Fatalf("no span %q", w.name)
		}
		s := spans[i]
		if s.SpanKind != w.kind || s.Parent.SpanID() != parent.SpanID() || parent.IsValid() && s.Parent.TraceID() != parent.TraceID() {
			t.Errorf("%s: %v, parent %v, want %v, parent %v", w.name, s.SpanKind, s.Parent.SpanID(), w.kind, parent.SpanID())
		}
		if w.kind == trace.SpanKindConsumer && (len(s.Links) != 1 || s.Links[0].SpanContext.SpanID() != parent.SpanID()) {
			t.Errorf("%s: links %v", w.name, s.Links)
		}
		if attribute0(s, "messaging.system") != "nats" || strings.Contains(attribute0(s, "messaging.destination.template"), "label-") {
			t.Errorf("%s: attributes %v", w.name, s.Attributes)
		}
		parent = s.SpanContext
	}
	for m, err := range bus.Messages(within(t), pipeline.Subscription{Stream: "polished", From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(m.Header[header.Traceparent], parent.SpanID().String()) {
			t.Errorf("the clip carries %q, want span %v", m.Header[header.Traceparent], parent.SpanID())
		}
	}
}

// A trace that a client of another language began goes on, however the client writes the header's name.
func TestTraceOfClient(t *testing.T) {
	const traceID, spanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	spans, bus := traced(t, nil, func(bus *pipeline.Bus) {
		for _, name := range []string{"Traceparent", "traceparent"} {
			m := nats.NewMsg("t.audio.x")
			m.Header[name] = []string{"00-" + traceID + "-" + spanID + "-01"}
			m.Header["tracestate"] = []string{"vendor=1"}
			m.Data = []byte(name)
			if _, err := bus.JetStream().PublishMsg(within(t), m); err != nil {
				t.Fatal(err)
			}
		}
	}, 2)
	roots := 0
	for _, s := range spans {
		if s.SpanContext.TraceID().String() != traceID {
			t.Errorf("%s is of trace %v", s.Name, s.SpanContext.TraceID())
		}
		if s.Parent.SpanID().String() == spanID {
			roots++
		}
	}
	if len(spans) != 8 || roots != 2 {
		t.Errorf("%d spans, %d of them children of the clients', want 8 and 2", len(spans), roots)
	}
	for m, err := range bus.Messages(within(t), pipeline.Subscription{Stream: "polished", From: 1, Last: true}) {
		if err != nil || m.Header[header.Tracestate] != "vendor=1" {
			t.Errorf("%v %v", m, err)
		}
	}
}

// Every line about a message says which one, and the span of a failed attempt has the error.
func TestLogOfMessage(t *testing.T) {
	var mu sync.Mutex
	var lines bytes.Buffer
	log := slog.New(slog.NewJSONHandler(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return lines.Write(b)
	}), nil))
	spans, _ := traced(t, log, func(bus *pipeline.Bus) {
		for _, body := range []string{"bad", "good"} {
			if _, err := bus.Publish(within(t), &pipeline.Message{ID: "id-" + body, Type: pipeline.TypeAudio, Label: "l", Body: []byte(body)}); err != nil {
				t.Fatal(err)
			}
		}
	}, 1)
	i := slices.IndexFunc(spans, func(s tracetest.SpanStub) bool { return s.Status.Code == codes.Error })
	if i < 0 {
		t.Fatal("no span has an error")
	}
	mu.Lock()
	defer mu.Unlock()
	found := false
	for line := range strings.Lines(lines.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(errors.Join(err, errors.New(line)))
		}
		if l["msg"] != "dead letter" {
			continue
		}
		found = true
		want := map[string]any{"pipeline": "t", "operator": "work", "stream": "T_AUDIO", "seq": 1.0, "msg_id": "id-bad", "trace_id": spans[i].SpanContext.TraceID().String()}
		for name, value := range want {
			if l[name] != value {
				t.Errorf("%s is %v, want %v", name, l[name], value)
			}
		}
	}
	if !found {
		t.Errorf("no line about the dead letter: %s", &lines)
	}
}
