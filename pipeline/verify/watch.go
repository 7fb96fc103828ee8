package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/pipeline"
)

// A watch follows the consumer of one stage while its messages settle.
type watch struct {
	bus      *pipeline.Bus
	stage    pipeline.StageInfo
	info     *jetstream.ConsumerInfo // Nil: there is no consumer.
	progress bool                    // The consumer has got on since the beginning.
	last     uint64                  // last is the sequence of the newest message of the stream.
	quiet    time.Time               // quiet is since when the server counts nothing as waiting or in flight; zero: it counts something.
}

// idle reports whether nothing waits for the stage and nothing is in flight. The server counts a new message a moment after it has
// confirmed it, and the newest ones may have been deleted: where the consumer is not at the end, its count is believed after a while.
func (w *watch) idle() bool {
	return w.info != nil && !w.quiet.IsZero() && (w.info.Delivered.Stream >= w.last || time.Since(w.quiet) > time.Second)
}

// look reads the consumer's state.
func (w *watch) look(ctx context.Context) error {
	consumer, err := w.bus.JetStream().Consumer(ctx, w.bus.Spec().StreamName(w.stage.From), w.bus.Spec().ConsumerName(w.stage.Name))
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		w.info = nil
		return nil
	case err != nil:
		return fmt.Errorf("consumer of stage %s: %w", w.stage.Name, err)
	}
	stream, err := w.bus.JetStream().Stream(ctx, w.bus.Spec().StreamName(w.stage.From))
	if err != nil {
		return fmt.Errorf("stream of stage %s: %w", w.stage.Name, err)
	}
	w.last = stream.CachedInfo().State.LastSeq
	now := consumer.CachedInfo()
	switch {
	case now.NumPending > 0 || now.NumAckPending > 0:
		w.quiet = time.Time{}
	case w.quiet.IsZero():
		w.quiet = time.Now()
	}
	if old := w.info; old != nil && (now.AckFloor.Stream != old.AckFloor.Stream || now.Delivered.Stream != old.Delivered.Stream || now.NumAckPending < old.NumAckPending) {
		w.progress = true
	}
	w.info = now
	return nil
}

// settle waits until all stages are idle, at most for the given time.
func settle(ctx context.Context, all []*watch, most time.Duration) error {
	for deadline := time.Now().Add(most); ; {
		busy := false
		for _, w := range all {
			if err := w.look(ctx); err != nil {
				return err
			}
			busy = busy || !w.idle()
		}
		if !busy || time.Now().After(deadline) {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// state says what the stage is doing, and why it is stuck.
func (w *watch) state(ctx context.Context, waiting bool) (state, reason string) {
	switch {
	case w.info == nil && waiting:
		return StateStuck, "messages wait, and the operator has no consumer: it has never run, or its consumer was deleted while it was away"
	case w.info == nil || w.idle():
		return StateDone, ""
	case w.progress:
		return StateWorking, fmt.Sprintf("%d wait, %d in flight", w.info.NumPending, w.info.NumAckPending)
	case w.info.Paused:
		return StateStuck, fmt.Sprintf("its consumer is paused for %v; `nats consumer resume` ends that", w.info.PauseRemaining.Round(time.Second))
	}
	status, err := w.status(ctx)
	switch {
	case err != nil:
		return StateStuck, fmt.Sprintf("%d wait, %d in flight, no progress, and the operator does not answer: %v", w.info.NumPending, w.info.NumAckPending, err)
	case status.Held > 0 || status.Retried > 0 && w.info.NumPending == 0:
		return StateWorking, fmt.Sprintf("%d wait, %d in flight or waiting for another attempt", w.info.NumPending, w.info.NumAckPending)
	}
	return StateStuck, fmt.Sprintf("%d wait, %d in flight, no progress, and the operator holds none of them: %s", w.info.NumPending, w.info.NumAckPending, status.Reason)
}

// status is what this package reads of an operator's answer on <pipeline>.status.<operator>.
type status struct {
	Held    int    `json:"held"`
	Retried uint64 `json:"retried"`
	Reason  string `json:"reason"`
}

func (w *watch) status(ctx context.Context) (s status, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	reply, err := w.bus.Conn().RequestWithContext(ctx, w.bus.Spec().Name+".status."+w.stage.Name, nil)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(reply.Data, &s)
}
