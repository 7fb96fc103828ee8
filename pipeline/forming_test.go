package pipeline

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TestUntilFormed: a cluster that forms is asked again, other errors and a cancelled context end it.
func TestUntilFormed(t *testing.T) {
	calls := 0
	if err := untilFormed(t.Context(), forming, func() error {
		if calls++; calls < 3 {
			return jetstream.ErrNoStreamResponse
		}
		return nil
	}); err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if !forming(&jetstream.APIError{Code: 400, ErrorCode: 10005}) || forming(&jetstream.APIError{Code: 404, ErrorCode: 10059}) || forming(nil) {
		t.Error("no suitable peers: a cluster that forms; no such stream, and no error: none")
	}
	other := errors.New("other")
	calls = 0
	if err := untilFormed(t.Context(), forming, func() error { calls++; return other }); !errors.Is(err, other) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := untilFormed(ctx, forming, func() error { return jetstream.ErrNoStreamResponse }); !errors.Is(err, jetstream.ErrNoStreamResponse) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
