package pipeline

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
)

// A write that meets the end of its connection is tried again; an impossible message is not.
func TestBrokenConnectionsAreTemporary(t *testing.T) {
	pipe := fmt.Errorf("publish: %w", &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE})
	b := &Bus{}
	if _, again := b.waitAfter(t.Context(), pipe, 1, TypeAudio); !again {
		t.Error("a broken pipe is not tried again")
	}
	for _, err := range []error{nats.ErrMaxPayload, nats.ErrConnectionClosed, errors.New("other")} {
		if _, again := b.waitAfter(t.Context(), err, 1, TypeAudio); again {
			t.Errorf("%v is tried again", err)
		}
	}
}
