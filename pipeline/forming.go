package pipeline

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// formingTime is the longest that a cluster takes to have leaders for new streams, many times over, and formingWait how long to wait
// before it is asked again.
const (
	formingTime = 10 * time.Second
	formingWait = 100 * time.Millisecond
)

// untilFormed calls f again while its error is one of a cluster that is still forming. What f did before it failed must be harmless
// when it is done again.
func untilFormed(ctx context.Context, forming func(error) bool, f func() error) error {
	for began := time.Now(); ; {
		err := f()
		if !forming(err) || time.Since(began) > formingTime {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(formingWait):
		}
	}
}

// What a server of a cluster answers before all of its peers are known and every stream has a leader.
const (
	codePeersIncomplete = 10004 // "incomplete results"
	codeNoPeers         = 10005 // "no suitable peers for placement"
	codeNotAvailable    = 10008 // "JetStream system temporarily unavailable"
)

// unplaced reports whether an error is the answer of a cluster that has no leader or not enough servers for a stream. A server that
// has just joined counts as absent until its leader has heard from it.
func unplaced(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && slices.Contains([]jetstream.ErrorCode{codePeersIncomplete, codeNoPeers, codeNotAvailable}, api.ErrorCode)
}

// forming reports whether an error is that of a cluster without its leaders. A server without JetStream is silent as well, so that only
// who knows that it has JetStream may wait for it.
func forming(err error) bool {
	return unplaced(err) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders)
}
