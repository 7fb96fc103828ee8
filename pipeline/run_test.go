package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"wavemill/pipeline"
)

// upper is an operator for tests: it answers each audio message with one clip, in upper case.
func upper(config []byte, env pipeline.Env) (pipeline.Operator, error) {
	return consumer{pipeline.TypeAudio, func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
		if strings.HasPrefix(string(m.Body), "bad") {
			return pipeline.Errorf(pipeline.Invalid, "cannot read %q", m.Body)
		}
		return emit(ctx, &pipeline.Message{Type: pipeline.TypeClip, Body: []byte(strings.ToUpper(string(m.Body)))})
	}}, nil
}

type consumer struct {
	input string
	f     pipeline.OperatorFunc
}

func (c consumer) Input() string { return c.input }

func (c consumer) Process(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	return c.f(ctx, m, emit)
}

func TestRunSmoke(t *testing.T) {
	spec := pipeline.Spec{Name: "t", DataDir: t.TempDir(), Operators: []pipeline.OperatorSpec{{Operator: "upper", Workers: 2}}}
	ctx := t.Context()
	bus, err := pipeline.Open(ctx, spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Start(ctx, bus, pipeline.Registry{"upper": upper}, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		body := fmt.Sprintf("m%d", i)
		if i == 7 {
			body = "bad one"
		}
		if _, err := bus.Publish(ctx, &pipeline.Message{Type: pipeline.TypeAudio, Label: "Größe *>. x", Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	within, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for m, err := range bus.Messages(within, pipeline.Subscription{Type: pipeline.TypeClip, From: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Label != "Größe *>. x" {
			t.Errorf("label %q", m.Label)
		}
		if n++; n == 19 {
			break
		}
	}
	start := time.Now()
	stopping, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := errors.Join(p.Stop(stopping), bus.Close(stopping)); err != nil {
		t.Fatal(err)
	}
	t.Logf("stopped in %v; %+v", time.Since(start), p.Snapshot())
}
