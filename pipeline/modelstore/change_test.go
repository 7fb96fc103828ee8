package modelstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"wavemill/pipeline/modelstore"
)

// put stores versions named d<number> and returns the last entry.
func put(ctx context.Context, t *testing.T, s *modelstore.Store, e modelstore.Entry, n int) modelstore.Entry {
	t.Helper()
	for range n {
		digest := fmt.Sprintf("d%d", e.Last+1)
		var err error
		if e, err = s.Put(ctx, "vae", digest, []byte("content of "+digest), nil, e); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// summary is the current version and the others, "!" where withdrawn.
func summary(e modelstore.Entry) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d:", e.Version)
	for _, v := range e.Kept {
		fmt.Fprintf(&text, " %d", v.Version)
		if v.Withdrawn != nil {
			text.WriteString("!")
		}
	}
	return text.String()
}

func TestRollback(t *testing.T) {
	ctx, newStore := open(t)
	s := newStore()
	s.Trial = true
	e := put(ctx, t, s, modelstore.Entry{}, 1)
	if e.Trial {
		t.Error("the first version is on trial")
	}
	if _, err := s.Rollback(ctx, e, "bad"); !errors.Is(err, modelstore.ErrNoVersion) {
		t.Errorf("without an earlier version: %v", err)
	}
	e = put(ctx, t, s, e, 2)
	if !e.Trial {
		t.Error("a later version is not on trial")
	}
	stale := e
	e, err := s.Rollback(ctx, e, "bad sound")
	if err != nil || summary(e) != "2: 3! 1" || e.Trial || e.Kept[0].Withdrawn.Reason != "bad sound" {
		t.Fatalf("%s %+v %v", summary(e), e, err)
	}
	if _, err := newStore().Rollback(ctx, stale, "late"); !errors.Is(err, modelstore.ErrConflict) {
		t.Errorf("a second roll-back of the same version: %v", err)
	}
	got, err := newStore().Get(ctx, "vae")
	if err != nil || summary(got) != summary(e) || got.Digest != "d2" {
		t.Errorf("read %s %v", summary(got), err)
	}
	if content, err := s.Load(ctx, got); err != nil || string(content) != "content of d2" {
		t.Errorf("%q %v", content, err)
	}
	e = put(ctx, t, s, got, 1) // Numbers are not given twice, and the withdrawn version is not gone back to.
	if summary(e) != "4: 3! 2 1" || e.Digest != "d4" {
		t.Errorf("%s %+v", summary(e), e)
	}
	if e, err = s.Rollback(ctx, e, "bad too"); err != nil || summary(e) != "2: 4! 3! 1" {
		t.Errorf("%s %v", summary(e), err)
	}
	if e, err = s.Serve(ctx, e, 3, ""); err != nil || summary(e) != "3: 4! 2 1" {
		t.Errorf("a withdrawn version that is asked for: %s %v", summary(e), err)
	}
	if _, err = s.Serve(ctx, e, 9, ""); !errors.Is(err, modelstore.ErrNoVersion) || !strings.Contains(err.Error(), "4, 3, 2, 1") {
		t.Errorf("a version that is not kept: %v", err)
	}
}

// Of more versions than are to be kept, those that were withdrawn go first.
func TestKeepsGoodVersions(t *testing.T) {
	ctx, newStore := open(t)
	s := newStore()
	s.Keep = 3
	e := put(ctx, t, s, modelstore.Entry{}, 3)
	e, err := s.Rollback(ctx, e, "bad")
	if err != nil {
		t.Fatal(err)
	}
	e = put(ctx, t, s, e, 1)
	if summary(e) != "4: 2 1" {
		t.Errorf("%s", summary(e))
	}
	if _, err := s.Load(ctx, modelstore.Entry{Stored: modelstore.Stored{Object: "vae-d3"}}); err == nil {
		t.Error("the content of a version that is not kept is left")
	}
	if n, err := s.Sweep(ctx, []string{"vae"}, 0); n != 0 || err != nil {
		t.Errorf("swept %d objects of kept versions, %v", n, err)
	}
}

func TestPin(t *testing.T) {
	ctx, newStore := open(t)
	s := newStore()
	e := put(ctx, t, s, modelstore.Entry{}, 2)
	e, err := s.Pin(ctx, e, true)
	if err != nil {
		t.Fatal(err)
	}
	e = put(ctx, t, s, e, 6) // More than are kept.
	if e.Version != 2 || !e.Pinned || e.Last != 8 || len(e.Kept) != modelstore.DefaultKeep-1 {
		t.Fatalf("%s %+v", summary(e), e)
	}
	if content, err := s.Load(ctx, e); err != nil || string(content) != "content of d2" {
		t.Errorf("%q %v", content, err)
	}
	if _, err := s.Rollback(ctx, e, "bad"); !errors.Is(err, modelstore.ErrPinned) {
		t.Errorf("a roll-back of a pinned version: %v", err)
	}
	if e, err = s.Pin(ctx, e, false); err != nil || e.Version != 2 || e.Pinned {
		t.Errorf("%+v %v", e, err)
	}
	if e = put(ctx, t, s, e, 1); e.Version != 9 {
		t.Errorf("%s", summary(e))
	}
}

func TestRemove(t *testing.T) {
	ctx, newStore := open(t)
	s := newStore()
	e := put(ctx, t, s, modelstore.Entry{}, 3)
	if _, err := s.Remove(ctx, e, 3); !errors.Is(err, modelstore.ErrInUse) {
		t.Errorf("the current version: %v", err)
	}
	if _, err := s.Remove(ctx, e, 7); !errors.Is(err, modelstore.ErrNoVersion) {
		t.Errorf("a version that is not kept: %v", err)
	}
	e, err := s.Remove(ctx, e, 2)
	if err != nil || summary(e) != "3: 1" {
		t.Fatalf("%s %v", summary(e), err)
	}
	if _, err := s.Load(ctx, modelstore.Entry{Stored: modelstore.Stored{Object: "vae-d2"}}); err == nil {
		t.Error("the content is left")
	}
	if _, ok := e.At(2); ok {
		t.Error("it is still listed")
	}
}

// Entries of earlier programs list objects alone.
func TestReadsEarlierEntries(t *testing.T) {
	ctx, newStore := open(t)
	s := newStore()
	kv, err := s.Entries(ctx)
	if err != nil {
		t.Fatal(err)
	}
	old, err := json.Marshal(map[string]any{"name": "vae", "version": 7, "digest": "d7", "object": "vae-d7", "kept": []string{"vae-d6", "vae-d5"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Create(ctx, "vae", old); err != nil {
		t.Fatal(err)
	}
	e, err := s.Get(ctx, "vae")
	if err != nil || summary(e) != "7: 6 5" || e.Last != 7 || e.Kept[0].Digest != "d6" {
		t.Fatalf("%s %+v %v", summary(e), e, err)
	}
	e = put(ctx, t, s, e, 1)
	if got, err := s.Get(ctx, "vae"); err != nil || summary(got) != "8: 7 6 5" || !slices.EqualFunc(got.Kept, e.Kept, func(a, b modelstore.Stored) bool { return a.Digest == b.Digest }) {
		t.Errorf("%s %v", summary(got), err)
	}
}
