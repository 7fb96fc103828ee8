package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
	"wavemill/pipeline/delivery"
	"wavemill/pipeline/header"
)

// The acceptance suite of delivery: whatever happens, every input has exactly its outputs.

func TestEveryInputOnce(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	p, _ := start(t, bus, on(func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
		for range 3 {
			if err := shout(ctx, m, emit); err != nil {
				return err
			}
		}
		return nil
	}))
	feed(t, bus, "m", 100)
	settled(t, bus)
	exactlyOnce(t, bus, 3)
	s := p.Snapshot()[0]
	if s.Received != 100 || s.Processed != 100 || s.Emitted != 300 || s.Duplicates != 0 || s.Redelivered != 0 {
		t.Errorf("%+v", s)
	}
}

func TestServerRestart(t *testing.T) {
	e := newExternal(t)
	bus := open(t, specOf(t, e.url(), func(s *pipeline.Spec) {
		s.Operators[0].AckWait = time.Second // What was on the wire when the server went comes again after that.
	}))
	_, _ = start(t, bus, on(shout))
	done := make(chan struct{})
	var published atomic.Int64
	go func() { // Publishing waits while the server is away.
		defer close(done)
		for i := range 300 {
			_, err := bus.Publish(within(t), &pipeline.Message{Type: pipeline.TypeAudio, Label: "l", Body: []byte("m-" + strconv.Itoa(i))})
			if err != nil {
				t.Errorf("publish %d: %v", i, err)
				return
			}
			published.Add(1)
		}
	}()
	for i := range 3 {
		eventually(t, "the stream goes on", func() bool { return published.Load() >= int64(60*(i+1)) })
		e.stop()
		e.start()
	}
	<-done
	settled(t, bus)
	if n := len(kept(t, bus, pipeline.TypeAudio)); n != 300 {
		t.Errorf("%d inputs are stored, want 300", n)
	}
	exactlyOnce(t, bus, 1)
}

