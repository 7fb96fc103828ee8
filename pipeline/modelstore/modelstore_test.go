package modelstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/modelstore"
	"wavemill/pipeline/server"
)

// open returns functions that make stores on one server: two writers of the same bucket.
func open(t *testing.T) (context.Context, func() *modelstore.Store) {
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
	return ctx, func() *modelstore.Store { return &modelstore.Store{JetStream: js, Bucket: "T_MODEL"} }
}

func TestVersions(t *testing.T) {
	ctx, newStore := open(t)
	s := newStore()
	if _, err := s.Get(ctx, "vae"); !errors.Is(err, modelstore.ErrNotFound) {
		t.Errorf("before the first version: %v", err)
	}
	var e modelstore.Entry
	var objects []string
	for i := range 8 {
		var err error
		e, err = s.Put(ctx, "vae", fmt.Sprintf("d%d", i), fmt.Appendf(nil, "content %d", i), []byte(`{"step":1}`), e)
		if err != nil {
			t.Fatal(err)
		}
		objects = append([]string{e.Object}, objects...)
		got, err := newStore().Get(ctx, "vae")
		if err != nil || got.Version != uint64(i+1) || got.Digest != fmt.Sprintf("d%d", i) || string(got.Info) != `{"step":1}` {
			t.Fatalf("%+v %v", got, err)
		}
		if content, err := s.Load(ctx, got); err != nil || string(content) != fmt.Sprintf("content %d", i) {
			t.Errorf("%q %v", content, err)
		}
	}
	var kept []string
	for _, v := range e.Kept {
		kept = append(kept, v.Object)
	}
	if !slices.Equal(kept, objects[1:modelstore.DefaultKeep]) {
		t.Errorf("kept %v of %v", e.Kept, objects)
	}
	for i, object := range objects {
		_, err := s.Load(ctx, modelstore.Entry{Name: "vae", Stored: modelstore.Stored{Object: object}})
		if (err == nil) != (i < modelstore.DefaultKeep) {
			t.Errorf("object %d from the newest: %v", i, err)
		}
	}
}

func TestTheSameContentAgain(t *testing.T) {
	ctx, newStore := open(t)
	s := newStore()
	one, err := s.Put(ctx, "vae", "same", []byte("content"), nil, modelstore.Entry{})
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.Put(ctx, "vae", "same", []byte("content"), nil, one)
	if err != nil || two.Version != 2 || len(two.Kept) != 0 {
		t.Fatalf("%+v %v", two, err)
	}
	if content, err := s.Load(ctx, two); err != nil || string(content) != "content" {
		t.Errorf("%q %v", content, err)
	}
}

func TestTwoWriters(t *testing.T) {
	ctx, newStore := open(t)
	a, b := newStore(), newStore()
	first, err := a.Put(ctx, "vae", "a1", []byte("a1"), nil, modelstore.Entry{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(ctx, "vae", "b1", []byte("b1"), nil, modelstore.Entry{}); !errors.Is(err, modelstore.ErrConflict) {
		t.Errorf("a second first version: %v", err)
	}
	if _, err := a.Put(ctx, "vae", "a2", []byte("a2"), nil, first); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(ctx, "vae", "b2", []byte("b2"), nil, first); !errors.Is(err, modelstore.ErrConflict) {
		t.Errorf("a second second version: %v", err)
	}
	if e, err := b.Get(ctx, "vae"); err != nil || e.Digest != "a2" {
		t.Errorf("%+v %v", e, err)
	}
}

func TestWatch(t *testing.T) {
	ctx, newStore := open(t)
	s := newStore()
	e, err := s.Put(ctx, "vae", "d1", []byte("1"), nil, modelstore.Entry{})
	if err != nil {
		t.Fatal(err)
	}
	watching, stop := context.WithCancel(ctx)
	seen := make(chan string, 10)
	done := make(chan error, 1)
	go func() { done <- newStore().Watch(watching, "vae", func(e modelstore.Entry) { seen <- e.Digest }) }()
	if got := <-seen; got != "d1" {
		t.Errorf("first %s", got)
	}
	if _, err := s.Put(ctx, "gan", "other", []byte("g"), nil, modelstore.Entry{}); err != nil {
		t.Fatal(err)
	}
	if _, err = s.Put(ctx, "vae", "d2", []byte("2"), nil, e); err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got != "d2" {
		t.Errorf("then %s", got)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWriteFile(t *testing.T) {
	ctx, newStore := open(t)
	s, path := newStore(), filepath.Join(t.TempDir(), "vae.safetensors")
	if err := s.WriteFile(ctx, "vae", path); !errors.Is(err, modelstore.ErrNotFound) {
		t.Errorf("before the first version: %v", err)
	}
	var e modelstore.Entry
	for _, content := range []string{"first", "second"} {
		var err error
		if e, err = s.Put(ctx, "vae", content, []byte(content), nil, e); err != nil {
			t.Fatal(err)
		}
		if err := s.WriteFile(ctx, "vae", path); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%q %v, want %q", got, err, content)
		}
	}
	if err := s.WriteFile(ctx, "vae", filepath.Join(path, "x")); err == nil {
		t.Error("a file in place of the folder is no error")
	}
}
