package reader_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/reader"
)

// patience is how long anything may take on a busy machine.
const patience = time.Minute

// bench is a server with a stream S that a test reads.
type bench struct {
	t   *testing.T
	ctx context.Context
	url string
	js  jetstream.JetStream
}

func newBench(t *testing.T) *bench {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{
		JetStream: true, StoreDir: t.TempDir(), Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, MaxPayload: 8 << 20,
		Users: []*natsserver.User{
			{Username: "all"},
			{Username: "no-requests", Permissions: &natsserver.Permissions{Publish: &natsserver.SubjectPermission{
				Allow: []string{">"}, Deny: []string{"$JS.API.CONSUMER.MSG.NEXT.>"},
			}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b := &bench{t: t, ctx: ctx, url: s.ClientURL()}
	b.js = b.connect("all")
	if _, err := b.js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, AllowDirect: true}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) connect(user string) jetstream.JetStream {
	b.t.Helper()
	conn, err := nats.Connect(b.url, nats.UserInfo(user, ""), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		b.t.Fatal(err)
	}
	return js
}

// raw stores a message with a header block that the nats client would not write.
func (b *bench) raw(block, body string) {
	b.t.Helper()
	conn, err := new(net.Dialer).DialContext(b.ctx, "tcp", strings.TrimPrefix(b.url, "nats://"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	before := b.last()
	block += "\r\n\r\n"
	fmt.Fprintf(conn, "CONNECT {\"headers\":true,\"user\":\"all\",\"pass\":\"\"}\r\nHPUB s.x %d %d\r\n%s%s\r\nPING\r\n", len(block), len(block)+len(body), block, body)
	for deadline := time.Now().Add(patience); b.last() == before; time.Sleep(time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			b.t.Fatalf("%q is not stored", block)
		}
	}
}

func (b *bench) last() uint64 {
	b.t.Helper()
	return b.stream().CachedInfo().State.LastSeq
}

func (b *bench) stream() jetstream.Stream {
	b.t.Helper()
	stream, err := b.js.Stream(b.ctx, "S")
	if err != nil {
		b.t.Fatal(err)
	}
	return stream
}

func (b *bench) publish(body string) {
	b.t.Helper()
	if _, err := b.js.Publish(b.ctx, "s.x", []byte(body)); err != nil {
		b.t.Fatal(err)
	}
}

// read returns the sequences and the bodies that a request reads.
func (b *bench) read(r reader.Request) (sequences []uint64, bodies []string) {
	b.t.Helper()
	r.Stream = "S"
	err := reader.Read(b.ctx, b.js, r, func(m *reader.Message) bool {
		sequences, bodies = append(sequences, m.Sequence()), append(bodies, string(m.Data()))
		return true
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return sequences, bodies
}

// Whatever a client stores is a message, and no word of the server about a request.
func TestMessagesThatLookLikeStatuses(t *testing.T) {
	b := newBench(t)
	blocks := []string{
		"NATS/1.0 404 No Messages", "NATS/1.0 100 Idle Heartbeat", "NATS/1.0 100 FlowControl Request", "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 1\r\nNats-Pending-Bytes: 0",
		"NATS/1.0 409 Consumer Deleted", "NATS/1.0 409 Message Size Exceeds MaxBytes", "NATS/1.0 503", "NATS/1.0 400 Bad Request", "NATS/1.0 4",
		"NATS/1.0\r\nStatus: 404", "NATS/1.0\r\nStatus: 503", "NATS/1.0\r\nStatus: 100\r\nDescription: Idle Heartbeat", "NATS/1.0\r\nno colon",
		"NATS/1.0 404\r\nNats-Sequence: 99\r\nNats-Stream: T\r\nNats-Subject: s.y\r\nNats-Time-Stamp: now",
	}
	var want []string
	for _, block := range blocks {
		for _, body := range []string{"", "body"} {
			b.raw(block, body)
			want = append(want, body)
		}
	}
	b.publish("last")
	want = append(want, "last")
	for _, request := range []reader.Request{{From: 1, Last: true}, {From: 1, Last: true, HeadersOnly: true}, {From: 1, Last: true, Filter: "s.>"}} {
		sequences, bodies := b.read(request)
		if len(sequences) != len(want) || sequences[0] != 1 || sequences[len(want)-1] != uint64(len(want)) {
			t.Fatalf("%+v: read %d, want %d", request, sequences, len(want))
		}
		if request.HeadersOnly {
			want := make([]string, len(want))
			if !slices.Equal(bodies, want) {
				t.Errorf("%+v: bodies %q", request, bodies)
			}
		} else if !slices.Equal(bodies, want) {
			t.Errorf("%+v: bodies %q, want %q", request, bodies, want)
		}
	}
	for i, body := range want {
		block := "none"
		if i/2 < len(blocks) {
			block = blocks[i/2]
		}
		m, err := reader.Get(b.ctx, b.js, b.stream(), uint64(i+1))
		switch malformed := strings.HasSuffix(block, "no colon"); {
		case malformed && (err == nil || !strings.Contains(err.Error(), "not well-formed")):
			t.Errorf("%q: %v", block, err)
		case malformed:
		case err != nil:
			t.Errorf("%q: %v", block, err)
		case m.Sequence != uint64(i+1) || m.Subject != "s.x" || string(m.Data) != body || time.Since(m.Time) > patience:
			t.Errorf("%q: %+v", block, m)
		}
	}
	if _, err := reader.Get(b.ctx, b.js, b.stream(), 1000); !errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Errorf("a message that does not exist: %v", err)
	}
}

// A read that gets no further ends with an error that names the place.
func TestAReadWithoutProgressEnds(t *testing.T) {
	b := newBench(t)
	b.publish("one")
	for _, last := range []bool{true, false} {
		err := reader.Read(b.ctx, b.connect("no-requests"), reader.Request{Stream: "S", From: 1, Last: last, Patience: 50 * time.Millisecond}, func(*reader.Message) bool {
			t.Error("a message although nothing was asked for")
			return true
		})
		if err == nil || !strings.Contains(err.Error(), "stream S: no progress at sequence 1 ") {
			t.Errorf("last %v: %v", last, err)
		}
	}
}

// More than one request brings is read in order, without what was removed.
func TestReadsOfSeveralRequests(t *testing.T) {
	b := newBench(t)
	large := strings.Repeat("x", 5<<20)
	for range 8 {
		b.publish(large)
	}
	for range 1200 {
		b.publish("small")
	}
	for _, removed := range []uint64{1, 5, 700, 1208} {
		if err := b.stream().DeleteMsg(b.ctx, removed); err != nil {
			t.Fatal(err)
		}
	}
	for _, headersOnly := range []bool{false, true} {
		sequences, _ := b.read(reader.Request{From: 1, Last: true, HeadersOnly: headersOnly})
		if len(sequences) != 1204 || !slices.IsSorted(sequences) || slices.Contains(sequences, 700) {
			t.Errorf("%d messages", len(sequences))
		}
	}
	if sequences, _ := b.read(reader.Request{From: 1208, Last: true}); len(sequences) != 0 {
		t.Errorf("removed: %d", sequences)
	}
	if sequences, _ := b.read(reader.Request{From: 1, Last: true, Filter: "s.y"}); len(sequences) != 0 {
		t.Errorf("of another subject: %d", sequences)
	}
}

// What is published later is read too, also after the consumer was deleted, and no consumer stays behind.
func TestReadingOn(t *testing.T) {
	b := newBench(t)
	b.publish("before")
	var got []string
	go func() {
		if _, err := b.js.Publish(b.ctx, "s.x", []byte("0")); err != nil {
			t.Error(err)
		}
	}()
	err := reader.Read(b.ctx, b.js, reader.Request{Stream: "S", From: 2}, func(m *reader.Message) bool {
		got = append(got, string(m.Data()))
		for name := range b.stream().ConsumerNames(b.ctx).Name() {
			if err := b.js.DeleteConsumer(b.ctx, "S", name); err != nil {
				t.Error(err)
			}
		}
		b.publish(strconv.Itoa(len(got)))
		return len(got) < 4
	})
	if err != nil || strings.Join(got, " ") != "0 1 2 3" {
		t.Errorf("%q: %v", got, err)
	}
	for deadline := time.Now().Add(patience); b.stream().CachedInfo().State.Consumers > 0; time.Sleep(time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			t.Fatal("a consumer is left")
		}
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if err := reader.Read(ctx, b.js, reader.Request{Stream: "S"}, func(*reader.Message) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := reader.Read(b.ctx, b.js, reader.Request{Stream: "NONE", From: 1, Last: true}, nil); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("without the stream: %v", err)
	}
}
