package train_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/operators/train"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// notices subscribes to what the trainer tells, as any client does.
func (m *mill) notices() (next func(kind string) train.Notice) {
	m.t.Helper()
	sub, err := m.bus.Conn().SubscribeSync("t.model.progress")
	if err != nil {
		m.t.Fatal(err)
	}
	m.told = sub
	return func(kind string) (n train.Notice) {
		m.t.Helper()
		for {
			msg, err := sub.NextMsg(patience)
			if err != nil {
				m.t.Fatalf("no notice of kind %s: %v", kind, err)
			}
			if err := json.Unmarshal(msg.Data, &n); err != nil {
				m.t.Fatalf("%s: %v", msg.Data, err)
			}
			if n.Kind == kind {
				return n
			}
		}
	}
}

// learnt counts by label the clips that a checkpoint records as trained on.
func learnt(c models.Checkpoint) map[string]int {
	n := map[string]int{}
	for _, r := range c.Data.Learnt {
		n[r.Label]++
	}
	return n
}

// Labels of one clip each are learnt, whatever the seed of the split and whatever near copies they have: every label of
// the model has a clip that was trained on.
func TestEveryLabelHasAClipToLearnFrom(t *testing.T) {
	for seed := range 3 {
		m := newMill(t, t.TempDir(), fmt.Sprintf("{model: average, steps: 2, batch_size: 4, seed: %d, min_clips: 60, wait_for: 60, idle: 1h, holdout: 0.3}", seed))
		for i := range 30 {
			m.feed(clip(fmt.Sprintf("stray%02d", i), "one", uint64(i)))
			m.feed(clip("many", strconv.Itoa(i), uint64(100+i%15))) // Each twice, under two names.
		}
		m.start()
		e := m.complete(1)
		n := learnt(m.stored("average"))
		if len(e.Labels) != 31 || len(e.Aside) != 0 {
			t.Errorf("seed %d: %d labels, set aside: %v", seed, len(e.Labels), e.Aside)
		}
		for _, label := range e.Labels {
			if n[label] == 0 {
				t.Errorf("seed %d: label %s has no clip to learn from", seed, label)
			}
		}
	}
}

// Labels that are too small, and those whose clips are all held out, are set aside and named. The others are learnt.
func TestSetsLabelsAside(t *testing.T) {
	m := newMill(t, t.TempDir(), "{model: average, steps: 2, batch_size: 4, min_clips: 16, wait_for: 16, idle: 1h, min_per_label: 2, hold_out: [speaker=theo]}")
	next := m.notices()
	m.feed(dozen()...)
	m.feed(clip("single", "x", 50))
	for i := range 3 {
		c := clip("only theo", strconv.Itoa(i), uint64(60+i))
		c.SetHeader(header.Group, "theo")
		m.feed(c)
	}
	p, _ := m.start()
	want := []string{"only theo", "single"}
	if n := next(train.NoticeTraining); !slices.Equal(n.Aside, want) || n.Name != "average" || n.Clips != 16 || n.Reason == "" {
		t.Errorf("told: %+v", n)
	}
	if e := m.complete(1); !slices.Equal(e.Aside, want) || !slices.Equal(e.Labels, []string{"a", "b", "two words"}) {
		t.Errorf("%+v", e)
	}
	d, ok := p.Snapshot()[0].Details.(train.Details)
	if !ok || !slices.Equal(d.Aside, want) || d.Clips != 16 {
		t.Errorf("status %+v", p.Snapshot()[0].Details)
	}
}

// foreignClip is a spectrogram of another front end, as a stranger may publish it.
func foreignClip(label, source string, seed uint64) *pipeline.Message {
	other := config8k
	other.Hop = 8
	text, err := json.Marshal(other)
	if err != nil {
		panic(err)
	}
	c := clip(label, source, seed)
	c.Header[header.Spectrogram] = string(text)
	return c
}

// letters returns the reasons of the trainer's dead letters by source.
func (m *mill) letters() map[string]string {
	m.t.Helper()
	reasons := map[string]string{}
	for msg, err := range m.bus.Messages(m.t.Context(), pipeline.Subscription{Stream: pipeline.TypeDLQ, From: 1, Last: true}) {
		if err != nil {
			m.t.Fatal(err)
		}
		if reasons[msg.Header[header.Source]] != "" {
			m.t.Errorf("%s has two dead letters", msg.Header[header.Source])
		}
		reasons[msg.Header[header.Source]] = msg.Header[header.DeadReason]
	}
	return reasons
}

