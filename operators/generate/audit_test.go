package generate_test

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

	"wavemill/audio"
	"wavemill/models"
	"wavemill/operators/generate"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
)

// sureness is a classifier for tests: how sure it is of the clips of a model, by the first digits of its digest.
type sureness struct {
	of atomic.Pointer[map[string]float64]
}

func (s *sureness) set(of map[string]float64) { s.of.Store(&of) }

func (s *sureness) judge(_ context.Context, c audio.Clip, _ string) (float64, bool) {
	digest, seed, _ := strings.Cut(c.Source, "-")
	jitter := 0.01 * float64(len(seed)%3) // Clips differ.
	for prefix, v := range *s.of.Load() {
		if strings.HasPrefix(prefix, digest) {
			return v + jitter, true
		}
	}
	return 0, false
}

// offer stores a model as the trainer does after its gate: on trial.
func (m *mill) offer(step int64) (digest string) {
	m.t.Helper()
	c := checkpoint(step)
	content, err := c.Encode()
	if err != nil {
		m.t.Fatal(err)
	}
	if digest, err = c.Digest(); err != nil {
		m.t.Fatal(err)
	}
	store := &modelstore.Store{JetStream: m.bus.JetStream(), Bucket: m.bus.Spec().ModelBucket(), Trial: true}
	if m.entry, err = store.Put(m.t.Context(), "vae", digest, content, nil, m.entry); err != nil {
		m.t.Fatal(err)
	}
	return digest
}

// told subscribes to notices.
func (m *mill) told() *nats.Subscription {
	m.t.Helper()
	sub, err := m.bus.Conn().SubscribeSync("t.model.progress")
	if err != nil {
		m.t.Fatal(err)
	}
	return sub
}

// requestUntil sends requests until there is a notice, and returns it with the digests of the models that answered before.
func (m *mill) requestUntil(told *nats.Subscription, seed *int) (n generate.Notice, by map[string]int) {
	m.t.Helper()
	by = map[string]int{}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		*seed++
		reply := m.ask(fmt.Sprintf(`{"label":"high","seed":%d}`, *seed))
		by[reply.Header.Get(header.Model)]++
		if msg, err := told.NextMsg(10 * time.Millisecond); err == nil {
			if err := json.Unmarshal(msg.Data, &n); err != nil {
				m.t.Fatal(err)
			}
			_ = told.Unsubscribe()
			return n, by
		}
	}
	m.t.Fatal("no notice")
	return n, by
}

const watched = "{shadow_share: 1, shadow_requests: 8, shadow_for: 10m}"

// current is the entry of the model: the served step by digest, and whether the others are withdrawn.
func (m *mill) current() modelstore.Entry {
	m.t.Helper()
	e, err := m.bus.Models().Get(m.t.Context(), "vae")
	if err != nil {
		m.t.Fatal(err)
	}
	return e
}

// A new version is used after shadow answers that are no worse. Until then callers get the answers of the one before.
func TestANewVersionIsTriedInTheShadow(t *testing.T) {
	var sure sureness
	m := newMill(t, watched, generate.Hooks{Judge: sure.judge}, nil)
	first := m.train(1)
	<-m.inUse
	told, seed := m.told(), 0
	sure.set(map[string]float64{first: 0.8})
	second := m.offer(2)
	sure.set(map[string]float64{first: 0.8, second: 0.79}) // Nobody hears the difference.
	n, by := m.requestUntil(told, &seed)
	if n.Kind != generate.NoticeUsed || n.Digest != second || n.Compared < 8 || by[second] > 1 || by[first] < 8 { // The notice may be read after one more.
		t.Errorf("told %+v, answered by %v", n, by)
	}
	if got := m.ask(`{"label":"high","seed":1}`).Header.Get(header.Model); got != second {
		t.Errorf("made by %s, want %s", got, second)
	}
	if e := m.current(); e.Version != 2 || e.Kept[0].Withdrawn != nil {
		t.Errorf("%+v", e)
	}
}

