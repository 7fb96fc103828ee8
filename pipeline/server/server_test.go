package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"wavemill/pipeline/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ExampleStart() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := server.Start(context.Background(), server.Config{DataDir: dir})
	if err != nil {
		panic(err)
	}
	defer s.Shutdown()
	nc, err := nats.Connect("", s.InProcess())
	if err != nil {
		panic(err)
	}
	defer nc.Close()
	fmt.Println(nc.ConnectedServerName(), nc.MaxPayload()>>20, "MiB")
	// Output: wavemill 8 MiB
}

func connect(t *testing.T, s *server.Server) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(s.URL(), s.InProcess())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// TestDataSurvives also shows that the store is where it was asked to be, and in no temporary directory.
func TestDataSurvives(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	t.Setenv("TMPDIR", t.TempDir())
	for round := range 3 {
		s, err := server.Start(t.Context(), server.Config{DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		js := connect(t, s)
		stream, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
		if err != nil {
			t.Fatal(err)
		}
		if n := stream.CachedInfo().State.Msgs; n != uint64(round) {
			t.Errorf("round %d: %d messages", round, n)
		}
		if _, err := js.Publish(t.Context(), "s.x", []byte("kept")); err != nil {
			t.Fatal(err)
		}
		js.Conn().Close()
		s.Shutdown()
	}
	if blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "S", "msgs", "*.blk")); err != nil || len(blocks) == 0 {
		t.Errorf("no data in %s: %v", dir, err)
	}
	if files, err := os.ReadDir(os.TempDir()); err != nil || len(files) > 0 {
		t.Errorf("files in the temporary directory: %v %v", files, err)
	}
}

func TestBadConfigurations(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config server.Config
		want   string
	}{
		"no directory":      {server.Config{}, "no data directory"},
		"directory is file": {server.Config{DataDir: file}, "not a directory"},
		"no port":           {server.Config{DataDir: t.TempDir(), Listen: "localhost"}, "missing port"},
		"bad port":          {server.Config{DataDir: t.TempDir(), Listen: "localhost:http"}, `port "http"`},
		"port taken":        {server.Config{DataDir: t.TempDir(), Listen: busy.Addr().String()}, "address already in use\"; stop the program that listens there, or choose another address (listen, --listen)"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			s, err := server.Start(t.Context(), c.config)
			if err == nil {
				s.Shutdown()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) || time.Since(began) > 20*time.Second {
				t.Errorf("after %v: %v; want %q", time.Since(began), err, c.want)
			}
		})
	}
}

func TestCancelledStart(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Microsecond)
		s, err := server.Start(ctx, server.Config{DataDir: dir, Listen: "127.0.0.1:0"})
		if err == nil {
			s.Shutdown()
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %d x 200 us: %v", i, err)
		}
		cancel()
	}
}

func TestOneServerPerDirectory(t *testing.T) {
	dir := t.TempDir()
	first, err := server.Start(t.Context(), server.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = server.Start(t.Context(), server.Config{DataDir: dir}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())) {
		t.Errorf("a second server: %v", err)
	}
	first.Shutdown()
	// What a killed process leaves behind: nobody there, somebody else there, half a file.
	stranger, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	go func() {
		for {
			c, err := stranger.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "INFO {}")
			c.Close()
		}
	}()
	for _, stale := range []string{"127.0.0.1:1 SECRET 1\n", stranger.Addr().String() + " SECRET 1\n", "127.0", ""} {
		if err := os.WriteFile(filepath.Join(dir, "wavemill.lock"), []byte(stale), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := server.Start(t.Context(), server.Config{DataDir: dir})
		if err != nil {
			t.Errorf("stale lock %q: %v", stale, err)
			continue
		}
		s.Shutdown()
	}
}
