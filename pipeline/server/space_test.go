package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// started is a server that listens, a client of another process, one of this process, and their stream.
func started(t *testing.T) (s *Server, clients []jetstream.JetStream) {
	t.Helper()
	s, err := Start(t.Context(), Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	for _, option := range []nats.Option{nats.Name("outside"), s.InProcess()} {
		nc, err := nats.Connect(s.URL(), option, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, js)
	}
	if _, err := clients[0].CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}}); err != nil {
		t.Fatal(err)
	}
	return s, clients
}

// eventually polls f until it is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) { // A poll.
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// A server that could not write for want of space is started again in the process once there is some: its clients come back by
// themselves, on the same address, and what it has confirmed is there.
func TestRestartAfterAFullDisk(t *testing.T) {
	s, clients := started(t)
	if bytes, known := free(s.dir); !known || bytes < leastFree {
		t.Skipf("the disk has %d bytes (known: %t)", bytes, known)
	}
	if _, err := clients[0].Publish(t.Context(), "s.x", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	first, url := s.current().ns, s.URL()
	(&logger{lack: s.current().lack}).Errorf("JetStream failed to store a msg on stream '%s': write 1.blk: no space left on device", "S")
	eventually(t, "another server runs", func() bool { ns := s.current().ns; return ns != nil && ns != first })
	if s.URL() != url {
		t.Errorf("the address was %s and is %s", url, s.URL())
	}
	for i, js := range clients {
		eventually(t, "the client is back", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			ack, err := js.Publish(ctx, "s.x", []byte("new"), jetstream.WithMsgID(string(rune('a'+i))))
			return err == nil && ack.Sequence == uint64(2+i)
		})
	}
	if err := s.Fault(); err != nil {
		t.Error(err)
	}
}

// A lack of space is told from other warnings, and says what to do.
func TestFullDiskIsNoticed(t *testing.T) {
	for line, want := range map[string][2]bool{
		"JetStream failed to store a msg on stream '$G > S': write /d/1.blk: no space left on device": {true, false},
		"Critical write error: write C:\\d\\1.blk: There is not enough space on the disk.":            {true, false},
		"JetStream file resource limits exceeded for server":                                          {false, true},
		"Slow Consumer Detected": {},
	} {
		l := newLack()
		l.notice(line)
		full, limited := l.state()
		if got := [2]bool{full != nil, limited}; got != want || len(l.noticed) > 0 != (want[0] || want[1]) {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
	s := &Server{dir: "/data", run: run{lack: newLack()}}
	if err := s.Fault(); !errors.Is(err, errRestarting) {
		t.Errorf("between two runs: %v", err)
	}
}

// The bytes on disk include those of batches.
func TestStorageCountsBatches(t *testing.T) {
	s, clients := started(t)
	if _, err := clients[0].Publish(t.Context(), "s.x", make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	before, _ := s.Storage()
	found, err := filepath.Glob(filepath.Join(s.dir, "jetstream", "*", "streams", "S"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v: %v", found, err)
	}
	batch := filepath.Join(found[0], "batches", "x", "msgs")
	if err := os.MkdirAll(batch, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(batch, "1.blk"), []byte(strings.Repeat("x", 12345)), 0o600); err != nil {
		t.Fatal(err)
	}
	if used, _ := s.Storage(); used != before+12345 {
		t.Errorf("%d bytes, want %d and 12345", used, before)
	}
}
