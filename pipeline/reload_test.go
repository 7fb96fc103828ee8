package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"wavemill/pipeline"
)

// markerConfig is the configuration of an operator that adds a mark to the body.

type markerConfig struct {
	Mark string `yaml:"mark"`
}

func markers(builds *sync.Map) pipeline.Registry {
	return pipeline.Registry{"mark": pipeline.Typed(markerConfig{Mark: "x"}, func(c markerConfig, env pipeline.Env) (pipeline.Operator, error) {
		if strings.Contains(c.Mark, "!") {
			return nil, errors.New("mark: letters only")
		}
		if env.Bus != nil {
			n, _ := builds.LoadOrStore(env.Operator, new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
		}
		return consumer{pipeline.TypeAudio, func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
			return emit(ctx, &pipeline.Message{Type: pipeline.TypeClip, Body: append(m.Body, c.Mark...)})
		}}, nil
	})}
}

// stagesOf is a pipeline of three stages, first, middle and last, of which the middle one adds a mark.
func stagesOf(dir, mark string) pipeline.Spec {
	return pipeline.Spec{Name: "t", DataDir: dir, Operators: []pipeline.OperatorSpec{
		{Name: "first", Operator: "mark", To: "a"},
		{Name: "middle", Operator: "mark", From: "a", To: "b", Config: []byte("mark: " + mark)},
		{Name: "last", Operator: "mark", From: "b", To: "c"},
	}}
}

// Messages flow across reloads: none is lost, none is doubled, and only the stages that changed are built anew.
func TestReloadWhileMessagesFlow(t *testing.T) {
	var builds sync.Map
	dir := t.TempDir()
	bus := open(t, stagesOf(dir, "one"))
	running, err := pipeline.Start(within(t), bus, markers(&builds), pipeline.Options{Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	const phase, phases = 60, 3
	published := make(chan int, phase*phases)
	var publisher sync.WaitGroup
	ctx := within(t)
	publisher.Go(func() {
		for i := range phase * phases {
			if _, err := bus.Publish(ctx, &pipeline.Message{Type: pipeline.TypeAudio, Label: "l", Body: fmt.Appendf(nil, "%04d:", i)}); err != nil {
				t.Error(err)
				return
			}
			published <- i
		}
	})
	wait := func() {
		for range phase {
			<-published
		}
	}
	wait()
	two := stagesOf(dir, "two # and a comment")
	two.Operators = append(two.Operators, pipeline.OperatorSpec{Name: "beside", Operator: "mark", From: "a", To: "d"})
	changes, err := running.Reload(within(t), two)
	if err != nil || !slices.Equal(changes.Restarted, []string{"middle"}) || !slices.Equal(changes.Started, []string{"beside"}) || len(changes.Stopped) > 0 {
		t.Fatalf("%+v, %v", changes, err)
	}
	wait()
	for _, bad := range []func(*pipeline.Spec){
		func(s *pipeline.Spec) { s.Operators[1].Config = []byte("mark: '!'") },
		func(s *pipeline.Spec) { s.Operators[1].Config = []byte("unknown: 1") },
		func(s *pipeline.Spec) { s.Operators[1].From = "nowhere" },
		func(s *pipeline.Spec) { s.Name = "other" },
		func(s *pipeline.Spec) { s.DataDir = t.TempDir() },
	} {
		spec := stagesOf(dir, "three")
		bad(&spec)
		if changes, err := running.Reload(within(t), spec); err == nil || len(changes.Restarted) > 0 {
			t.Errorf("%+v, %v", changes, err)
		}
	}
	if changes, err := running.Reload(within(t), two); err != nil || len(changes.Restarted)+len(changes.Started)+len(changes.Stopped) > 0 {
		t.Errorf("a spec that changes nothing: %+v, %v", changes, err)
	}
	changes, err = running.Reload(within(t), stagesOf(dir, "three"))
	if err != nil || !slices.Equal(changes.Restarted, []string{"middle"}) || !slices.Equal(changes.Stopped, []string{"beside"}) {
		t.Fatalf("%+v, %v", changes, err)
	}
	wait()
	publisher.Wait()
	eventually(t, "all messages at the end", func() bool {
		last, err := bus.LastSequence(t.Context(), "c")
		return err == nil && last >= phase*phases
	})
	times, marks := map[string]int{}, map[string]int{}
	for m, err := range running.Bus().Messages(within(t), pipeline.Subscription{Stream: "c", From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		number, mark, _ := strings.Cut(string(m.Body), ":")
		times[number]++
		marks[mark]++
	}
	for i := range phase * phases {
		if n := times[fmt.Sprintf("%04d", i)]; n != 1 {
			t.Errorf("message %d arrived %d times", i, n)
		}
	}
	if len(marks) != 3 || marks["xonex"]*marks["xtwox"]*marks["xthreex"] == 0 {
		t.Errorf("%v: each configuration has worked", marks)
	}
	for name, want := range map[string]int64{"first": 1, "middle": 3, "last": 1, "beside": 1} {
		if n, ok := builds.Load(name); !ok || n.(*atomic.Int64).Load() != want {
			t.Errorf("%s was not built %d times", name, want)
		}
	}
	if err := running.Stop(within(t)); err != nil {
		t.Error(err)
	}
	if _, err := running.Reload(within(t), two); err == nil {
		t.Error("a pipeline that has stopped is reloaded")
	}
}
