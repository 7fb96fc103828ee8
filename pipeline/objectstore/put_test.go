package objectstore

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// late is a store that does not confirm the first writes in time.
type late struct {
	jetstream.ObjectStore
	failures, puts int
}

func (l *late) PutBytes(ctx context.Context, _ string, _ []byte) (*jetstream.ObjectInfo, error) {
	if l.puts++; l.puts <= l.failures {
		return nil, nats.ErrTimeout
	}
	return &jetstream.ObjectInfo{}, ctx.Err()
}

// A write that was not confirmed may have damaged the object: it is repeated, but not for ever, and not after the end.
func TestUnconfirmedWritesAreRepeated(t *testing.T) {
	l := &late{failures: 2}
	if err := put(t.Context(), l, "x", nil); err != nil || l.puts != 3 {
		t.Errorf("%d writes, %v", l.puts, err)
	}
	l = &late{failures: 100}
	if err := put(t.Context(), l, "x", nil); !errors.Is(err, nats.ErrTimeout) || l.puts != mostPuts {
		t.Errorf("%d writes, %v", l.puts, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l = &late{failures: 100}
	if err := put(ctx, l, "x", nil); err == nil || l.puts != 1 {
		t.Errorf("%d writes after the end, %v", l.puts, err)
	}
}
