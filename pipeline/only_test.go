package pipeline_test

import (
	"context"
	"testing"

	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
)

// A replayed message is for the stage that failed; another stage on the same stream has done its work, and passes it over. What
// an operator passes on does not carry the restriction.
func TestAReplayIsForOneStage(t *testing.T) {
	fail := true
	pass := func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
		if string(m.Body) == "x-0" && fail {
			return pipeline.Errorf(pipeline.Invalid, "not today")
		}
		out := m.Clone()
		out.Type = "passed"
		return emit(ctx, out)
	}
	reg := on(pass)
	reg["other"] = on(shout)["work"]
	bus := open(t, specOf(t, "", func(s *pipeline.Spec) {
		s.Operators = []pipeline.OperatorSpec{
			{Operator: "work", To: "passed"}, {Operator: "other", From: pipeline.TypeAudio}, {Name: "next", Operator: "other", From: "passed", To: "end"},
		}
	}))
	_, stop := start(t, bus, reg)
	feed(t, bus, "x", 1)
	eventually(t, "a letter and the other stage's output", func() bool {
		return len(kept(t, bus, pipeline.TypeClip)) == 1 && len(kept(t, bus, pipeline.TypeDLQ)) == 1
	})
	stop()
	fail = false
	l, err := bus.DeadLetters().Get(within(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.DeadLetters().Replay(within(t), l); err != nil {
		t.Fatal(err)
	}
	start(t, bus, reg)
	eventually(t, "the output of the stage after it", func() bool { return len(kept(t, bus, "end")) == 1 })
	settled(t, bus)
	if n := len(kept(t, bus, pipeline.TypeClip)); n != 1 {
		t.Errorf("the other stage has worked %d times", n)
	}
	for range bus.DeadLetters().List(within(t), deadletter.Filter{}) {
		t.Error("a letter is left")
	}
}