func TestServerKilled(t *testing.T) {
	addr, dir := freeAddress(t), t.TempDir()
	kill := spawn(t, "server "+addr+" "+dir)
	t.Cleanup(func() { kill() })
	eventually(t, "the server is there", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	bus := open(t, specOf(t, "nats://"+addr, func(s *pipeline.Spec) {
		s.Operators[0].AckWait = time.Second // What was on the wire when the server died comes again after that.
	}))
	_, _ = start(t, bus, on(shout))
	stored := map[string]uint64{} // What the server has confirmed.
	kills := 5
	if testing.Short() {
		kills = 2
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range kills {
		at := rng.IntN(40)
		for j := range 40 {
			body := fmt.Sprintf("k%d-%d", i, j)
			stored[body] = publish(t, bus, "l", body).Sequence
			if j == at {
				kill()
				kill = spawn(t, "server "+addr+" "+dir)
			}
		}
	}
	settled(t, bus)
	for _, m := range kept(t, bus, pipeline.TypeAudio) {
		if stored[string(m.Body)] != m.Sequence {
			t.Errorf("%s was confirmed at %d and is at %d", m.Body, stored[string(m.Body)], m.Sequence)
		}
		delete(stored, string(m.Body))
	}
	if len(stored) > 0 {
		t.Errorf("%d confirmed messages are gone: %v", len(stored), stored)
	}
	exactlyOnce(t, bus, 1)
}

func TestOperatorKilled(t *testing.T) {
	e := newExternal(t)
	spec := crashSpec(e.url())
	spec.Operators = nil
	bus := open(t, spec)
	rng := rand.New(rand.NewPCG(1, 2))
	kills := 12
	if testing.Short() {
		kills = 4
	}
	fed := 0
	for range kills {
		kill := spawn(t, "operator "+e.url())
		t.Cleanup(kill)
		before := rawStream(t, bus, pipeline.TypeClip).CachedInfo().State.Msgs
		feed(t, bus, "k"+strconv.Itoa(fed), 40)
		fed++
		// Kill it somewhere in its work: after so many outputs that were not there before.
		after := before + 1 + rng.Uint64N(30)
		eventually(t, "the child works", func() bool {
			return rawStream(t, bus, pipeline.TypeClip).CachedInfo().State.Msgs >= after
		})
		kill()
	}
	bus2 := open(t, crashSpec(e.url()))
	p, _ := start(t, bus2, on(shout))
	settled(t, bus2)
	exactlyOnce(t, bus2, 1)
	t.Logf("after %d kills: %+v", kills, p.Snapshot())
}

func TestPoisonIsSetAside(t *testing.T) {
	bus := open(t, specOf(t, "", func(s *pipeline.Spec) { s.Operators[0].MaxAttempts = 2 }))
	p, _ := start(t, bus, on(func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
		switch body := string(m.Body); {
		case strings.HasPrefix(body, "invalid"):
			m.Body[0] = 'X' // What an operator does to its message must not reach the dead letter.
			return &pipeline.Error{Kind: pipeline.Invalid, Message: "cannot be read", Err: errors.New("no header")}
		case strings.HasPrefix(body, "panic"):
			panic("index out of range")
		case strings.HasPrefix(body, "other"):
			return errors.New("strange")
		}
		return shout(ctx, m, emit)
	}))
	for i := range 30 {
		publish(t, bus, "l", "good-"+strconv.Itoa(i))
		switch i {
		case 3:
			publish(t, bus, "true label", "invalid")
		case 7:
			publish(t, bus, "l", "panic")
		case 11:
			publish(t, bus, "l", "other")
		}
	}
	settled(t, bus)
	if n := len(kept(t, bus, pipeline.TypeClip)); n != 30 {
		t.Errorf("%d outputs, want 30", n)
	}
	letters := map[string]*pipeline.Message{}
	for _, m := range kept(t, bus, pipeline.TypeDLQ) {
		if letters[string(m.Body)] != nil {
			t.Errorf("two letters about %s", m.Body)
		}
		letters[string(m.Body)] = m
	}
	for body, want := range map[string][3]string{
		"invalid": {"invalid", "1", "cannot be read: no header"},
		"panic":   {"other", "2", "panic: index out of range"},
		"other":   {"other", "2", "strange"},
	} {
		m := letters[body]
		if m == nil {
			t.Errorf("no letter about %s", body)
			continue
		}
		h := m.Header
		if h[header.DeadKind] != want[0] || h[header.DeadAttempts] != want[1] || !strings.HasPrefix(h[header.DeadReason], want[2]) {
			t.Errorf("%s: %v", body, h)
		}
	}
	if m := letters["invalid"]; m != nil && m.Label != "true label" {
		t.Errorf("label %q", m.Label)
	}
	if s := p.Snapshot()[0]; s.Dead != 3 || len(s.DeadLetters) != 3 || s.Retried != 2 {
		t.Errorf("%+v", s)
	}
}

func TestSlowHandlerKeepsItsLease(t *testing.T) {
	bus := open(t, specOf(t, "", func(s *pipeline.Spec) {
		s.Operators[0].AckWait, s.Operators[0].Workers = 400*time.Millisecond, 1
	}))
	p, _ := start(t, bus, on(func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
		select { // More than twice the lease; the second message waits as long in the queue.
		case <-time.After(time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		return shout(ctx, m, emit)
	}))
	feed(t, bus, "slow", 2)
	settled(t, bus)
	exactlyOnce(t, bus, 1)
	if s := p.Snapshot()[0]; s.Redelivered != 0 || s.Received != 2 {
		t.Errorf("slow work was delivered again: %+v", s)
	}
}

func TestLostLeaseEndsTheWork(t *testing.T) {
	e := newExternal(t)
	bus := open(t, specOf(t, e.url(), func(s *pipeline.Spec) {
		s.Operators[0].AckWait, s.Operators[0].Workers = 300*time.Millisecond, 1
	}))
	causes := make(chan error, 10)
	var calls atomic.Int64
	_, _ = start(t, bus, on(func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
		if calls.Add(1) == 1 {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		}
		return shout(ctx, m, emit)
	}))
	feed(t, bus, "m", 1)
	eventually(t, "the work begins", func() bool { return calls.Load() == 1 })
	e.stop()
	if err := <-causes; !errors.Is(err, delivery.ErrLeaseLost) {
		t.Errorf("cause %v, want ErrLeaseLost", err)
	}
	e.start()
	settled(t, bus)
	exactlyOnce(t, bus, 1)
}

func TestFullStreamIsWaitedFor(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	clips := rawStream(t, bus, pipeline.TypeClip)
	config := clips.CachedInfo().Config
	config.MaxMsgs = 10
	if _, err := bus.JetStream().UpdateStream(within(t), config); err != nil {
		t.Fatal(err)
	}
	p, _ := start(t, bus, on(shout))
	feed(t, bus, "m", 40)
	eventually(t, "the stream is full", func() bool { return p.Snapshot()[0].Emitted == 10 })
	// Three or four: with one slot free, a fetch waits for another, so as not to ask for each message by itself.
	eventually(t, "the workers hold what they may", func() bool { return p.Snapshot()[0].InFlight >= 3 })
	info, err := rawStream(t, bus, pipeline.TypeAudio).Consumer(within(t), "t-work")
	if err != nil {
		t.Fatal(err)
	}
	if n := info.CachedInfo().NumAckPending; n > 4 {
		t.Errorf("%d messages are in flight while two workers wait, want at most 4", n)
	}
	config.MaxMsgs = -1
	if _, err := bus.JetStream().UpdateStream(within(t), config); err != nil {
		t.Fatal(err)
	}
	settled(t, bus)
	exactlyOnce(t, bus, 1)
	if s := p.Snapshot()[0]; s.Retried != 0 || s.Dead != 0 || s.Redelivered != 0 {
		t.Errorf("waiting is no failure: %+v", s)
	}
}

func TestConsumerDeleted(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	p, _ := start(t, bus, on(shout))
	feed(t, bus, "before", 20)
	settled(t, bus)
	if err := rawStream(t, bus, pipeline.TypeAudio).DeleteConsumer(within(t), "t-work"); err != nil {
		t.Fatal(err)
	}
	feed(t, bus, "after", 20)
	settled(t, bus)
	exactlyOnce(t, bus, 1)
	t.Logf("%+v", p.Snapshot()[0])
}

func TestStreamDeleted(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	p, _ := start(t, bus, on(shout))
	feed(t, bus, "before", 5)
	settled(t, bus)
	if err := bus.JetStream().DeleteStream(within(t), "T_AUDIO"); err != nil {
		t.Fatal(err)
	}
	// The stream is put back by whoever needs it first, and its sequences begin at 1 again: these are new messages,
	// and must not be taken for the old ones.
	feed(t, bus, "after", 5)
	eventually(t, "all ten have outputs", func() bool { return p.Snapshot()[0].Processed >= 10 })
	if n := len(kept(t, bus, pipeline.TypeClip)); n != 10 {
		t.Errorf("%d outputs, want 10", n)
	}
}

func TestRepeatedAttemptPublishesNothingTwice(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	p, _ := start(t, bus, on(func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
		if err := shout(ctx, m, emit); err != nil {
			return err
		}
		if m.Attempt == 1 {
			return pipeline.Errorf(pipeline.Transient, "the second half is not there yet")
		}
		return shout(ctx, m, emit)
	}))
	feed(t, bus, "m", 10)
	settled(t, bus)
	exactlyOnce(t, bus, 2)
	if s := p.Snapshot()[0]; s.Duplicates != 10 || s.Retried != 10 || s.Dead != 0 {
		t.Errorf("%+v", s)
	}
}

