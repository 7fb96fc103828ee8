package quarantine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/quarantine"
)

const patience = 60 * time.Second

// open opens a bus with n messages in quarantine, of the labels "a b" and c in turn, that would have passed to guarded.
func open(t *testing.T, n int) *pipeline.Bus {
	t.Helper()
	spec, err := pipeline.ParseSpec([]byte("{name: mill, inputs: [guarded, quarantine], operators: []}"))
	if err != nil {
		t.Fatal(err)
	}
	spec.DataDir = t.TempDir()
	bus, err := pipeline.Open(t.Context(), spec, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := bus.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		_, err := bus.Publish(t.Context(), &pipeline.Message{
			ID: fmt.Sprint("refused/", i), Type: pipeline.TypeQuarantine, Label: []string{"a b", "c"}[i%2], Body: []byte{byte(i), 0, 255},
			Header: map[string]string{
				header.Source: fmt.Sprintf("größe %d.wav", i), header.Guard: header.Refused, header.GuardRules: []string{"label,outlier", "loud"}[i%2],
				header.GuardReason: "it sounds like é", header.GuardScores: "{}", header.QuarantineOperator: "guard",
				header.QuarantineType: "audio", header.QuarantineTo: "guarded", header.QuarantineStream: "MILL_AUDIO",
				header.QuarantineSequence: strconv.Itoa(10 + i), header.QuarantineMessageID: fmt.Sprint("id ", i),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return bus
}

func list(t *testing.T, s *quarantine.Store, f quarantine.Filter) (all []quarantine.Message) {
	t.Helper()
	for m, err := range s.List(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// passed reads what has been let pass.
func passed(t *testing.T, bus *pipeline.Bus) (all []*pipeline.Message) {
	t.Helper()
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: "guarded", From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func TestFilters(t *testing.T) {
	bus := open(t, 6)
	s := quarantine.Of(bus)
	all := list(t, s, quarantine.Filter{})
	if len(all) != 6 || all[2].Source != "größe 2.wav" || all[2].From != 12 || all[2].ID != "id 2" || all[2].To != "guarded" ||
		!slices.Equal(all[2].Rules, []string{"label", "outlier"}) || all[2].Label != "a b" || all[2].Size != 3 {
		t.Fatalf("%d messages, %+v", len(all), all[2])
	}
	for i, c := range []struct {
		filter quarantine.Filter
		want   int
	}{
		{quarantine.Filter{Label: "a b"}, 3},
		{quarantine.Filter{Rule: "outlier"}, 3},
		{quarantine.Filter{Rule: "out"}, 0},
		{quarantine.Filter{Reason: "like é"}, 6},
		{quarantine.Filter{Numbers: []uint64{2, 3, 99}}, 2},
		{quarantine.Filter{Since: all[3].Time}, 3},
		{quarantine.Filter{Until: all[3].Time}, 3},
		{quarantine.Filter{Label: "c", Rule: "label"}, 0},
	} {
		if got := len(list(t, s, c.filter)); got != c.want {
			t.Errorf("filter %d: %d messages, want %d", i, got, c.want)
		}
	}
	if _, err := s.Get(t.Context(), 99); !errors.Is(err, quarantine.ErrNotFound) {
		t.Errorf("number 99: %v", err)
	}
}

func TestAcceptRelabelAndRemove(t *testing.T) {
	bus := open(t, 4)
	s := quarantine.Of(bus)
	all := list(t, s, quarantine.Filter{})
	if _, err := s.Accept(t.Context(), all[0], ""); err != nil {
		t.Fatal(err)
	}
	placed, err := s.Accept(t.Context(), all[1], "new label")
	if err != nil || placed.Subject != bus.Spec().Subject("guarded", "new label") || placed.Sequence != 2 || placed.Duplicate {
		t.Fatalf("%+v, %v", placed, err)
	}
	for range 2 { // Removing again is no error.
		if err := s.Remove(t.Context(), all[2].Number); err != nil {
			t.Fatal(err)
		}
	}
	out := passed(t, bus)
	if len(out) != 2 {
		t.Fatalf("%d have passed", len(out))
	}
	for i, m := range out {
		label, was := []string{"a b", "new label"}[i], []string{"", "c"}[i]
		if m.Label != label || m.Header[header.GuardLabel] != was || m.Type != "audio" || m.Header[header.Guard] != header.Accepted ||
			!slices.Equal(m.Body, []byte{byte(i), 0, 255}) || m.Header[header.Source] != fmt.Sprintf("größe %d.wav", i) ||
			m.Header[header.QuarantineTo] != "" || m.ID != fmt.Sprintf("quarantine/%d/id %d", i+1, i) {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	if left := list(t, s, quarantine.Filter{}); len(left) != 1 || left[0].Number != 4 {
		t.Errorf("left in quarantine: %+v", left)
	}
}

// killed is a JetStream on which no message can be removed: what a process sees that ends after it has published.
type killed struct{ jetstream.JetStream }

func (k killed) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	s, err := k.JetStream.Stream(ctx, name)
	return unremovable{s}, err
}

type unremovable struct{ jetstream.Stream }

var errKilled = errors.New("killed")

func (unremovable) DeleteMsg(context.Context, uint64) error { return errKilled }

// A process that is killed between the two steps loses nothing, and the message passes once, also when the step is repeated
// after the stream has forgotten its id.
func TestKilledBetweenTheSteps(t *testing.T) {
	bus := open(t, 2)
	s := quarantine.Of(bus)
	s.JetStream = killed{bus.JetStream()}
	all := list(t, s, quarantine.Filter{})
	if _, err := s.Accept(t.Context(), all[0], ""); !errors.Is(err, errKilled) {
		t.Fatalf("%v", err)
	}
	if n := len(passed(t, bus)); n != 1 || len(list(t, s, quarantine.Filter{})) != 2 {
		t.Fatalf("%d have passed", n)
	}
	forget(t, bus)
	again := quarantine.Of(bus)
	placed, err := again.Accept(t.Context(), all[0], "")
	if err != nil || !placed.Duplicate || placed.Sequence != 1 {
		t.Errorf("%+v, %v", placed, err)
	}
	ids := map[string]int{}
	for _, m := range passed(t, bus) {
		ids[m.ID]++
	}
	if ids["quarantine/1/id 0"] != 1 || len(list(t, again, quarantine.Filter{})) != 1 {
		t.Errorf("ids %v", ids)
	}
}

// forget makes the stream guarded forget the ids of its messages.
func forget(t *testing.T, bus *pipeline.Bus) {
	t.Helper()
	js := bus.JetStream()
	stream, err := js.Stream(t.Context(), "MILL_GUARDED")
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	// The server looks for old ids as soon as the window changes, by the former window if it is quick (its timer may run before the
	// new one is set), and then again when that has passed: the window is changed until it has looked by a short one.
	for deadline := time.Now().Add(3 * patience); time.Now().Before(deadline); {
		config.Duplicates = 100*time.Millisecond + config.Duplicates%time.Second + time.Millisecond
		if _, err := js.UpdateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		// The server forgets ids when they are older than the window: this one comes after all others.
		for changed := time.Now(); time.Since(changed) < time.Second; time.Sleep(10 * time.Millisecond) { // A poll.
			msg := nats.NewMsg("mill.guarded.probe")
			msg.Header.Set(jetstream.MsgIDHeader, "probe")
			first, err := js.PublishMsg(t.Context(), msg)
			if err != nil {
				t.Fatal(err)
			}
			if first.Sequence > 2 && !first.Duplicate {
				return
			}
		}
	}
	t.Fatal("the stream forgets no id")
}

func TestMessagesWithoutTheirWay(t *testing.T) {
	bus := open(t, 0)
	for _, h := range []map[string]string{nil, {header.QuarantineType: "audio"}, {header.QuarantineType: "audio", header.QuarantineTo: "quarantine"}} {
		if _, err := bus.Publish(t.Context(), &pipeline.Message{ID: fmt.Sprint(h), Type: pipeline.TypeQuarantine, Label: "a", Header: h}); err != nil {
			t.Fatal(err)
		}
	}
	s := quarantine.Of(bus)
	for _, m := range list(t, s, quarantine.Filter{}) {
		if _, err := s.Accept(t.Context(), m, ""); !errors.Is(err, quarantine.ErrIncomplete) {
			t.Errorf("%d: %v", m.Number, err)
		}
	}
	if n := len(list(t, s, quarantine.Filter{})); n != 3 {
		t.Errorf("%d are left", n)
	}
}

// A pipeline without a quarantine has no messages in it.
func TestNoQuarantine(t *testing.T) {
	bus := open(t, 0)
	if err := bus.JetStream().DeleteStream(t.Context(), "MILL_QUARANTINE"); err != nil {
		t.Fatal(err)
	}
	s := quarantine.Of(bus)
	if n := len(list(t, s, quarantine.Filter{})); n != 0 {
		t.Errorf("%d messages", n)
	}
	if err := s.Remove(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), 1); !errors.Is(err, quarantine.ErrNotFound) {
		t.Error(err)
	}
}

// Messages with the header Status, in quarantine and in the stream after the guard, are messages, and it is not passed on.
func TestMessagesThatLookLikeStatuses(t *testing.T) {
	bus := open(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, subject := range []string{"mill.guarded.c", "mill.quarantine.c"} {
		msg := nats.NewMsg(subject)
		for name, value := range map[string]string{
			"Status": "404", "Description": "No Messages", header.QuarantineType: "audio", header.QuarantineTo: "guarded", header.QuarantineSequence: "7",
		} {
			msg.Header.Set(name, value)
		}
		if _, err := bus.JetStream().PublishMsg(ctx, msg); err != nil {
			t.Fatal(err)
		}
	}
	all := list(t, quarantine.Of(bus), quarantine.Filter{})
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	if m, err := quarantine.Of(bus).Get(ctx, 2); err != nil || m.From != 7 {
		t.Errorf("%+v: %v", m, err)
	}
	for _, m := range all {
		if _, err := quarantine.Of(bus).Accept(ctx, m, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, sequence := range []uint64{2, 3} {
		stream, err := bus.JetStream().Stream(ctx, "MILL_GUARDED")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := stream.GetMsg(ctx, sequence)
		if err != nil || raw.Header.Get("Status") != "" || raw.Header.Get("Description") != "" {
			t.Errorf("%+v: %v", raw, err)
		}
	}
}
