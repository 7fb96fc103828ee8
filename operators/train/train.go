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
// The version that is served changes only through a gate: a training must have reached its steps or budget, know every
// label of the served version, and make clips that are no worse, see gate.go. Until then its checkpoints are stored under
// [Unfinished], and a training that was stopped goes on from there when the operator starts again. A model that is refused
// is kept under [Refused].
//
// # One trainer at a time
//
// Replicas share a lease in the model store: one is active, reads the stream and trains, and the others stand by. When the
// active one ends, is cut off or is killed, another takes over within seconds, reads the stream and goes on from the last
// checkpoint. One that has lost the lease stores nothing any more.
//
// # The front end
//
// All clips of a model have one front end: the configured one, else that of the served model, else the one that most clips
// have when the first training begins. Spectrograms of another one become dead letters, whoever sent them.
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

	"wavemill/internal/text"
	"wavemill/models"
	"wavemill/pipeline"
	"wavemill/pipeline/lease"
)

type operator struct {
	config   Config
	arch     json.RawMessage // The architecture's configuration.
	frontEnd *models.FrontEnd
	env      pipeline.Env
	hooks    Hooks
	log      *slog.Logger
	lease    *lease.Lease // Held from Wait to Close.
	backlogs backlogs     // Of the goroutine of Run.

	mu       sync.Mutex
	pinned   *models.FrontEnd // Of the clips that are learnt; nil until there is one.
	clips    *reservoir
	added    int     // Counts the clips that were new.
	given    int     // What added was when the model was last trained.
	trained  int     // The clips of that training.
	state    Details // What is told about it.
	meters   meters
	last     time.Time     // When a new clip came.
	arrivals chan struct{} // Capacity 1: there is something to look at.
}

var (
	_ pipeline.Consumer = (*operator)(nil)
	_ pipeline.Producer = (*operator)(nil)
	_ pipeline.Runner   = (*operator)(nil)
	_ pipeline.Detailer = (*operator)(nil)
	_ pipeline.Waiter   = (*operator)(nil)
	_ pipeline.Closer   = (*operator)(nil)

	_ pipeline.ModelMaker = (*operator)(nil)
)

func newOperator(c Config, env pipeline.Env, h Hooks) (*operator, error) {
	c, arch, fe, err := c.check()
	if err != nil {
		return nil, err
	}
	return &operator{
		config: c, arch: arch, frontEnd: fe, env: env, hooks: h, log: env.Log.With("model", c.Name),
		pinned: fe, clips: newReservoir(c.MaxClips), arrivals: make(chan struct{}, 1),
	}, nil
}

// Input implements pipeline.Consumer.
func (o *operator) Input() string { return pipeline.TypeSpectrogram }

// Output implements pipeline.Producer: models are announced, and no stream is written.
func (o *operator) Output() string { return pipeline.TypeModel }

// MakesModel implements pipeline.ModelMaker.
func (o *operator) MakesModel() string { return o.config.Name }

// Process takes one spectrogram into the reservoir. It emits nothing. A spectrogram of another front end than the one that
// is learnt is invalid.
func (o *operator) Process(_ context.Context, m *pipeline.Message, _ pipeline.Emit) error {
	c, err := decode(m)
	if err != nil {
		return err
	}
	return o.add(c)
}

func (o *operator) add(c *clip) error {
	o.mu.Lock()
	if o.pinned != nil {
		if !alike(c.frontEnd, *o.pinned) {
			defer o.mu.Unlock()
			return &pipeline.Error{Kind: pipeline.Invalid, Err: foreign(c.frontEnd, *o.pinned)}
		}
		c.frontEnd = *o.pinned
	}
	isNew := o.clips.add(c)
	n := o.clips.len()
	if isNew {
		o.added++
		o.last = time.Now()
	}
	o.mu.Unlock()
	if !isNew {
		return nil
	}
	if o.hooks.OnClips != nil {
		o.hooks.OnClips(o.config.Name, n)
	}
	select {
	case o.arrivals <- struct{}{}:
	default:
	}
	return nil
}

// count returns how many clips there are to learn from, how many of them are new since the last training, and when the
// last one came.
func (o *operator) count() (clips, fresh int, last time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pinned == nil {
		_, clips = o.clips.majority()
	} else {
		clips = o.clips.len()
	}
	return clips, o.added - o.given, o.last
}

// Run reads what the stream has, and then trains whenever there is enough to learn from, until ctx is done or another
// process has taken over.
func (o *operator) Run(ctx context.Context) error {
	held, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(o.lease.Context(), func() { stop(context.Cause(o.lease.Context())) })()
	err := o.run(held)
	if cause := context.Cause(held); errors.Is(cause, lease.ErrLost) && ctx.Err() == nil {
		return fmt.Errorf("model %s: %w", o.config.Name, cause)
	}
	return err
}

func (o *operator) run(ctx context.Context) error {
	if err := o.pinServed(ctx); err != nil {
		return err
	}
	if err := o.rebuild(ctx); err != nil {
		return err
	}
	for first := true; ; first = false {
		if err := o.await(ctx, first); err != nil {
			return nil // Stopped while waiting.
		}
		if err := o.train(ctx); err != nil {
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				o.log.Info("training stopped; it goes on from the last checkpoint when the operator is started again", "reason", err)
				return nil
			}
			return fmt.Errorf("model %s: %w", o.config.Name, err)
		}
	}
}

