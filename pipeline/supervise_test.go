package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
)

// fragile is an operator beside which another one works. Its Run returns what next returns.
type fragile struct {
	next func(ctx context.Context) error
}

func (fragile) Process(context.Context, *pipeline.Message, pipeline.Emit) error { return nil }

func (f fragile) Run(ctx context.Context) error { return f.next(ctx) }

// statusOf asks an operator for its status as any client does.
func statusOf(t *testing.T, bus *pipeline.Bus, operator string) pipeline.Status {
	t.Helper()
	s, err := askedStatus(bus, operator)
	if err != nil {
		t.Fatalf("status of %s: %v", operator, err)
	}
	return s
}

// askedStatus fails where nobody answers, as between the end of an operator that has failed and its next announcement.
func askedStatus(bus *pipeline.Bus, operator string) (s pipeline.Status, err error) {
	reply, err := bus.Conn().Request("t.status."+operator, nil, patience)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(reply.Data, &s); err != nil {
		return s, fmt.Errorf("%s: %w", reply.Data, err)
	}
	return s, nil
}

// A status request is answered while an operator is built, which takes a while where it opens a model.
func TestStatusOfAnOperatorThatStarts(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	reg, starting := on(shout), pipeline.Status{}
	for name, build := range reg {
		reg[name] = func(config []byte, env pipeline.Env) (pipeline.Operator, error) {
			if env.Service != nil { // Without, the configuration is only checked.
				starting = statusOf(t, bus, env.Operator)
			}
			return build(config, env)
		}
	}
	p, err := pipeline.Start(t.Context(), bus, reg, pipeline.Options{Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(context.WithoutCancel(t.Context())) })
	if starting.Ready || starting.Reason != "it is starting" || starting.Operator == "" {
		t.Errorf("while it starts: %+v", starting)
	}
}

// An operator that fails by an error, by a panic or by ending is started again. The others go on, the server stays, and
// the failure shows at that operator alone.
func TestAFailedOperatorLeavesItsNeighboursAlone(t *testing.T) {
	fail, runs := make(chan func() error), atomic.Int32{}
	reg := on(shout)
	reg["fragile"] = func([]byte, pipeline.Env) (pipeline.Operator, error) {
		return fragile{func(ctx context.Context) error {
			runs.Add(1)
			select {
			case f := <-fail:
				return f()
			case <-ctx.Done():
				return nil
			}
		}}, nil
	}
	bus := open(t, specOf(t, "", func(s *pipeline.Spec) {
		s.Operators = append(s.Operators, pipeline.OperatorSpec{Operator: "fragile"})
	}))
	p, err := pipeline.Start(t.Context(), bus, reg, pipeline.Options{Log: testLog(t), RestartDelay: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(within(t)); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	for i, f := range []func() error{
		func() error { return errors.New("no luck") },
		func() error { panic("no sense") },
		func() error { return nil },
	} {
		eventually(t, "it runs", func() bool { return runs.Load() == int32(i+1) && statusOf(t, bus, "fragile").Ready })
		fail <- f
		want := []string{"no luck", "no sense", "ended by itself"}[i]
		eventually(t, "the failure shows: "+want, func() bool {
			s, err := askedStatus(bus, "fragile")
			if err != nil && !errors.Is(err, nats.ErrNoResponders) {
				t.Fatal(err)
			}
			return err == nil && !s.Ready && strings.Contains(s.Reason, want)
		})
		feed(t, bus, want, 5)
		settled(t, bus)
		if s := statusOf(t, bus, "work"); !s.Ready || s.Reason != "" || s.Restarts != 0 {
			t.Errorf("its neighbour: %+v", s)
		}
	}
	eventually(t, "it runs for the fourth time", func() bool { return runs.Load() == 4 })
	if s := statusOf(t, bus, "fragile"); s.Restarts != 3 || !s.Ready {
		t.Errorf("%+v", s)
	}
	select {
	case <-p.Done():
		t.Error("the pipeline has ended")
	default:
	}
	exactlyOnce(t, bus, 1)
}

// A stop does not wait for the restart of a failed operator.
func TestStopWhileAnOperatorWaitsForItsRestart(t *testing.T) {
	reg := pipeline.Registry{"work": func([]byte, pipeline.Env) (pipeline.Operator, error) {
		return fragile{func(context.Context) error { return errors.New("no luck") }}, nil
	}}
	bus := open(t, specOf(t, "", func(s *pipeline.Spec) { s.Operators[0].Workers = 1 }))
	p, err := pipeline.Start(t.Context(), bus, reg, pipeline.Options{Log: testLog(t), RestartDelay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has failed", func() bool { return !p.Snapshot()[0].Ready })
	if err := p.Stop(within(t)); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// A program that waits for a result can ask for the first failure to end everything.
func TestFailFast(t *testing.T) {
	reg := on(shout)
	reg["fragile"] = func([]byte, pipeline.Env) (pipeline.Operator, error) {
		return fragile{func(context.Context) error { return errors.New("no luck") }}, nil
	}
	bus := open(t, specOf(t, "", func(s *pipeline.Spec) {
		s.Operators = append(s.Operators, pipeline.OperatorSpec{Operator: "fragile"})
	}))
	p, err := pipeline.Start(t.Context(), bus, reg, pipeline.Options{Log: testLog(t), FailFast: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err == nil || !strings.Contains(err.Error(), "operator fragile: no luck") {
		t.Errorf("%v", err)
	}
}
