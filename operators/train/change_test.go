package train_test

import (
	"testing"

	"wavemill/operators/train"
	"wavemill/pipeline/modelstore"
)

// during changes the entry of the model once, at a step of a training.
func (m *mill) during(step int64, change func(*modelstore.Store, modelstore.Entry) (modelstore.Entry, error)) {
	m.onStep = func(at int64) {
		if at != step {
			return
		}
		e, err := m.bus.Models().Get(m.t.Context(), "average")
		if err == nil {
			_, err = change(m.bus.Models(), e)
		}
		if err != nil {
			m.t.Errorf("at step %d: %v", step, err)
		}
	}
}

// A roll-back or a pin by a person during a training is no conflict: the model is judged against what is served then.
func TestTheServedVersionMayChangeDuringATraining(t *testing.T) {
	m := newMill(t, t.TempDir(), quick)
	next := m.notices()
	m.feed(dozen()...)
	m.start()
	first := m.complete(1)
	m.feed(clip("a", "x", 50), clip("b", "y", 51), clip("b", "z", 52))
	second := m.complete(2)
	if second.Version != 2 || second.Gate == nil {
		t.Fatalf("%+v", second)
	}
	m.during(50, func(s *modelstore.Store, e modelstore.Entry) (modelstore.Entry, error) {
		return s.Rollback(t.Context(), e, "it hums")
	})
	m.feed(clip("a", "x1", 53), clip("b", "y1", 54), clip("b", "z1", 55))
	third := m.complete(3)
	e, err := m.bus.Models().Get(t.Context(), "average")
	if err != nil || e.Version != 3 || e.Digest != third.Digest || !e.Trial || len(e.Kept) != 2 || e.Kept[0].Digest != second.Digest || e.Kept[0].Withdrawn == nil || e.Kept[1].Digest != first.Digest {
		t.Errorf("%+v %v", e, err)
	}
	m.during(70, func(s *modelstore.Store, e modelstore.Entry) (modelstore.Entry, error) {
		return s.Pin(t.Context(), e, true)
	})
	m.feed(clip("a", "x2", 56), clip("b", "y2", 57), clip("b", "z2", 58))
	fourth := m.complete(4)
	if n := next(train.NoticePinned); n.Version != 4 || n.Reason == "" {
		t.Errorf("told %+v", n)
	}
	if e, err = m.bus.Models().Get(t.Context(), "average"); err != nil || e.Digest != third.Digest || !e.Pinned || e.Kept[0].Digest != fourth.Digest {
		t.Errorf("%+v %v", e, err)
	}
	if n := m.p.Snapshot()[0].Restarts; n != 0 {
		t.Errorf("%d restarts", n)
	}
}

// A version that was withdrawn is not made again of the same clips, by this process or the next.
func TestAWithdrawnVersionIsNotMadeAgain(t *testing.T) {
	dir := t.TempDir()
	m := newMill(t, dir, quick)
	m.feed(dozen()...)
	m.start()
	first := m.complete(1)
	m.feed(clip("a", "x", 50), clip("b", "y", 51), clip("b", "z", 52))
	m.complete(2)
	e, err := m.bus.Models().Get(t.Context(), "average")
	if err == nil {
		_, err = m.bus.Models().Rollback(t.Context(), e, "it hums")
	}
	if err != nil {
		t.Fatal(err)
	}
	m.shutdown()

	m = newMill(t, dir, quick)
	m.onStep = func(step int64) {
		if step == 21 && m.details().Clips == 15 {
			t.Error("the clips of the withdrawn version are learnt again")
		}
	}
	m.start()
	m.until("it has looked at the clips", func() bool { return m.details().Clips == 15 && m.details().New == 3 })
	// Three clips are new already, so that the first of these may start a training before the others are read.
	m.feed(clip("a", "x1", 53), clip("b", "y1", 54), clip("b", "z1", 55))
	if e := m.complete(1); e.Version != 3 || e.FromStep != first.Step || e.Clips <= 15 || e.Clips > 18 {
		t.Errorf("%+v", e)
	}
}