// A spectrogram of another front end never decides what is learnt. Those that came before the first training, later ones
// and those that come while the operator is away become dead letters with the reason; none of them counts.
func TestAForeignFrontEndIsRefused(t *testing.T) {
	dir := t.TempDir()
	m := newMill(t, dir, quick)
	next := m.notices()
	m.feed(foreignClip("a", "early", 90))
	m.feed(dozen()[:11]...) // With the foreign one there would be enough.
	p, stop := m.start()
	if n := next(train.NoticeWaiting); n.Clips != 11 {
		t.Errorf("min_clips counts a foreign clip: %+v", n)
	}
	m.feed(foreignClip("new", "newest", 91), foreignClip("new", "newest 2", 92))
	m.feed(dozen()[11])
	if n := next(train.NoticeForeign); n.Clips != 3 {
		t.Errorf("told: %+v", n)
	}
	e := m.complete(1)
	if e.Clips != 12 || !slices.Equal(e.Labels, []string{"a", "b", "two words"}) || m.stored("average").FrontEnd.Spectrogram != config8k {
		t.Errorf("%+v", e)
	}
	m.feed(foreignClip("intruder", "late", 93), foreignClip("intruder", "late 2", 94), foreignClip("intruder", "late 3", 95)) // As many as `again` asks for.
	m.until("the late ones are refused, too", func() bool { return p.Snapshot()[0].Dead == 6 })
	m.feed(clip("a", "x", 50), clip("b", "y", 51), clip("b", "z", 52))
	if e := m.complete(2); e.Clips != 15 || len(e.Labels) != 3 {
		t.Errorf("%+v", e)
	}
	stop()
	m.close()

	m = newMill(t, dir, quick)
	m.feed(foreignClip("intruder", "away", 96))
	m.start()
	m.until("the one that came meanwhile is refused", func() bool { return m.letters()["away"] != "" })
	got := m.letters()
	for _, source := range []string{"early", "newest", "newest 2", "late", "late 2", "late 3", "away"} {
		if got[source] == "" {
			t.Errorf("%s has no dead letter: %v", source, got)
		}
	}
	if len(got) != 7 || got["late"] != "the spectrogram has another front end than those that this model learns from: hop is 8, not 4" {
		t.Errorf("%v", got)
	}
}

// Spectrograms that differ in the way back alone are learnt together: an upgrade of the operator spectrogram has changed its default.
func TestAnotherWayBackIsNotForeign(t *testing.T) {
	m := newMill(t, t.TempDir(), quick)
	with := func(method string, messages ...*pipeline.Message) {
		text, err := json.Marshal(models.FrontEnd{Spectrogram: config8k, Frames: 4, TrimDB: -40, Phase: spectrogram.Phase{Method: method}})
		if err != nil {
			t.Fatal(err)
		}
		for _, msg := range messages {
			msg.Header[header.FrontEnd] = string(text)
		}
		m.feed(messages...)
	}
	with("", dozen()[:5]...)
	with(spectrogram.MethodMixed, dozen()[5:]...)
	m.start()
	if e := m.complete(1); e.Clips != 12 || m.stored("average").FrontEnd.Phase.Method != "" {
		t.Errorf("%+v, front end %+v", e, m.stored("average").FrontEnd)
	}
	with(spectrogram.MethodMixed, clip("a", "x", 50), clip("b", "y", 51), clip("b", "z", 52))
	if e := m.complete(2); e.Clips != 15 || m.stored("average").FrontEnd.Phase.Method != "" {
		t.Errorf("%+v, front end %+v", e, m.stored("average").FrontEnd)
	}
	if got := m.letters(); len(got) != 0 {
		t.Errorf("dead letters %v", got)
	}
}

// The configuration decides on the front end, against any majority.
func TestTheFrontEndOfTheConfiguration(t *testing.T) {
	fe, err := json.Marshal(models.FrontEnd{Spectrogram: config8k, Frames: 4, TrimDB: -40})
	if err != nil {
		t.Fatal(err)
	}
	m := newMill(t, t.TempDir(), "{model: average, steps: 2, batch_size: 4, min_clips: 12, idle: 50ms, front_end: "+string(fe)+"}")
	for i := range 20 {
		m.feed(foreignClip("intruder", fmt.Sprint("i", i), uint64(100+i)))
	}
	m.feed(dozen()...)
	p, _ := m.start()
	if e := m.complete(1); e.Clips != 12 || len(e.Labels) != 3 {
		t.Errorf("%+v", e)
	}
	m.until("the others are refused", func() bool { return p.Snapshot()[0].Dead == 20 })
}

// A label that no clip could be asked for, or be stored with, is not learnt: the spectrogram becomes a dead letter that says why.
func TestRefusesLabelsThatCannotBeGenerated(t *testing.T) {
	m := newMill(t, t.TempDir(), quick)
	m.feed(clip("a\x00b", "zero", 1), clip(strings.Repeat("long", 15000), "long", 2), clip(strings.Repeat("x", 4097), "longer by one", 3))
	m.feed(dozen()[:11]...)
	m.feed(clip(strings.Repeat("x", 4096), "as long as may be", 4))
	p, _ := m.start()
	if e := m.complete(1); e.Clips != 12 || len(e.Labels) != 4 {
		t.Errorf("%d clips of %d labels", e.Clips, len(e.Labels))
	}
	m.until("three are refused", func() bool { return p.Snapshot()[0].Dead == 3 })
	for source, want := range map[string]string{"zero": "zero byte", "long": "60000 bytes", "longer by one": "4097 bytes"} {
		if got := m.letters()[source]; !strings.Contains(got, want) {
			t.Errorf("%s: the dead letter says %q", source, got)
		}
	}
}
