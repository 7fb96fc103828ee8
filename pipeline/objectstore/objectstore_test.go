package objectstore_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/objectstore"
	"wavemill/pipeline/server"
)

func open(t *testing.T) (context.Context, *objectstore.Store) {
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
	return ctx, &objectstore.Store{JetStream: js, Bucket: "T_OBJECT", TTL: time.Hour}
}

func TestBodiesReturn(t *testing.T) {
	ctx, s := open(t)
	for _, size := range []int{0, 1, 128 << 10, 3<<20 + 1} {
		body := bytes.Repeat([]byte("wave"), size/4+1)[:size]
		ref, err := s.Put(ctx, body)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Put(ctx, bytes.Clone(body))
		if err != nil || again != ref {
			t.Errorf("the same body is %s and %s: %v", ref, again, err)
		}
		got, err := s.Get(ctx, ref)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes came back as %d: %v", size, len(got), err)
		}
	}
	store, err := s.JetStream.ObjectStore(ctx, "T_OBJECT")
	if err != nil {
		t.Fatal(err)
	}
	list, err := store.List(ctx)
	if err != nil || len(list) != 4 {
		t.Errorf("%d objects for four bodies: %v", len(list), err)
	}
}

func TestBadReferences(t *testing.T) {
	ctx, s := open(t)
	ref, err := s.Put(ctx, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := s.JetStream.ObjectStore(ctx, "T_OBJECT")
	if err != nil {
		t.Fatal(err)
	}
	forged := "sha256-" + strings.Repeat("0", 64)
	if _, err := store.PutString(ctx, forged, "something else"); err != nil {
		t.Fatal(err)
	}
	for bad, want := range map[string]error{
		"":                                  objectstore.ErrReference,
		"T_OBJECT":                          objectstore.ErrReference,
		"OTHER/" + forged:                   objectstore.ErrReference,
		"T_OBJECT/sha256-12":                objectstore.ErrReference,
		"T_OBJECT/" + forged:                objectstore.ErrReference,
		ref[:len(ref)-1] + "g":              objectstore.ErrGone,
		"T_OBJECT/md5-" + ref[len(ref)-64:]: objectstore.ErrReference,
	} {
		if _, err := s.Get(ctx, bad); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", bad, err, want)
		}
	}
}
