// Package train is the operator that collects spectrograms and trains a model on them.
//
// In: <pipeline>.spectrogram.<label>. Out: versions of a model in the pipeline's model store, announced as JSON on
// <pipeline>.model.<name>.
//
// # The reservoir
//
// The spectrogram stream itself is the reservoir's store. It keeps its messages after they are acknowledged (Limits
// retention), so acknowledging one means that it has been checked and is in the memory of this process; a process that
// starts reads the whole stream again before anything else. That loses nothing a crash could take, and keeps no second
// copy that could differ. What a stream's max_age removes is forgotten at the next start.
//
// Each clip is kept once, and of too many the same sample whatever their order of arrival. Package models/training splits
// and orders them by the identity of their recordings, which the spectrogram operator puts into the headers
// Wavemill-Recording, Wavemill-Fingerprint and Wavemill-Group. So the same recordings, settings and seed give the same
// weights, here and by the train command.
//
// # The model
//
// Every checkpoint is stored under its digest and then made current by compare-and-set: two trainers of one model
// notice each other. A training that was stopped goes on from the last checkpoint when the operator starts again.
package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"wavemill/models"
	"wavemill/pipeline"
)

type operator struct {
	config Config
	arch   json.RawMessage // The architecture's configuration.
	env    pipeline.Env
	hooks  Hooks
	log    *slog.Logger

	mu       sync.Mutex
	clips    *reservoir
	last     time.Time     // When a new clip came.
	arrivals chan struct{} // Capacity 1: there is something to look at.
}

var (
	_ pipeline.Consumer = (*operator)(nil)
	_ pipeline.Producer = (*operator)(nil)
	_ pipeline.Runner   = (*operator)(nil)
)

func newOperator(c Config, env pipeline.Env, h Hooks) (*operator, error) {
	c, arch, err := c.check()
	if err != nil {
		return nil, err
	}
	return &operator{
		config: c, arch: arch, env: env, hooks: h, log: env.Log.With("model", c.Name),
		clips: newReservoir(c.MaxClips), arrivals: make(chan struct{}, 1),
	}, nil
}

// Input implements pipeline.Consumer.
func (o *operator) Input() string { return pipeline.TypeSpectrogram }

// Output implements pipeline.Producer: models are announced, and no stream is written.
func (o *operator) Output() string { return pipeline.TypeModel }

// Process takes one spectrogram into the reservoir. It emits nothing.
func (o *operator) Process(_ context.Context, m *pipeline.Message, _ pipeline.Emit) error {
	c, err := decode(m)
	if err != nil {
		return err
	}
	o.add(c)
	return nil
}

func (o *operator) add(c *clip) {
	o.mu.Lock()
	isNew := o.clips.add(c)
	n := o.clips.len()
	if isNew {
		o.last = time.Now()
	}
	o.mu.Unlock()
	if !isNew {
		return
	}
	if o.hooks.OnClips != nil {
		o.hooks.OnClips(o.config.Name, n)
	}
	select {
	case o.arrivals <- struct{}{}:
	default:
	}
}

func (o *operator) count() (clips int, last time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clips.len(), o.last
}

// Run reads what the stream has, and then trains whenever there is enough to learn from, until ctx is done.
func (o *operator) Run(ctx context.Context) error {
	if err := o.rebuild(ctx); err != nil {
		return err
	}
	trained := 0
	for {
		want := o.config.MinClips
		if trained > 0 {
			want = trained + max(o.config.Again, 1)
		}
		if trained > 0 && o.config.Again == 0 {
			<-ctx.Done()
			return nil
		}
		if err := o.await(ctx, want, trained == 0); err != nil {
			return nil // Stopped while waiting.
		}
		clips, err := o.train(ctx)
		if err != nil {
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				o.log.Info("training stopped; it goes on from the last checkpoint when the operator is started again", "reason", err)
				return nil
			}
			return fmt.Errorf("model %s: %w", o.config.Name, err)
		}
		trained = clips
	}
}

// rebuild reads the stream from its beginning. Messages that cannot be read are passed over: Process sees to it that
// they become dead letters.
func (o *operator) rebuild(ctx context.Context) error {
	for m, err := range o.env.Bus.Messages(ctx, pipeline.Subscription{Stream: o.env.From, From: 1, Last: true}) {
		if m == nil {
			if ctx.Err() != nil {
				return nil // Stopped.
			}
			o.log.Warn("a spectrogram is passed over", "error", err)
			continue
		}
		if c, err := decode(m); err == nil {
			o.add(c)
		}
	}
	if n, _ := o.count(); n > 0 {
		o.log.Info("spectrograms read from the stream", "clips", n)
	}
	return nil
}