// A new version whose shadow answers are worse, or that fails, is never used, and withdrawn for all replicas.
func TestAVersionThatIsWorseInTheShadowIsWithdrawn(t *testing.T) {
	var sure sureness
	m := newMill(t, watched, generate.Hooks{Judge: sure.judge}, nil, func(c models.Checkpoint) (models.Generator, error) {
		if c.Step == 3 {
			return failing{}, nil
		}
		return ridges{c.FrontEnd, new(atomic.Int64), nil}, nil
	})
	first := m.train(1)
	<-m.inUse
	sure.set(map[string]float64{first: 0.8})
	seed := 0
	for step, reason := range map[int64]string{2: "less sure", 3: "it fails: "} {
		told := m.told()
		digest := m.offer(step)
		sure.set(map[string]float64{first: 0.8, digest: 0.5})
		n, by := m.requestUntil(told, &seed)
		if n.Kind != generate.NoticeWithdrawn || n.Digest != digest || !strings.Contains(n.Reason, reason) || by[digest] > 0 {
			t.Errorf("step %d: told %+v, answered by %v", step, n, by)
		}
		m.entry = m.current()
		if bad, ok := m.entry.At(m.entry.Last); m.entry.Digest != first || !ok || bad.Digest != digest || bad.Withdrawn == nil || bad.Withdrawn.Reason != n.Reason {
			t.Errorf("step %d: %+v", step, m.entry)
		}
	}
	if d := m.p.Snapshot()[0].Details.(generate.Details); d.Rollbacks != 2 || d.Model != first || d.Candidate != "" {
		t.Errorf("status %+v", d)
	}
}

// failing generates nothing.
type failing struct{}

func (failing) Generate(context.Context, models.Request) (models.Batch, error) {
	return models.Batch{}, errors.New("no weights")
}

// When the confidence in the answers falls after a change, the version before is used again.
func TestGoesBackWhenLiveConfidenceFalls(t *testing.T) {
	var sure sureness
	m := newMill(t, watched, generate.Hooks{Judge: sure.judge}, nil)
	first := m.train(1)
	<-m.inUse
	sure.set(map[string]float64{first: 0.8})
	second := m.offer(2)
	sure.set(map[string]float64{first: 0.8, second: 0.8})
	seed := 0
	if n, _ := m.requestUntil(m.told(), &seed); n.Kind != generate.NoticeUsed {
		t.Fatalf("told %+v", n)
	}
	told := m.told()
	sure.set(map[string]float64{first: 0.8, second: 0.4})
	n, by := m.requestUntil(told, &seed)
	if n.Kind != generate.NoticeRolledBack || n.Digest != second || by[second] < 8 {
		t.Errorf("told %+v, answered by %v", n, by)
	}
	if got := m.ask(`{"label":"high","seed":1}`).Header.Get(header.Model); got != first {
		t.Errorf("made by %s, want %s", got, first)
	}
	if e := m.current(); e.Version != 1 || e.Kept[0].Version != 2 || e.Kept[0].Withdrawn == nil {
		t.Errorf("%+v", e)
	}
}

// Without requests, the trial ends when its time is up. A version that a person serves is used at once, and a pinned one stays.
func TestTrialsEndAndPersonsDecide(t *testing.T) {
	m := newMill(t, "{shadow_for: 300ms}", generate.Hooks{}, nil)
	first := m.train(1)
	<-m.inUse
	second := m.offer(2)
	if got := <-m.inUse; got != second {
		t.Errorf("in use after the trial: %s, want %s", got, second)
	}
	e, err := m.bus.Models().Rollback(t.Context(), m.current(), "it hums")
	if err != nil {
		t.Fatal(err)
	}
	if got := <-m.inUse; got != first {
		t.Errorf("in use after a roll-back: %s, want %s", got, first)
	}
	if m.entry, err = m.bus.Models().Pin(t.Context(), e, true); err != nil {
		t.Fatal(err)
	}
	m.offer(3)
	if e := m.current(); e.Digest != first || e.Last != 3 {
		t.Errorf("pinned: %+v", e)
	}
	if e, err = m.bus.Models().Pin(t.Context(), m.entry, false); err != nil {
		t.Fatal(err)
	}
	if m.entry, err = m.bus.Models().Serve(t.Context(), e, 2, ""); err != nil {
		t.Fatal(err)
	}
	if got := <-m.inUse; got != second { // Without the third in between.
		t.Errorf("in use: %s, want %s", got, second)
	}
}
