package verify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// work is an operator that emits its body in upper case, twice for "twice", and refuses "bad".
type work struct{}

func (work) Input() string  { return pipeline.TypeAudio }
func (work) Output() string { return pipeline.TypeClip }

func (work) Process(ctx context.Context, m *pipeline.Message, emit pipeline.Emit) error {
	text := string(m.Body)
	if strings.HasPrefix(text, "bad") {
		return pipeline.Errorf(pipeline.Invalid, "it is %s", text)
	}
	times := 1
	if strings.HasPrefix(text, "twice") {
		times = 2
	}
	for range times {
		if err := emit(ctx, &pipeline.Message{Type: pipeline.TypeClip, Body: []byte(strings.ToUpper(text))}); err != nil {
			return err
		}
	}
	return nil
}

func registry() pipeline.Registry {
	return pipeline.Registry{"work": func([]byte, pipeline.Env) (pipeline.Operator, error) { return work{}, nil }}
}

// rig is a pipeline of one stage that a test starts and stops.
type rig struct {
	t   *testing.T
	ctx context.Context
	bus *pipeline.Bus
}

func newRig(t *testing.T) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	spec := pipeline.Spec{Name: "t", DataDir: t.TempDir(), Operators: []pipeline.OperatorSpec{{Operator: "work", AckWait: time.Second}}}
	bus, err := pipeline.Open(ctx, spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	return &rig{t, ctx, bus}
}