// await returns nil when training should begin: there are enough clips, and either WaitFor of them, or none has come
// for Idle and none is on its way.
func (o *operator) await(ctx context.Context, enough int, first bool) error {
	var said bool
	for {
		n, last := o.count()
		if first && o.config.WaitFor > 0 && n >= max(o.config.WaitFor, o.config.MinClips) {
			return nil
		}
		idle := time.Until(last.Add(o.config.Idle))
		if idle <= 0 {
			if n >= enough && !o.underway(ctx) {
				return ctx.Err()
			}
			if n < enough && !said && first {
				said = true
				o.log.Info("waiting for clips", "have", n, "want", enough)
			}
			idle = o.config.Idle
		}
		timer := time.NewTimer(idle)
		select {
		case <-ctx.Done():
		case <-o.arrivals:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// underway reports whether messages wait in a stream that leads here, as far as the server tells.
func (o *operator) underway(ctx context.Context) bool {
	spec := o.env.Bus.Spec()
	for _, name := range o.env.Upstream {
		stream, err := o.env.Bus.JetStream().Stream(ctx, spec.StreamName(name))
		if err != nil {
			continue
		}
		consumers := stream.ListConsumers(ctx)
		for info := range consumers.Info() {
			if info.Name == spec.ConsumerName(o.env.Operator) && name != o.env.From {
				continue // Left behind by a pipeline file in which this stage read that stream.
			}
			if info.Config.Durable != "" && info.NumPending+uint64(max(info.NumAckPending, 0)) > 0 {
				return true
			}
		}
	}
	return false
}

// snapshot returns the clips that there are now.
func (o *operator) snapshot() (collection, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clips.collect()
}

// train trains one model on the clips collected so far and returns how many there were.
func (o *operator) train(ctx context.Context) (clips int, err error) {
	all, err := o.snapshot()
	if err != nil {
		return 0, err
	}
	clips = len(all.examples) + all.leftOut
	if all.leftOut > 0 {
		o.log.Warn("spectrograms with another front end than the newest are left out", "left_out", all.leftOut)
	}
	r := &run{operator: o, clips: all}
	job, err := r.plan(ctx)
	if err != nil || job == nil {
		return clips, err
	}
	started, err := job.Start(ctx, r.set)
	if err != nil {
		return clips, err
	}
	for _, line := range started.Settings.Lines() {
		o.log.Info(strings.Join(strings.Fields(line), " "))
	}
	o.log.Info("training", "clips", r.set.Train.B, "validation", r.set.Validation.B, "held_out", len(r.set.Data.HeldOut),
		"labels", len(r.set.Labels), "from_step", max(started.From(), 0))
	c, _, runErr := started.Train(ctx)
	if runErr != nil && (ctx.Err() == nil || !errors.Is(runErr, ctx.Err())) {
		return clips, runErr
	}
	if err := r.finish(ctx, c, runErr == nil); err != nil {
		return clips, err
	}
	return clips, runErr
}

// progress passes the trainer's events on, and logs what goes wrong.
func (r *run) progress(p models.Progress) {
	r.elapsed = p.Elapsed
	switch {
	case p.Event == models.EventEval && p.EvaluatedAt == p.Step:
		now := map[string]bool{}
		for _, w := range p.Warnings {
			if now[w.Kind] = true; !r.warned[w.Kind] {
				r.log.Warn("the generated clips have a fault", "step", p.Step, "planned", p.Steps, "kind", w.Kind, "finding", w.Finding, "advice", w.Advice)
			}
		}
		r.warned = now
	case p.Event == models.EventRollback:
		b := p.Rollbacks[len(p.Rollbacks)-1]
		r.log.Warn("learning diverged and went back", "step", b.Step, "to", b.To, "learning_rate_times", b.Factor, "reason", b.Reason)
	}
	r.operator.progress(p)
}

// progress passes an event on.
func (o *operator) progress(p models.Progress) {
	if o.hooks.OnProgress != nil {
		o.hooks.OnProgress(o.config.Name, p)
	}
}