// TestRepeatedAfterTheWindow repeats an attempt when the stream has forgotten the first one's ids.
func TestRepeatedAfterTheWindow(t *testing.T) {
	bus := open(t, specOf(t, "", func(s *pipeline.Spec) {
		s.Streams.Outage = time.Millisecond
		s.Operators[0].MaxAttempts, s.Operators[0].AckWait = 1, 100*time.Millisecond
	}))
	window := rawStream(t, bus, pipeline.TypeClip).CachedInfo().Config.Duplicates
	if window > 500*time.Millisecond {
		t.Fatalf("the window is %v: this test would prove nothing", window)
	}
	p, _ := start(t, bus, on(func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
		if err := shout(ctx, m, emit); err != nil {
			return err
		}
		if m.Attempt == 1 {
			return pipeline.Errorf(pipeline.Transient, "tried again after a second")
		}
		return nil
	}))
	feed(t, bus, "m", 5)
	settled(t, bus)
	exactlyOnce(t, bus, 1)
	if s := p.Snapshot()[0]; s.Redelivered != 5 || s.Duplicates != 5 {
		t.Errorf("%+v", s)
	}
	// The proof that the stream alone would have stored them twice.
	for range 2 {
		ack, err := bus.JetStream().Publish(within(t), "t.spectrogram.x", nil, jetstream.WithMsgID("same"))
		if err != nil || ack.Duplicate {
			t.Fatalf("the window still covers this: %+v %v", ack, err)
		}
		time.Sleep(3 * window) // The passing of the window is what is tested.
	}
}