// rebuild reads the stream from its beginning. Messages that cannot be read or used are passed over: Process sees to it
// that they become dead letters.
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
			_ = o.add(c)
		}
	}
	if n, _, _ := o.count(); n > 0 {
		o.log.Info("spectrograms read from the stream", "clips", n)
	}
	return nil
}

// await returns nil when training should begin: there are enough clips, and either WaitFor of them, or none has come
// for Idle and none is on its way, see [operator.underway].
func (o *operator) await(ctx context.Context, first bool) error {
	told := 0
	for {
		n, fresh, last := o.count()
		if first && o.config.WaitFor > 0 && n >= max(o.config.WaitFor, o.config.MinClips) {
			o.waitsFor(fresh, "")
			return nil
		}
		idle := time.Until(last.Add(o.config.Idle))
		reason := o.notYet(first, n, fresh)
		if idle <= 0 {
			if reason == "" {
				if reason = o.underway(ctx); reason == "" {
					o.waitsFor(fresh, "")
					return ctx.Err()
				}
			} else if told != n+fresh+1 {
				told = n + fresh + 1
				o.waits(ctx, n, fresh, reason)
			}
			idle = o.config.Idle
		}
		o.waitsFor(fresh, reason)
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

// notYet says why no training begins with so many clips; empty where one should.
func (o *operator) notYet(first bool, clips, fresh int) string {
	o.mu.Lock()
	again := o.config.again(o.trained)
	o.mu.Unlock()
	switch {
	case first && clips < o.config.MinClips:
		return fmt.Sprintf("there are %d clips, and a training needs %d (min_clips)", clips, o.config.MinClips)
	case first || fresh >= again && o.config.Again > 0:
		return ""
	case o.config.Again == 0:
		return fmt.Sprintf("the model was not given %s, and will not be: again is 0", text.Count(fresh, "new clip", "new clips"))
	}
	return fmt.Sprintf("the model was not given %s; it learns again from %d (again, again_share)", text.Count(fresh, "new clip", "new clips"), again)
}

// waits tells why no training begins, unless the model was given all clips.
func (o *operator) waits(ctx context.Context, clips, fresh int, reason string) {
	if o.waitsFor(fresh, reason) {
		o.log.Info("waiting for clips", "have", clips, "new", fresh, "reason", reason)
		o.tell(ctx, Notice{Kind: NoticeWaiting, Reason: reason, Clips: clips, New: fresh})
	}
}

// waitsFor sets the reason in the status, and reports whether there is one: there is none where the model was given all clips.
func (o *operator) waitsFor(fresh int, reason string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.trained > 0 && fresh == 0 {
		reason = ""
	}
	o.state.Waiting = reason
	return reason != ""
}

// snapshot returns the clips that there are now. The first one decides on the front end, unless it is decided already.
func (o *operator) snapshot(ctx context.Context) (c collection, added int, err error) {
	o.mu.Lock()
	fe, clips := o.clips.majority()
	if o.pinned != nil {
		fe, clips = *o.pinned, o.clips.len()
	}
	if clips > 0 {
		c, added = o.clips.collect(fe), o.added
	}
	o.mu.Unlock()
	if clips == 0 {
		return c, 0, errors.New("no clips")
	}
	return c, added, o.pin(ctx, fe)
}

// train trains one model on the clips collected so far.
func (o *operator) train(ctx context.Context) error {
	all, added, err := o.snapshot(ctx)
	if err != nil {
		return err
	}
	r := &run{operator: o, clips: all, working: o.working()}
	job, err := r.plan(ctx)
	if err != nil {
		return err
	}
	if job == nil {
		o.isGiven(added-r.newClips(), r)
		return nil
	}
	defer o.enter(PhaseTraining)()
	started, err := job.Start(ctx, r.set)
	if err != nil {
		return err
	}
	o.isGiven(added, r)
	for _, line := range started.Settings.Lines() {
		o.log.Info(strings.Join(strings.Fields(line), " "))
	}
	o.log.Info("training", "clips", r.set.Train.B, "validation", r.set.Validation.B, "held_out", len(r.set.Data.HeldOut),
		"labels", len(r.set.Labels), "from_step", max(started.From(), 0))
	notice := Notice{Kind: NoticeTraining, Clips: len(all.examples), Step: max(started.From(), 0), Aside: r.aside}
	if len(r.aside) > 0 {
		notice.Reason = "these labels have too few clips to learn from: " + strings.Join(r.aside, ", ")
		o.log.Warn("labels are set aside: they have too few clips to learn from", "labels", r.aside)
	}
	o.tell(ctx, notice)
	c, _, runErr := started.Train(ctx)
	if runErr != nil && (ctx.Err() == nil || !errors.Is(runErr, ctx.Err())) {
		return runErr
	}
	if err := r.finish(ctx, c, runErr == nil); err != nil {
		return err
	}
	return runErr
}

// isGiven records which clips the model has been given.
func (o *operator) isGiven(added int, r *run) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.given, o.trained = added, len(r.clips.examples)
	o.state.Aside, o.state.Waiting = r.aside, ""
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
	o.mu.Lock()
	o.meters.progress(p)
	o.mu.Unlock()
	if o.hooks.OnProgress != nil {
		o.hooks.OnProgress(o.config.Name, p)
	}
}
