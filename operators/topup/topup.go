// Package topup is the operator that keeps every label of a pipeline at a number of clips, by generation.
//
// In: recordings as audio (from). Out: generated clips with their provenance (to, by default the stream clip). It follows
// the recordings of the stream and the model in the model store, and works in rounds. A round generates what is missing of
// each label and filters it, proves on recordings that the model has not seen that a classifier trained with the clips is
// better than one without, and then publishes them: package models/augment has all of that. Where the proof shows no gain,
// nothing is published, and the status says so until there are more recordings or another model.
//
// Every round ends. The filter's classifier makes twenty passes over the recordings, a label is given up where fewer than one
// clip in twenty passes, and the proof has a number of steps and a budget. Where the proof does not fit into its budget, or the
// model or the recordings cannot be worked with, that is the outcome of the round, and is kept and told as such.
//
// # Delivery
//
// A clip's id is made of its label, its seed and the digest of its model. A round is a function of the recordings, the model
// and the configuration, so a round that is repeated after a restart makes the same clips; those that the stream has already
// are not published again, however old they are. The outcome of a round is kept in the bucket of the model store. Of several
// replicas one is active and the others stand by, as with the operator train.
package topup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wavemill/pipeline"
	"wavemill/pipeline/lease"
)

type operator struct {
	config Config
	env    pipeline.Env
	hooks  Hooks
	log    *slog.Logger
	lease  *lease.Lease // held from Wait to Close

	mu       sync.Mutex
	clips    *reservoir
	added    time.Time // when the last new recording came
	state    Details
	arrivals chan struct{} // capacity 1: there is something to look at
}

var (
	_ pipeline.Consumer = (*operator)(nil)
	_ pipeline.Producer = (*operator)(nil)
	_ pipeline.Runner   = (*operator)(nil)
	_ pipeline.Detailer = (*operator)(nil)
	_ pipeline.Waiter   = (*operator)(nil)
	_ pipeline.Closer   = (*operator)(nil)

	_ prometheus.Collector = (*operator)(nil)
)

func newOperator(c Config, env pipeline.Env, h Hooks) *operator {
	return &operator{config: c, env: env, hooks: h, log: env.Log, clips: newReservoir(c.MaxRecordings), arrivals: make(chan struct{}, 1)}
}

// Input implements pipeline.Consumer.
func (o *operator) Input() string { return pipeline.TypeAudio }

// Output implements pipeline.Producer.
func (o *operator) Output() string { return pipeline.TypeClip }

// Selects implements pipeline.Selector: recordings are counted, and clips are made in rounds.
func (o *operator) Selects() bool { return true }

// Details is what the operator tells about itself in its status.
type Details struct {
	State      string         `json:"state"`                // State is one of the states below.
	Reason     string         `json:"reason,omitempty"`     // Reason says why, for a person.
	Model      string         `json:"model,omitempty"`      // Model is the digest of the model of the last round.
	Recordings int            `json:"recordings"`           // Recordings that are known.
	Labels     map[string]int `json:"labels,omitempty"`     // Labels has the recordings of each label.
	Clips      map[string]int `json:"clips,omitempty"`      // Clips has the published clips of each label.
	Gain       *float64       `json:"gain,omitempty"`       // Gain is that of the last proof, in points of accuracy.
	Interval   *[2]float64    `json:"interval,omitempty"`   // Interval is the gain's, 95 %.
	Verdict    string         `json:"verdict,omitempty"`    // Verdict is that of the last proof.
	Progress   *Progress      `json:"progress,omitempty"`   // Progress is that of the round, while there is one.
	Published  uint64         `json:"published,omitempty"`  // Published counts the clips of this process.
	Duplicates uint64         `json:"duplicates,omitempty"` // Duplicates counts clips that the stream had already.
}

// States of the operator.
const (
	StateStandby = "standby" // another replica is active
	StateWaiting = "waiting" // for recordings or a model
	StateWorking = "working" // in a round
	StateFull    = "full"    // every label that the model knows has its clips
	StateStopped = "stopped" // clips are not shown to help, or a round cannot be done; Reason says which
)

// Details implements pipeline.Detailer.
func (o *operator) Details() any {
	progress := o.progress()
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.state
	d.Progress = progress
	if d.State == "" {
		d.State = StateStandby
	}
	d.Recordings, d.Labels = len(o.clips.byKey), map[string]int{}
	for label, n := range o.clips.count {
		if n > 0 {
			d.Labels[label] = n
		}
	}
	return d
}

// set changes the state, and tells it where it differs.
func (o *operator) set(ctx context.Context, state, reason string) {
	o.mu.Lock()
	changed := o.state.State != state || o.state.Reason != reason
	o.state.State, o.state.Reason = state, reason
	if state != StateWorking {
		o.state.Progress = nil
	}
	o.mu.Unlock()
	if changed {
		o.log.Info("topping up", "state", state, "reason", reason)
		o.tell(ctx)
	}
}

// Process takes a recording in. It emits nothing.
func (o *operator) Process(ctx context.Context, m *pipeline.Message, _ pipeline.Emit) error {
	return o.take(ctx, m)
}

func (o *operator) take(ctx context.Context, m *pipeline.Message) error {
	r, err := decode(ctx, m)
	if err != nil {
		return err
	}
	o.mu.Lock()
	isNew := o.clips.add(r)
	if isNew {
		o.added = time.Now()
	}
	o.mu.Unlock()
	if isNew {
		select {
		case o.arrivals <- struct{}{}:
		default:
		}
	}
	return nil
}

// Wait implements pipeline.Waiter: it returns when no other replica is active.
func (o *operator) Wait(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	for {
		entries, err := o.env.Bus.Models().Entries(ctx)
		if err == nil {
			o.lease, err = lease.Acquire(ctx, lease.Config{
				Bucket: entries, Key: o.env.Operator + ".topup.lease", Holder: fmt.Sprintf("%s, process %d", host, os.Getpid()), TTL: o.config.Lease,
				OnWait: func(other string) { o.log.Info("another replica is active; this one stands by", "holder", other) },
			})
			return err
		}
		o.log.Warn("the model store is not available, trying again", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// Close implements pipeline.Closer.
func (o *operator) Close(ctx context.Context) error {
	if o.lease == nil {
		return nil
	}
	if err := o.lease.Release(ctx); err != nil { // It ends by itself.
		o.log.Warn("another replica cannot take over at once", "error", err, "after", o.config.Lease)
	}
	return nil
}

// Run reads what the stream has, and works in rounds until ctx is done or another replica has taken over.
func (o *operator) Run(ctx context.Context) error {
	held, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(o.lease.Context(), func() { stop(context.Cause(o.lease.Context())) })()
	err := o.run(held)
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(context.Cause(held), lease.ErrLost):
		return lease.ErrLost
	}
	return err
}

func (o *operator) run(ctx context.Context) error {
	o.set(ctx, StateWaiting, "the recordings are read")
	for m, err := range o.env.Bus.Messages(ctx, pipeline.Subscription{Stream: o.env.From, From: 1, Last: true}) {
		if m == nil {
			if ctx.Err() != nil {
				return nil
			}
			o.log.Warn("a recording is passed over", "error", err)
			continue
		}
		_ = o.take(ctx, m) // Process makes a dead letter of what cannot be read.
	}
	for ctx.Err() == nil {
		wait, err := o.look(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-o.arrivals:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// again is how many recordings must be new for another round after one with so many.
func (c Config) again(last int) int {
	return max(c.Again, int(math.Ceil(c.AgainShare*float64(last))))
}