func TestDrainFinishesTheWorkInHand(t *testing.T) {
	bus := open(t, specOf(t, "", func(s *pipeline.Spec) { s.Operators[0].Workers = 3 }))
	release := make(chan struct{})
	var working atomic.Int64
	p, stop := start(t, bus, on(func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
		working.Add(1)
		select {
		case <-release:
		case <-ctx.Done():
			return ctx.Err()
		}
		return shout(ctx, m, emit)
	}))
	feed(t, bus, "m", 20)
	eventually(t, "three handlers run", func() bool { return working.Load() == 3 })
	var wg sync.WaitGroup
	wg.Go(stop)
	close(release)
	wg.Wait()
	done := p.Snapshot()[0]
	if done.Processed < 3 || done.InFlight != 0 || done.Retried != 0 {
		t.Errorf("%+v", done)
	}
	if n := len(kept(t, bus, pipeline.TypeClip)); uint64(n) != done.Processed {
		t.Errorf("%d outputs of %d processed messages", n, done.Processed)
	}
	p2, _ := start(t, bus, on(shout))
	settled(t, bus)
	exactlyOnce(t, bus, 1)
	// What no handler had begun with was given back, and is another attempt.
	if s := p2.Snapshot()[0]; s.Processed != 20-done.Processed || s.Redelivered != done.Nacked || done.Nacked > 3 {
		t.Errorf("before %+v, after %+v", done, s)
	}
}

func TestDrainGivesBackWhatCannotBeFinished(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	working := make(chan struct{}, 20)
	p, err := pipeline.Start(context.Background(), bus, on(func(ctx context.Context, _ *pipeline.Message, _ pipeline.Emit) error {
		working <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}), pipeline.Options{Log: testLog(t), DrainTimeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	feed(t, bus, "m", 6)
	<-working
	if err := p.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, _ = start(t, bus, on(shout))
	settled(t, bus)
	exactlyOnce(t, bus, 1)
	if d := time.Since(began); d > pipeline.DefaultAckWait/2 {
		t.Errorf("what was given back came after %v: it was not given back", d)
	}
}

func TestStoredBodies(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	big := strings.Repeat("b", 9<<20) // Above the server's 8 MiB.
	_, _ = start(t, bus, on(func(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
		if len(m.Body) != len(big) || m.Header[header.Object] != "" {
			return pipeline.Errorf(pipeline.Invalid, "%d bytes", len(m.Body))
		}
		if m.Label == "bad" {
			return pipeline.Errorf(pipeline.Invalid, "bad label")
		}
		return shout(ctx, m, emit)
	}))
	publish(t, bus, "good", big)
	publish(t, bus, "bad", big)
	if _, err := bus.JetStream().PublishMsg(within(t), natsMsg("t.audio.gone", header.Object, "T_OBJECT/sha256-"+strings.Repeat("0", 64))); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.JetStream().PublishMsg(within(t), natsMsg("t.audio.wrong", header.Object, "../../etc/passwd")); err != nil {
		t.Fatal(err)
	}
	settled(t, bus)
	clips := kept(t, bus, pipeline.TypeClip)
	if len(clips) != 1 || string(clips[0].Body) != strings.ToUpper(big) {
		t.Fatalf("%d outputs", len(clips))
	}
	reasons := map[string]string{}
	for _, m := range kept2(t, bus) {
		reasons[m.Label] = m.Header[header.DeadReason]
		if m.Label == "bad" && !strings.HasPrefix(m.Header[header.Object], "T_OBJECT/sha256-") {
			t.Errorf("the dead letter has lost its stored body: %v", m.Header)
		}
	}
	for label, want := range map[string]string{"bad": "bad label", "gone": "expired", "wrong": "not a reference"} {
		if !strings.Contains(reasons[label], want) {
			t.Errorf("%s: %q does not say %q", label, reasons[label], want)
		}
	}
}
