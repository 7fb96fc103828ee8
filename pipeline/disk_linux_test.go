package pipeline_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"wavemill/pipeline"
)

// A disk that was full and has space again: the operators are not ready meanwhile, whoever waits for a confirmation gets it without a
// restart of the process, and nothing is lost or doubled. It needs the right to mount a small file system.
func TestAFullDiskHeals(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=40m"); err != nil {
		t.Skipf("mount a file system: %v", err)
	}
	t.Cleanup(func() {
		// nats-server leaves the file of a batch open, which it has removed, where a write to it has failed.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	var logged lines
	bus, err := pipeline.Open(within(t), specOf(t, "", func(s *pipeline.Spec) { s.DataDir = filepath.Join(dir, "data") }), pipeline.BusOptions{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(within(t)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	p, _ := start(t, bus, on(shout))
	feed(t, bus, "before", 3)
	settled(t, bus)

	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = ballast.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	published := make(chan error, 8)
	for i := range cap(published) {
		go func() {
			body := strings.Repeat("x", 100000) + strconv.Itoa(i)
			_, err := bus.Publish(within(t), &pipeline.Message{Type: pipeline.TypeAudio, Label: "l", Body: []byte(body)})
			published <- err
		}()
	}
	eventually(t, "the operator is not ready", func() bool { return !p.Snapshot()[0].Ready })
	if reason := p.Snapshot()[0].Reason; !strings.Contains(reason, "no space left on device") || !strings.Contains(reason, dir) {
		t.Errorf("the reason: %s", reason)
	}
	large, give := context.WithCancel(within(t)) // A body that goes into the object store.
	gave := make(chan struct{})
	go func() {
		defer close(gave)
		if _, err := bus.Publish(large, &pipeline.Message{Type: pipeline.TypeAudio, Label: "l", Body: make([]byte, 9<<20)}); err == nil {
			t.Error("a body of 9 MiB was stored on a full disk")
		}
	}()
	eventually(t, "the log says that a large body waits", func() bool { return logged.has("the object store does not confirm a body") })
	give()
	<-gave
	eventually(t, "the log names the disk", func() bool { return logged.has("the disk is full") })
	if err := os.Remove(ballast.Name()); err != nil {
		t.Fatal(err)
	}
	if err := ballast.Close(); err != nil {
		t.Fatal(err)
	}
	for range cap(published) {
		if err := <-published; err != nil {
			t.Error(err)
		}
	}
	settled(t, bus)
	exactlyOnce(t, bus, 1)
	if n := len(kept(t, bus, pipeline.TypeClip)); n != 3+cap(published) {
		t.Errorf("%d outputs, want %d", n, 3+cap(published))
	}
	if s := p.Snapshot()[0]; !s.Ready {
		t.Errorf("it is not ready again: %s", s.Reason)
	}
}
