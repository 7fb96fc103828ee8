package faults

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"wavemill/internal/allocation"
	"wavemill/pipeline/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFrames(t *testing.T) {
	stream := "PING\r\nPUB $JS.ACK.A.b.1.2.3.4.5 4\r\n+ACK\r\nMSG _INBOX.x.y 1 32\r\n{\"stream\":\"T_AUDIO\", \"seq\":1234}\r\nHMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n+OK\r\n"
	f := newFrames(iotest.OneByteReader(strings.NewReader(stream)))
	var all []byte
	var acks, pubAcks, n int
	for {
		next, err := f.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, next.bytes...)
		n++
		if next.isAck() {
			acks++
		}
		if next.isPubAck() {
			pubAcks++
		}
	}
	if string(all) != stream || n != 5 || acks != 1 || pubAcks != 1 {
		t.Errorf("%d frames, %d acks, %d PubAcks, %q", n, acks, pubAcks, all)
	}
	for _, bad := range []string{"PUB a -1\r\n", "PUB a 99999999999\r\n", "MSG a 1 x\r\n", "PUB a 9\r\nshort\r\n", strings.Repeat("x", 2*maxLine)} {
		if _, err := newFrames(strings.NewReader(bad)).next(); err == nil {
			t.Errorf("%.20q is taken for a frame", bad)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("PUB a 2\r\nhi\r\nPING\r\n"))
	f.Add([]byte("HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var all []byte
		allocation.Check(t, len(data), 100, func() {
			frames := newFrames(bytes.NewReader(data))
			for {
				next, err := frames.next()
				if err != nil {
					break
				}
				all = append(all, next.bytes...)
			}
		})
		if !bytes.HasPrefix(data, all) {
			t.Errorf("%q is not what was read: %q", all, data)
		}
	})
}

// A connection survives what is swallowed, and comes back after a cut.
func TestProxy(t *testing.T) {
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	p, err := NewProxy(strings.TrimPrefix(s.URL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	back := make(chan struct{}, 8) // One for each reconnection.
	conn, err := nats.Connect("nats://"+p.Addr(), nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1), nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := conn.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "T", Subjects: []string{"t.>"}}); err != nil {
		t.Fatal(err)
	}
	publish := func(wait time.Duration) error {
		_, err := js.Publish("t.x", []byte("x"), nats.AckWait(wait))
		return err
	}
	if err := publish(time.Minute); err != nil {
		t.Fatal(err)
	}
	p.DropPubAcks()
	if err := publish(100 * time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
		t.Errorf("without PubAcks: %v", err)
	}
	p.Forward()
	if err := publish(time.Minute); err != nil {
		t.Error(err)
	}
	p.HalfOpen()
	if err := publish(100 * time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
		t.Errorf("half open: %v", err)
	}
	p.Forward()
	p.Delay(50 * time.Millisecond)
	began := time.Now()
	if err := publish(time.Minute); err != nil || time.Since(began) < 100*time.Millisecond {
		t.Errorf("delayed: %v after %v", err, time.Since(began))
	}
	p.Delay(0)
	p.Cut()
	select {
	case <-back:
	case <-time.After(time.Minute):
		t.Fatal("not reconnected")
	}
	if info, err := js.StreamInfo("T"); err != nil || info.State.Msgs != 4 { // That without PubAck is stored.
		t.Errorf("%+v %v", info, err)
	}
}
