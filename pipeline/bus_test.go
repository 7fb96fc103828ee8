package pipeline_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

func natsMsg(subject, name, value string) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Header.Set(name, value)
	return m
}

// kept2 returns the dead letters whose bodies can be read; of others only the headers count.
func kept2(t *testing.T, bus *pipeline.Bus) []*pipeline.Message {
	t.Helper()
	var all []*pipeline.Message
	stream := rawStream(t, bus, pipeline.TypeDLQ)
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		raw, err := stream.GetMsg(within(t), seq)
		if err != nil {
			t.Fatal(err)
		}
		m := &pipeline.Message{Label: header.DecodeValue(raw.Header.Get(header.Label)), Body: raw.Data, Header: map[string]string{}}
		for name := range raw.Header {
			m.Header[name] = header.DecodeValue(raw.Header.Get(name))
		}
		all = append(all, m)
	}
	return all
}

// labels that subjects cannot carry, or that look like something else.
var oddLabels = []string{
	"plain", "two words", "dots.and.more", "*", ">", "a > b", "größe", "日本語", "tab\tand\nline", " ends ", "", "_", "=?utf-8?q?x?=",
	strings.Repeat("long ", 60), "%2e%2e", "../../etc", "UPPER", "upper", "\xff\xfe",
}

func TestOddLabels(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	_, _ = start(t, bus, on(shout))
	for _, label := range oddLabels {
		publish(t, bus, label, fmt.Sprintf("m-%x", label))
	}
	// A plain client that sends a subject and nothing else.
	if _, err := bus.JetStream().Publish(within(t), "t.audio.from-a-client", []byte("m-client")); err != nil {
		t.Fatal(err)
	}
	settled(t, bus)
	exactlyOnce(t, bus, 1)
	got := map[string]string{}
	for _, m := range kept(t, bus, pipeline.TypeClip) {
		got[string(m.Body)] = m.Label
	}
	for _, label := range oddLabels {
		if body := fmt.Sprintf("M-%X", label); got[body] != label {
			t.Errorf("label %q came back as %q", label, got[body])
		}
	}
	if got["M-CLIENT"] != "from-a-client" {
		t.Errorf("without a header the label is %q, want the subject's token", got["M-CLIENT"])
	}
	// One label's clips can be had alone.
	n := 0
	for m, err := range bus.Messages(within(t), pipeline.Subscription{Stream: pipeline.TypeClip, Label: "a > b", From: 1, Last: true}) {
		if err != nil || m.Label != "a > b" {
			t.Errorf("%v %v", m, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d clips of one label, want 1", n)
	}
}

func TestPublishingTwiceStoresOnce(t *testing.T) {
	bus := open(t, specOf(t, "", func(s *pipeline.Spec) { s.Operators = nil }))
	first := publish(t, bus, "l", "body")
	second := publish(t, bus, "l", "body")
	other := publish(t, bus, "m", "body")
	if first.Duplicate || !second.Duplicate || second.Sequence != first.Sequence || other.Duplicate {
		t.Errorf("%+v %+v %+v", first, second, other)
	}
	for _, bad := range []*pipeline.Message{
		{Type: "pictures", Body: []byte("x")},
		{Type: pipeline.TypeDLQ, Body: []byte("x")},
		{Type: pipeline.TypeAudio, Header: map[string]string{"Nats-Rollup": "all"}},
		{Type: pipeline.TypeAudio, Header: map[string]string{"a b": "c"}},
		{Type: pipeline.TypeAudio, Header: map[string]string{"Big": strings.Repeat("x", 70000)}},
	} {
		if _, err := bus.Publish(within(t), bad); pipeline.KindOf(err) != pipeline.Invalid {
			t.Errorf("%s %.20v: error %v is not Invalid", bad.Type, bad.Header, err)
		}
	}
}

func TestInheritedHeaders(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	_, _ = start(t, bus, on(shout))
	in := &pipeline.Message{Type: pipeline.TypeAudio, Label: "l", Body: []byte("m"), Header: map[string]string{
		header.Source: "takes/größe 1.wav", header.Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", header.ContentType: "audio/wav",
	}}
	if _, err := bus.Publish(within(t), in); err != nil {
		t.Fatal(err)
	}
	settled(t, bus)
	out := kept(t, bus, pipeline.TypeClip)[0]
	if out.Header[header.Source] != "takes/größe 1.wav" || !strings.HasSuffix(out.Header[header.Traceparent], "-01") || out.Header[header.ContentType] != "" {
		t.Errorf("%v", out.Header)
	}
	if !regexp.MustCompile(`^t/work@[0-9a-f]{12}/T_AUDIO/1/0$`).MatchString(out.ID) {
		t.Errorf("id %q", out.ID)
	}
}

func TestCloseWhileTheServerIsAway(t *testing.T) {
	e := newExternal(t)
	bus, err := pipeline.Open(within(t), specOf(t, e.url(), nil), pipeline.BusOptions{Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Start(context.Background(), bus, on(shout), pipeline.Options{Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	e.stop()
	if err := p.Stop(within(t)); err != nil {
		t.Errorf("stop: %v", err)
	}
	began := time.Now()
	_ = bus.Close(within(t)) // Says that it could not drain.
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("closing took %v", d)
	}
}

func TestOnlyOneEmbeddedServerPerDirectory(t *testing.T) {
	s := specOf(t, "", func(s *pipeline.Spec) { s.Operators = nil })
	_ = open(t, s)
	if _, err := pipeline.Open(within(t), s, pipeline.BusOptions{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second server in the same directory: %v", err)
	}
}
