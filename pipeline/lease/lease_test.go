package lease_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline/lease"
	"wavemill/pipeline/server"
)

const (
	patience = 60 * time.Second
	ttl      = 500 * time.Millisecond
)

// bucket is a key-value bucket on an embedded server.
func bucket(t *testing.T) jetstream.KeyValue {
	t.Helper()
	s, err := server.Start(t.Context(), server.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect("", s.InProcess())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); s.Shutdown() })
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "LEASES"})
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func acquire(t *testing.T, kv jetstream.KeyValue, holder string) *lease.Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := lease.Acquire(ctx, lease.Config{Bucket: kv, Key: "k", Holder: holder, TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// One process holds it; the next gets it when it is released.
func TestOneAtATime(t *testing.T) {
	kv := bucket(t)
	first := acquire(t, kv, "first")
	waits, got := make(chan string, 10), make(chan *lease.Lease, 1)
	go func() {
		l, err := lease.Acquire(t.Context(), lease.Config{Bucket: kv, Key: "k", Holder: "second", TTL: ttl, OnWait: func(h string) { waits <- h }})
		if err != nil {
			t.Error(err)
		}
		got <- l
	}()
	if h := <-waits; h != "first" {
		t.Errorf("it waits for %q", h)
	}
	select {
	case <-got:
		t.Fatal("two processes hold it")
	case <-first.Context().Done():
		t.Fatal("it was lost")
	case <-time.After(3 * ttl): // Renewals keep it.
	}
	if err := first.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := first.Release(t.Context()); err != nil {
		t.Error(err)
	}
	second := <-got
	if err := first.Check(t.Context()); err == nil {
		t.Error("it is confirmed after its release")
	}
	if err := errors.Join(second.Check(t.Context()), second.Release(t.Context())); err != nil {
		t.Error(err)
	}
	if _, err := kv.Get(t.Context(), "k"); !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Errorf("after the release: %v", err)
	}
}

// stale is a bucket whose writes by one holder do not arrive: that of a process which is suspended or cut off.
type stale struct {
	jetstream.KeyValue
	cut chan struct{} // Closed when they arrive again.
}

func (s stale) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	select {
	case <-s.cut:
		return s.KeyValue.Update(ctx, key, value, revision)
	default:
		return 0, nats.ErrTimeout
	}
}

// A holder that does not renew is replaced, and learns it before it writes.
func TestASuspendedHolderLosesIt(t *testing.T) {
	kv := bucket(t)
	cut := make(chan struct{})
	first := acquire(t, stale{kv, cut}, "first")
	second := acquire(t, kv, "second")
	if first.Context().Err() != nil {
		t.Error("a holder without a server knows more than it can")
	}
	close(cut)
	if err := first.Check(t.Context()); !errors.Is(err, lease.ErrLost) {
		t.Errorf("check: %v", err)
	}
	<-first.Context().Done()
	if cause := context.Cause(first.Context()); !errors.Is(cause, lease.ErrLost) {
		t.Errorf("cause %v", cause)
	}
	if err := errors.Join(first.Release(t.Context()), second.Check(t.Context())); err != nil {
		t.Errorf("the release of a lost lease: %v", err)
	}
	if err := second.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// Of many that wait for a lease that nobody renews, one gets it.
func TestOneOfManyTakesItOver(t *testing.T) {
	kv := bucket(t)
	if _, err := kv.Put(t.Context(), "k", []byte("not a record")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan *lease.Lease, 8)
	for i := range 8 {
		go func() {
			l, err := lease.Acquire(ctx, lease.Config{Bucket: kv, Key: "k", Holder: strconv.Itoa(i), TTL: ttl})
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			got <- l
		}()
	}
	winner := <-got
	select {
	case <-got:
		t.Error("two processes hold it")
	case <-time.After(2 * ttl):
	}
	cancel()
	for range 7 {
		if l := <-got; l != nil {
			t.Error("one that was cancelled holds it")
		}
	}
	if err := winner.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// A holder that cannot renew says so once, and again when it can.
func TestAHolderThatCannotRenewSaysSo(t *testing.T) {
	cut, told := make(chan struct{}), make(chan error, 10)
	l, err := lease.Acquire(t.Context(), lease.Config{
		Bucket: stale{bucket(t), cut}, Key: "k", Holder: "first", TTL: ttl, OnStale: func(err error) { told <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !l.Held() {
		t.Error("a new lease is not held")
	}
	if err := <-told; !errors.Is(err, nats.ErrTimeout) || l.Held() {
		t.Errorf("told %v, held %v", err, l.Held())
	}
	close(cut)
	if err := <-told; err != nil || !l.Held() {
		t.Errorf("told %v, held %v", err, l.Held())
	}
	if err := l.Release(t.Context()); err != nil || l.Held() {
		t.Errorf("released: %v, held %v", err, l.Held())
	}
}
