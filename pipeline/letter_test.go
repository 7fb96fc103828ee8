package pipeline_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/header"
)

// refuse finds every message invalid.
func refuse(context.Context, *pipeline.Message, pipeline.Emit) error {
	return pipeline.Errorf(pipeline.Invalid, "no audio")
}

// letters returns the dead letters of a pipeline in the order of their messages.
func letters(t *testing.T, bus *pipeline.Bus) (all []deadletter.Letter) {
	t.Helper()
	for l, err := range bus.DeadLetters().List(within(t), deadletter.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b deadletter.Letter) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return all
}

// Whatever headers a client has sent, a message that fails becomes a dead letter, which says what it lacks.
func TestHeadersThatALetterCannotHave(t *testing.T) {
	bus := open(t, specOf(t, "", func(s *pipeline.Spec) { s.Listen = "127.0.0.1:0" }))
	blocks := []string{
		"NATS/1.0\r\nWavemill\x00x: q\r\nWavemill-Source: a.wav",
		"NATS/1.0\r\nStatus: 404\r\nDescription: No Messages",
		"NATS/1.0\r\nX: " + strings.Repeat("x", 40<<10) + "\r\nY: " + strings.Repeat("y", 20<<10) + "\r\nWavemill-Source: b.wav",
		"NATS/1.0\r\nWavemill-Label: " + strings.Repeat("ö", 30<<10),
		"NATS/1.0\r\nno colon",
	}
	conn, err := new(net.Dialer).DialContext(within(t), "tcp", strings.TrimPrefix(bus.URL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "CONNECT {\"headers\":true}\r\n")
	for _, block := range blocks {
		block += "\r\n\r\n"
		fmt.Fprintf(conn, "HPUB t.audio.x %d %d\r\n%sbody\r\n", len(block), len(block)+len("body"), block)
	}
	fmt.Fprintf(conn, "PING\r\n")
	eventually(t, "the messages are stored", func() bool {
		last, err := bus.LastSequence(within(t), pipeline.TypeAudio)
		return err == nil && last == uint64(len(blocks))
	})
	p, _ := start(t, bus, on(refuse))
	settled(t, bus)
	all := letters(t, bus)
	if len(all) != len(blocks) {
		t.Fatalf("%d letters: %+v", len(all), all)
	}
	for i, want := range []string{`"Wavemill\x00x"`, "Description, Status", "X", header.Label, ""} {
		l := all[i]
		if l.LeftOut != want || l.Sequence != uint64(i+1) || string(l.Body) != "body" || l.Attempts != 1 || l.Subject != "t.audio.x" {
			t.Errorf("letter %d: left out %q, want %q: %+v", i, l.LeftOut, want, l)
		}
	}
	if all[0].Source != "a.wav" || all[2].Source != "b.wav" || len(all[2].Header.Get("Y")) != 20<<10 {
		t.Error("headers are missing that a letter can have")
	}
	if s := p.Snapshot()[0]; s.Dead != uint64(len(blocks)) || s.DeadFailed != 0 {
		t.Errorf("%+v", s)
	}
	for _, l := range all[:3] {
		if _, err := bus.DeadLetters().Replay(within(t), l); err != nil {
			t.Error(err)
		}
	}
}

// Messages that are refused later become letters too, with any header.
func TestRefusedMessagesWithAnyHeader(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	msg := nats.NewMsg("t.audio.x")
	msg.Header.Set("X.y", "not for operators")
	msg.Header.Set("Z", strings.Repeat("ö", 25<<10))
	if _, err := bus.JetStream().PublishMsg(within(t), msg); err != nil {
		t.Fatal(err)
	}
	if err := bus.Refuse(within(t), "work", pipeline.TypeAudio, []uint64{1}, errors.New("too short")); err != nil {
		t.Fatal(err)
	}
	if all := letters(t, bus); len(all) != 1 || all[0].LeftOut != "Z" || all[0].Header.Get("X.y") == "" || all[0].Reason != "too short" {
		t.Errorf("%+v", all)
	}
}

// A dead letter that the stream does not take is counted and tried again, with growing delays, until it is stored.
func TestALetterThatCannotBeStored(t *testing.T) {
	bus := open(t, specOf(t, "", nil))
	stream := rawStream(t, bus, pipeline.TypeDLQ)
	config := stream.CachedInfo().Config
	config.MaxMsgSize = 10
	if _, err := bus.JetStream().UpdateStream(within(t), config); err != nil {
		t.Fatal(err)
	}
	p, _ := start(t, bus, on(refuse))
	publish(t, bus, "x", "body")
	eventually(t, "the failure is counted twice", func() bool { return p.Snapshot()[0].DeadFailed == 2 })
	if s := p.Snapshot()[0]; s.Dead != 0 {
		t.Errorf("%+v", s)
	}
	config.MaxMsgSize = -1
	if _, err := bus.JetStream().UpdateStream(within(t), config); err != nil {
		t.Fatal(err)
	}
	settled(t, bus)
	if all := letters(t, bus); len(all) != 1 || all[0].Attempts != 3 {
		t.Errorf("%+v", all)
	}
}
