package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/models"
	"wavemill/operators/train"
	"wavemill/pipeline/modelstore"
)

// replica starts another trainer of the same model on the mill's bus.
func (m *mill) replica(onStep func(step int64)) *mill {
	m.t.Helper()
	r := &mill{t: m.t, bus: m.bus, onStep: onStep}
	r.hooks = m.hooks
	r.hooks.NewLearner = func(_ string, _ json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
		return &average{fe: fe, labels: labels, seed: seed, weight: float32(seed), onStep: r.stepped}, nil
	}
	r.hooks.OnEvent = func(e train.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}
	r.start()
	return r
}

// objects lists the contents in the model store.
func (m *mill) objects() (names []string) {
	m.t.Helper()
	store, err := m.bus.JetStream().ObjectStore(m.t.Context(), m.bus.Spec().ModelBucket())
	if err != nil {
		m.t.Fatal(err)
	}
	infos, err := store.List(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	for _, o := range infos {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	return names
}

const leased = "{model: average, steps: 20, batch_size: 4, seed: 5, min_clips: 12, idle: 50ms, again: 3, lease: 500ms}"

// Of two trainers one is active and gets every clip; the other stands by, and takes over with all clips when the active one
// ends.
func TestOneTrainerIsActive(t *testing.T) {
	m := newMill(t, t.TempDir(), leased)
	m.start()
	m.until("the first is active", func() bool { return m.details().Role == train.RoleActive })
	second := m.replica(func(int64) {})
	m.until("the second stands by", func() bool {
		d := second.details()
		return d.Role == train.RoleStandby && strings.Contains(d.Holder, "process")
	})
	if s := second.p.Snapshot()[0]; !s.Ready {
		t.Errorf("one that stands by is not ready: %s", s.Reason)
	}
	m.feed(dozen()...)
	first := m.complete(1)
	m.feed(clip("a", "x", 50), clip("b", "y", 51), clip("b", "z", 52))
	if e := m.complete(2); e.Clips != 15 || e.FromStep != first.Step {
		t.Errorf("%+v", e)
	}
	if s := second.p.Snapshot()[0]; s.Received != 0 || len(second.all()) != 0 {
		t.Errorf("the second one got messages: %+v", s)
	}
	m.stop()
	m.feed(clip("a", "x1", 53), clip("b", "y1", 54), clip("b", "z1", 55))
	if e := second.complete(1); e.Clips != 18 || e.FromStep != 40 || e.Version != 3 {
		t.Errorf("%+v", e)
	}
	if d := second.details(); d.Role != train.RoleActive || d.Holder != "" {
		t.Errorf("%+v", d)
	}
	second.stop()
}

// A trainer that has lost its lease while it trained stores nothing: the other one's model is served. What it has written
// and what a killed writer left is removed.
func TestALostLeaseStoresNothing(t *testing.T) {
	m := newMill(t, t.TempDir(), leased)
	m.feed(dozen()...)
	entered, release := make(chan struct{}), make(chan struct{})
	m.onStep = func(step int64) {
		if step == 7 && len(m.all()) == 0 {
			select {
			case entered <- struct{}{}:
				<-release
			default: // A later training.
			}
		}
	}
	m.start()
	<-entered
	entries, err := m.bus.Models().Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Another process takes the lease over, as it does from a suspended one, and stores a model.
	if _, err := entries.Put(t.Context(), train.Lease("average"), []byte(`{"holder":"the other","ttl":500000000}`)); err != nil {
		t.Fatal(err)
	}
	m.until("it knows", func() bool {
		select {
		case release <- struct{}{}:
			return true
		default:
			return false
		}
	})
	m.until("it stands by, and takes over again when the other is silent", func() bool { return len(m.all()) > 0 })
	m.complete(1)
	for _, e := range m.all() {
		if e.Step == 7 || e.Step == 8 {
			t.Errorf("stored without the lease: %+v", e)
		}
	}
	if s := m.p.Snapshot()[0]; s.Restarts == 0 {
		t.Errorf("it has not noticed: %+v", s)
	}
}

// Content that no version refers to is removed when a trainer becomes active, and by a writer that comes too late.
func TestOrphansAreRemoved(t *testing.T) {
	m := newMill(t, t.TempDir(), leased)
	store := m.bus.Models()
	if _, err := store.Entries(t.Context()); err != nil {
		t.Fatal(err)
	}
	objects, err := m.bus.JetStream().ObjectStore(t.Context(), m.bus.Spec().ModelBucket())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"average-dead", "average.training-dead", "average-2-alive", "other-alive"} {
		if _, err := objects.PutBytes(t.Context(), name, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	m.until("the young content is old enough", func() bool {
		n, err := store.Sweep(t.Context(), []string{"nothing"}, 0)
		if err != nil || n != 0 {
			t.Fatalf("%d removed of another name, %v", n, err)
		}
		info, err := objects.GetInfo(t.Context(), "other-alive")
		return err == nil && time.Since(info.ModTime) > 600*time.Millisecond
	})
	m.feed(dozen()...)
	m.start()
	e := m.complete(1)
	want := []string{"average-" + e.Digest, "average-2-alive", "other-alive"}
	slices.Sort(want)
	m.until("the intermediate checkpoint is removed", func() bool { return len(m.objects()) <= 3 })
	if got := m.objects(); !slices.Equal(got, want) {
		t.Errorf("content %v, want %v", got, want)
	}
	// A writer that comes too late leaves nothing.
	if _, err := store.Put(t.Context(), "average", "late", []byte("y"), nil, modelstore.Entry{}); err == nil {
		t.Error("stored beside a newer version")
	}
	if got := m.objects(); !slices.Equal(got, want) {
		t.Errorf("content %v, want %v", got, want)
	}
}

// The status tells learning from judging, which may take as long, and neither from waiting.
func TestStatusTellsThePhase(t *testing.T) {
	m := newMill(t, t.TempDir(), "{model: average, steps: 20, batch_size: 4, seed: 5, min_clips: 24, idle: 50ms, again: 3, holdout: 0.4}")
	var learns, judges string
	m.onStep = func(int64) { learns = m.details().Phase }
	m.hooks.NewMeasure = func(train.Reference) (train.Measure, error) {
		return func(context.Context, models.Checkpoint) (train.Figures, error) {
			judges = m.details().Phase
			return measured(0.9, 0.3, 1), nil
		}, nil
	}
	m.feed(dozen()...)
	for i := range 12 {
		m.feed(clip([]string{"a", "b", "two words"}[i%3], fmt.Sprint("more", i), uint64(200+i)))
	}
	m.start()
	m.complete(1) // The first model is compared with none.
	m.feed(clip("a", "x", 50), clip("b", "y", 51), clip("b", "z", 52))
	m.complete(2)
	m.until("it waits", func() bool { return m.details().Phase == "" })
	if learns != train.PhaseTraining || judges != train.PhaseJudging {
		t.Errorf("the phase is %q at a step and %q when the gate measures", learns, judges)
	}
}

// A trainer whose lease cannot be renewed, because the model store was deleted, says so and is not active any more.
func TestALeaseThatCannotBeRenewedIsNotHeld(t *testing.T) {
	m := newMill(t, t.TempDir(), leased)
	m.start()
	m.until("it is active", func() bool { return m.details().Role == train.RoleActive })
	if err := m.bus.JetStream().DeleteStream(t.Context(), "KV_"+m.bus.Spec().ModelBucket()); err != nil {
		t.Fatal(err)
	}
	m.until("it is not active", func() bool { return m.details().Role == train.RoleUnconfirmed })
	if _, err := m.bus.JetStream().CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: m.bus.Spec().ModelBucket()}); err != nil {
		t.Fatal(err)
	}
	m.until("it is active again", func() bool { return m.details().Role == train.RoleActive })
}
