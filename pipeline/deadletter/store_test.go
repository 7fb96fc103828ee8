package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
	"wavemill/pipeline/objectstore"
	"wavemill/pipeline/server"
)

// newStore returns an empty store on a server of its own, with the stream that letters come from.
func newStore(t *testing.T) (context.Context, deadletter.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	s, err := server.Start(ctx, server.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	nc, err := nats.Connect("", s.InProcess())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for name, subject := range map[string]string{"T_DLQ": "t.dlq.>", "T_AUDIO": "t.audio.>"} {
		if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
	}
	return ctx, deadletter.Store{JetStream: js, Stream: "T_DLQ"}
}

func letter(sequence uint64, label, reason string) deadletter.Letter {
	return deadletter.Letter{
		Operator: "work", Reason: reason, Kind: "invalid", Error: []byte(`{"kind":"invalid"}`), Attempts: 3,
		Subject: "t.audio." + label, Stream: "T_AUDIO", Sequence: sequence, MessageID: "content/abc", Label: label, Source: "größe.wav",
		Died:   time.Date(2026, 1, 2, 3, 4, 5, 6000000, time.UTC).Add(time.Duration(sequence) * time.Hour),
		Header: nats.Header{"Wavemill-Source": {header.EncodeValue("größe.wav")}, "Content-Type": {"audio/wav"}, "Nats-Msg-Id": {"content/abc"}, "Nats-Rollup": {"all"}},
		Body:   []byte("body of " + label),
	}
}

func put(ctx context.Context, t *testing.T, s deadletter.Store, l deadletter.Letter) {
	t.Helper()
	if _, err := s.JetStream.PublishMsg(ctx, l.Message("t.dlq.work")); err != nil {
		t.Fatal(err)
	}
}

func list(ctx context.Context, t *testing.T, s deadletter.Store, f deadletter.Filter) (labels []string) {
	t.Helper()
	for l, err := range s.List(ctx, f) {
		if err != nil {
			t.Fatal(err)
		}
		labels = append(labels, l.Label)
	}
	return labels
}

func TestALetterKeepsEverything(t *testing.T) {
	ctx, s := newStore(t)
	want := letter(7, "one", "bad\nfile: größe")
	put(ctx, t, s, want)
	got, err := s.Get(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got.Operator != want.Operator || got.Reason != want.Reason || got.Kind != want.Kind || string(got.Error) != string(want.Error) || got.Attempts != 3 ||
		got.Subject != want.Subject || got.Stream != want.Stream || got.Sequence != 7 || got.MessageID != want.MessageID || got.Label != "one" ||
		got.Source != want.Source || !got.Died.Equal(want.Died) || got.Number != 1 || string(got.Body) != "body of one" || got.Size != len(want.Body) {
		t.Errorf("%+v", got)
	}
	if got.Header.Get("Content-Type") != "audio/wav" || got.Header.Get("Nats-Rollup") != "" || got.Header.Get("Wavemill-Dead-Reason") != "" {
		t.Errorf("headers %v", got.Header)
	}
	if _, err := s.Get(ctx, 99); !errors.Is(err, deadletter.ErrNotFound) {
		t.Errorf("letter 99: %v", err)
	}
	long := letter(8, "two", strings.Repeat("é", 5000))
	put(ctx, t, s, long)
	if got, err = s.Get(ctx, 2); err != nil || len(got.Reason) > 2100 || !strings.HasPrefix(long.Reason, strings.TrimSuffix(got.Reason, " ...")) {
		t.Errorf("a long reason became %d bytes: %v", len(got.Reason), err)
	}
}

func TestFilters(t *testing.T) {
	ctx, s := newStore(t)
	for i, label := range []string{"one", "two", "three"} {
		put(ctx, t, s, letter(uint64(i), label, "reason "+label))
	}
	if err := s.Remove(ctx, 2); err != nil { // A hole in the sequences.
		t.Fatal(err)
	}
	if err := s.Remove(ctx, 2); err != nil {
		t.Errorf("removing twice: %v", err)
	}
	base := letter(0, "", "").Died
	for _, c := range []struct {
		filter deadletter.Filter
		want   string
	}{
		{deadletter.Filter{}, "one three"},
		{deadletter.Filter{Label: "three"}, "three"},
		{deadletter.Filter{Reason: "on one"}, "one"},
		{deadletter.Filter{Kind: "transient"}, ""},
		{deadletter.Filter{Operator: "other"}, ""},
		{deadletter.Filter{Since: base.Add(time.Hour)}, "three"},
		{deadletter.Filter{Until: base.Add(time.Hour)}, "one"},
		{deadletter.Filter{Numbers: []uint64{3, 4}}, "three"},
	} {
		if got := strings.Join(list(ctx, t, s, c.filter), " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.filter, got, c.want)
		}
	}
	if _, err := s.JetStream.Publish(ctx, "t.dlq.work", []byte("somebody else's")); err != nil {
		t.Fatal(err)
	}
	faults := 0
	for _, err := range s.List(ctx, deadletter.Filter{}) {
		if err != nil {
			faults++
		}
	}
	if faults != 1 {
		t.Errorf("%d faults for one message that is no letter", faults)
	}
}

func TestReplayAndPurge(t *testing.T) {
	ctx, s := newStore(t)
	put(ctx, t, s, letter(1, "one", "r"))
	put(ctx, t, s, letter(2, "two", "r"))
	l, err := s.Get(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Replay(ctx, l)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Replay(ctx, l)
	if err != nil || !again.Duplicate || again.Sequence != first.Sequence {
		t.Errorf("replayed twice: %+v %v", again, err)
	}
	stream, err := s.JetStream.Stream(ctx, "T_AUDIO")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetMsg(ctx, first.Sequence)
	if err != nil {
		t.Fatal(err)
	}
	if msg.Subject != "t.audio.one" || string(msg.Data) != "body of one" || msg.Header.Get("Nats-Msg-Id") != "replay/1/content/abc" ||
		msg.Header.Get("Wavemill-Dead-Reason") != "" || msg.Header.Get(header.Only) != "work" || header.DecodeValue(msg.Header.Get(header.Source)) != "größe.wav" {
		t.Errorf("%s %q %v", msg.Subject, msg.Data, msg.Header)
	}
	if got := list(ctx, t, s, deadletter.Filter{}); len(got) != 1 {
		t.Errorf("%v are left", got)
	}
	if n, err := s.Purge(ctx, deadletter.Filter{Label: "nobody"}); n != 0 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if n, err := s.Purge(ctx, deadletter.Filter{}); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if got := list(ctx, t, s, deadletter.Filter{}); len(got) != 0 {
		t.Errorf("%v are left", got)
	}
	notes := map[string]string{} // What became of the letters.
	for l, err := range s.List(ctx, deadletter.Filter{Settled: true}) {
		if err != nil {
			t.Fatal(err)
		}
		notes[l.Label] = fmt.Sprintf("%s %s %d", l.Settled, l.Stream, l.Sequence)
		if _, err := s.Get(ctx, l.Number); !errors.Is(err, deadletter.ErrNotFound) {
			t.Errorf("a note is taken for a letter: %v", err)
		}
	}
	if notes["one"] != "replayed T_AUDIO 1" || notes["two"] != "purged T_AUDIO 2" || len(notes) != 2 {
		t.Errorf("%v", notes)
	}
}

func TestIDsOfReplays(t *testing.T) {
	id := deadletter.ReplayID("12", deadletter.ReplayID("v3x", "content/abc/d"))
	if id != "replay/12/content/abc/d" || deadletter.OriginalID("replay/1/replay/2/x") != "x" || deadletter.OriginalID("replay/x") != "replay/x" {
		t.Error(id)
	}
}

// The bodies that letters refer to are looked after: their end is known, a replay stores them anew, and a letter without its
// body is refused and stays.
func TestStoredBodies(t *testing.T) {
	ctx, s := newStore(t)
	s.Objects = &objectstore.Store{JetStream: s.JetStream, Bucket: "T_OBJECT", TTL: time.Hour}
	ref, err := s.Objects.Put(ctx, []byte("large"))
	if err != nil {
		t.Fatal(err)
	}
	for sequence, object := range []string{ref, "T_OBJECT/sha256-" + strings.Repeat("0", 64)} {
		l := letter(uint64(sequence+1), "large", "r")
		l.Body = nil
		l.Header.Set(header.Object, object)
		put(ctx, t, s, l)
	}
	kept, err := s.Get(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.Expiry(ctx, kept)
	if left := time.Until(before); err != nil || left < 59*time.Minute || left > time.Hour {
		t.Errorf("it expires in %v, %v", left, err)
	}
	if body, err := s.Body(ctx, kept); string(body) != "large" || err != nil {
		t.Errorf("%q %v", body, err)
	}
	if _, err := s.Replay(ctx, kept); err != nil {
		t.Fatal(err)
	}
	if after, err := s.Expiry(ctx, kept); err != nil || !after.After(before) {
		t.Errorf("the replayed body expires at %v, before at %v, %v", after, before, err)
	}
	lost, err := s.Get(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Expiry(ctx, lost); !errors.Is(err, objectstore.ErrGone) {
		t.Error(err)
	}
	if _, err := s.Replay(ctx, lost); !errors.Is(err, objectstore.ErrGone) || !strings.Contains(err.Error(), "dead letter 2 cannot be replayed") {
		t.Error(err)
	}
	if _, err := s.Get(ctx, 2); err != nil {
		t.Errorf("the letter does not stay: %v", err)
	}
}