// start runs the stage; stop ends it.
func (r *rig) start() (stop func()) {
	r.t.Helper()
	p, err := pipeline.Start(r.ctx, r.bus, registry(), pipeline.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	return func() {
		r.t.Helper()
		if err := p.Stop(r.ctx); err != nil {
			r.t.Error(err)
		}
	}
}

func (r *rig) publish(bodies ...string) {
	r.t.Helper()
	for _, body := range bodies {
		if _, err := r.bus.Publish(r.ctx, &pipeline.Message{Type: pipeline.TypeAudio, Label: "x", Body: []byte(body)}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// check verifies the pipeline and returns the report of the stage.
func (r *rig) check(settle time.Duration) (verify.Report, verify.Stage) {
	r.t.Helper()
	stages, err := r.bus.Spec().Stages(registry())
	if err != nil {
		r.t.Fatal(err)
	}
	report, err := verify.Run(r.ctx, r.bus, verify.Options{Stages: stages, Settle: settle})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(report.Stages) != 1 {
		r.t.Fatalf("%+v", report)
	}
	return report, report.Stages[0]
}

func numbered(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s-%d", prefix, i))
	}
	return all
}

func TestASoundPipeline(t *testing.T) {
	r := newRig(t)
	defer r.start()()
	r.publish(numbered("one", 20)...)
	r.publish(numbered("twice", 5)...)
	r.publish("bad-1", "bad-2")
	report, s := r.check(patience)
	if !report.OK || report.Stranger || s.Inputs != 27 || s.Done != 25 || s.Outputs != 30 || s.Letters != 2 || s.Missing+s.Doubled+s.Pending+s.Unknown != 0 || s.State != verify.StateDone {
		t.Errorf("%s\n%+v", report, s)
	}
	if text := report.String(); !strings.Contains(text, "nothing is missing, doubled or stuck") {
		t.Error(text)
	}
}

// A stream that has never had a message lacks none: the server may list the sequence 0 as deleted.
func TestAPipelineWithoutMessages(t *testing.T) {
	r := newRig(t)
	defer r.start()()
	if report, s := r.check(patience); !report.OK || s.Inputs+s.Missing+s.Pending != 0 {
		t.Errorf("%s\n%+v", report, s)
	}
}

// A message whose letter was purged is not a lost one.
func TestAPurgedLetterIsNoLoss(t *testing.T) {
	r := newRig(t)
	defer r.start()()
	r.publish("bad-1", "good")
	r.check(patience)
	if n, err := r.bus.DeadLetters().Purge(r.ctx, deadletter.Filter{}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if report, s := r.check(patience); !report.OK || s.Letters != 1 {
		t.Errorf("%s", report)
	}
}

// Losses are found and named by number, whoever is at fault, and replayed where the stream still has the message.
func TestLossesAreFoundByNumber(t *testing.T) {
	r := newRig(t)
	stop := r.start()
	r.publish(numbered("one", 10)...)
	r.publish("twice")
	r.check(patience)
	clips, err := r.bus.JetStream().Stream(r.ctx, "T_CLIP")
	if err != nil {
		t.Fatal(err)
	}
	for _, sequence := range []uint64{3, 4, 8, 11} { // The last one is the first output of "twice".
		if err := clips.DeleteMsg(r.ctx, sequence); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	r.publish("never")
	audio, err := r.bus.JetStream().Stream(r.ctx, "T_AUDIO")
	if err == nil {
		err = audio.DeleteMsg(r.ctx, 12)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.publish("later")
	defer r.start()()
	report, s := r.check(patience)
	if want := []uint64{3, 4, 8, 11, 12}; report.OK || !slices.Equal(s.Sequences(), want) || s.Missing != 5 {
		t.Fatalf("missing %v, want %v\n%s", s.Sequences(), want, report)
	}
	for _, part := range []string{"3-4 (" + verify.Unaccounted, "8 (" + verify.Unaccounted, "11 (" + verify.Incomplete, "12 (" + verify.Deleted} {
		if !strings.Contains(report.String(), part) {
			t.Errorf("%q is not in\n%s", part, report)
		}
	}
	replayed, gone, err := verify.Replay(r.ctx, r.bus, report, verify.Occasion(time.Now()))
	if replayed != 4 || gone != 1 || err != nil {
		t.Fatalf("%d replayed, %d gone, %v", replayed, gone, err)
	}
	report, s = r.check(patience)
	if want := []uint64{11, 12}; !slices.Equal(s.Sequences(), want) || s.Replayed != 3 {
		t.Errorf("after the replay: missing %v, want %v\n%s", s.Sequences(), want, report)
	}
}

// A subscriber to > that answers everything acknowledges messages of an operator; they are found, and so is he.
func TestMessagesThatAStrangerAcknowledges(t *testing.T) {
	r := newRig(t)
	stop := r.start()
	r.publish("first")
	r.check(patience)
	stop()
	stranger := func(m *nats.Msg) {
		if m.Reply != "" {
			_ = m.Respond([]byte("+ACK"))
		}
	}
	sub, err := r.bus.Conn().Subscribe("t.>", stranger)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	js := r.bus.JetStream()
	for _, body := range numbered("lost", 4) { // Publish would take the stranger's answer for a confirmation.
		if _, err := r.bus.Publish(r.ctx, &pipeline.Message{Type: pipeline.TypeAudio, Label: "x", Body: []byte(body)}); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
	}
	consumer, err := js.Consumer(r.ctx, "T_AUDIO", "t-work")
	if err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.Fetch(4) // What an operator receives that is then killed.
	if err != nil {
		t.Fatal(err)
	}
	for m := range batch.Messages() {
		if err := r.bus.Conn().Publish(m.Reply(), []byte("+ACK")); err != nil { // The stranger has seen the reply subject.
			t.Fatal(err)
		}
	}
	report, s := r.check(patience)
	if report.OK || !report.Stranger || s.Missing != 4 || s.MissingAt[0].Why != verify.Unaccounted {
		t.Errorf("%+v\n%s", s, report)
	}
}

// Outputs that are there twice are found.
func TestDoublesAreFound(t *testing.T) {
	r := newRig(t)
	defer r.start()()
	r.publish(numbered("one", 3)...)
	r.check(patience)
	for m, err := range r.bus.Messages(r.ctx, pipeline.Subscription{Stream: pipeline.TypeClip, From: 2, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		o, ok := pipeline.ParseOrigin(m.ID)
		if !ok {
			t.Fatal(m.ID)
		}
		o.Hash = "0123456789ab" // As after a change of the configuration between two attempts.
		m.ID = o.String()
		if _, err := r.bus.Publish(r.ctx, m); err != nil {
			t.Fatal(err)
		}
		break
	}
	report, s := r.check(patience)
	if report.OK || s.Doubled != 1 || s.DoubledAt[0].First != 2 {
		t.Errorf("%+v\n%s", s, report)
	}
}

func TestWhatIsStuck(t *testing.T) {
	r := newRig(t)
	r.publish("one")
	if report, s := r.check(time.Millisecond); report.OK || s.State != verify.StateStuck || !strings.Contains(s.Reason, "has no consumer") || s.Pending != 1 {
		t.Errorf("no operator: %+v\n%s", s, report)
	}
	stop := r.start()
	r.check(patience)
	stop()
	r.publish("two")
	if report, s := r.check(time.Millisecond); report.OK || s.State != verify.StateStuck || !strings.Contains(s.Reason, "does not answer") {
		t.Errorf("no operator any more: %+v\n%s", s, report)
	}
	defer r.start()()
	if report, _ := r.check(patience); !report.OK {
		t.Errorf("%s", report)
	}
}

// The stream that was created again counts from 1: outputs of the former one are not those of its messages.
func TestAStreamThatWasCreatedAgain(t *testing.T) {
	r := newRig(t)
	stop := r.start()
	r.publish(numbered("one", 5)...)
	r.check(patience)
	stop()
	if err := r.bus.JetStream().DeleteStream(r.ctx, "T_AUDIO"); err != nil {
		t.Fatal(err)
	}
	defer r.start()()
	r.publish(numbered("two", 3)...)
	if report, s := r.check(patience); !report.OK || s.Inputs != 3 || s.Done != 3 || s.Doubled != 0 {
		t.Errorf("%+v\n%s", s, report)
	}
}

// A replayed message is for the operator that failed alone, and its outputs can be compared with the former ones.
func TestOutputsBeforeAndAfterAReplay(t *testing.T) {
	r := newRig(t)
	defer r.start()()
	r.publish("bad-1")
	r.check(patience)
	l, err := r.bus.DeadLetters().Get(r.ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	before, err := verify.Before(r.ctx, r.bus, l)
	if err != nil || len(before) != 0 {
		t.Fatal(before, err)
	}
	l.Body = []byte("twice") // As if the operator had been mended.
	ack, err := r.bus.DeadLetters().Replay(r.ctx, l)
	if err != nil {
		t.Fatal(err)
	}
	after, letter, err := verify.After(r.ctx, r.bus, l, ack, patience)
	if err != nil || letter != nil || len(after) != 2 || after[0].Digest != after[1].Digest || after[1].K != 1 || after[0].Stream != "T_CLIP" || after[0].Size != 5 {
		t.Fatalf("%+v %v %v", after, letter, err)
	}
	if text := (verify.Diff{Before: before, After: after}).String(); strings.Count(text, "+ output") != 2 {
		t.Error(text)
	}
	if report, s := r.check(patience); !report.OK || s.Replayed != 1 || s.Done != 1 {
		t.Errorf("%+v\n%s", s, report)
	}
	l.Body, l.Number = []byte("bad again"), 77
	if ack, err = r.bus.DeadLetters().Replay(r.ctx, l); err != nil {
		t.Fatal(err)
	}
	if _, letter, err = verify.After(r.ctx, r.bus, l, ack, patience); err != nil || letter == nil || letter.Reason != "it is bad again" {
		t.Errorf("%+v %v", letter, err)
	}
}

// A client's message that looks like an answer of the server, without its body or with an empty one, is counted like any other.
func TestMessagesThatLookLikeStatuses(t *testing.T) {
	r := newRig(t)
	defer r.start()()
	r.publish("first")
	for i, status := range []string{"404", "100", "408", "409", "503"} {
		for _, body := range []string{"", "body"} {
			msg := nats.NewMsg("t.audio.x")
			msg.Header.Set("Status", status)
			msg.Header.Set("Description", "Idle Heartbeat")
			msg.Header.Set("Nats-Msg-Id", fmt.Sprint(i, body))
			msg.Data = []byte(body)
			if _, err := r.bus.JetStream().PublishMsg(r.ctx, msg); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.publish("bad-1", "last")
	report, s := r.check(patience)
	if !report.OK || s.Inputs != 13 || s.Done != 12 || s.Letters != 1 {
		t.Errorf("%s\n%+v", report, s)
	}
	for m, err := range r.bus.Messages(r.ctx, pipeline.Subscription{Stream: pipeline.TypeAudio, From: 1, Last: true}) {
		if err != nil || m.Header["Status"] != "" || m.Header["Description"] != "" {
			t.Errorf("%+v: %v", m, err)
		}
	}
}
