package faults

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// requests asks for clips while there are faults, and remembers the ids of those that were answered.
type requests struct {
	wg      sync.WaitGroup
	ctx     context.Context // Of the asking goroutine.
	cancel  context.CancelFunc
	ids     []string // Of answered clips; of the asking goroutine until end has returned.
	refused int
	asks    bool
	first   chan struct{} // Closed when there is an id.
	enough  chan struct{} // Closed when there are leastAnswered ids.
}

// requestWait is how long a request waits for its answer, and how long the next one waits after one without.
const (
	requestWait  = 5 * time.Second
	requestPause = 200 * time.Millisecond
)

// leastAnswered is how many requests must be answered. Where the first model is served only after the last fault, requests go on
// until then.
const leastAnswered = 20

// request asks until end is called. A request that fails is one more: the next has another number.
func (r *run) request(ctx context.Context) (*requests, error) {
	q := &requests{cancel: func() {}, first: make(chan struct{}), enough: make(chan struct{})}
	if r.o.Request == nil {
		return q, nil
	}
	conn, err := nats.Connect(r.spec.NATS, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("ask for clips: %w", err)
	}
	q.ctx, q.cancel = context.WithCancel(ctx)
	ctx, q.asks = q.ctx, true
	q.wg.Go(func() {
		defer conn.Close()
		for i := 0; ctx.Err() == nil; i++ {
			asked, cancel := context.WithTimeout(ctx, requestWait)
			reply, err := conn.RequestWithContext(asked, r.spec.Name+".generate", r.o.Request(i))
			cancel()
			if err == nil && reply.Header.Get(micro.ErrorCodeHeader) == "" {
				q.ids = append(q.ids, reply.Header.Get(jetstream.MsgIDHeader))
				switch len(q.ids) {
				case 1:
					close(q.first)
				case leastAnswered:
					close(q.enough)
				}
			} else {
				q.refused++
				r.o.Log.Info("a request was not answered with a clip", "error", err, "answer", replyError(reply))
			}
			wait(ctx, requestPause)
		}
	})
	return q, nil
}

// replyError is the error that an answer carries.
func replyError(reply *nats.Msg) string {
	if reply == nil {
		return ""
	}
	return reply.Header.Get(micro.ErrorHeader)
}

// end stops asking, once enough requests have been answered or the time for that is over.
func (q *requests) end(most time.Duration) {
	defer q.wg.Wait()
	defer q.cancel()
	if q.asks {
		select {
		case <-q.enough:
		case <-q.ctx.Done():
		case <-time.After(most):
		}
	}
}

// clips compares the stream of clips with the answers: every clip that was answered is there, once.
func (r *run) clips(ctx context.Context, q *requests) error {
	if !q.asks {
		return nil
	}
	if len(q.ids) < leastAnswered {
		r.result.WrongClips = append(r.result.WrongClips, fmt.Sprintf("%d requests were answered, at least %d should be", len(q.ids), leastAnswered))
	}
	r.result.Answered, r.result.Unanswered = len(q.ids), q.refused
	stored := map[string]int{}
	for m, err := range r.bus.Messages(ctx, pipeline.Subscription{Stream: pipeline.TypeClip, From: 1, Last: true, HeadersOnly: true}) {
		if err != nil {
			return err
		}
		stored[m.ID]++
	}
	for _, id := range q.ids {
		if n := stored[id]; n != 1 {
			r.result.WrongClips = append(r.result.WrongClips, fmt.Sprintf("%s is there %d times", id, n))
		}
	}
	return nil
}

// pieces counts what the first stage has made of each recording.
func (r *run) pieces(ctx context.Context, to string) error {
	if r.o.Pieces == 0 {
		return nil
	}
	made := map[string]int{}
	for m, err := range r.bus.Messages(ctx, pipeline.Subscription{Stream: to, From: 1, Last: true, HeadersOnly: true}) {
		if err != nil {
			return err
		}
		made[recordingOf(m.Header[header.Source])]++
		r.result.Made++
	}
	for i := range r.result.Published {
		want := r.o.Pieces
		if _, _, bad := r.o.Recording(i); bad {
			want = 0
		}
		if n := made[sourceOf(i)]; n != want {
			r.result.WrongPieces = append(r.result.WrongPieces, fmt.Sprintf("%s: %d", sourceOf(i), n))
		}
	}
	return nil
}

// recordingOf is the source of a recording, also where a piece of it says where it begins.
func recordingOf(source string) string {
	source, _, _ = strings.Cut(source, "@")
	return source
}
