package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A Trainer drives a Learner for a number of steps or within a budget of time. The zero value with Steps or Budget
// set is usable. A Trainer is used for one run at a time.
//
// With Steps, two runs with equal learners, data and seed leave equal checkpoints, and a run that was interrupted
// and resumed leaves the same one as a run that was not. With Budget, the number of steps depends on the machine;
// the schedule follows the measured speed, so that it is complete when the time is up.
type Trainer struct {
	// Steps is the number of steps in all, those made before Resume included. 0: Budget decides.
	Steps int64
	// Budget is how long Run may take, evaluations and saving included. 0: Steps decides. With both, whichever ends first.
	Budget time.Duration
	// BatchSize is the number of clips a step; 0 means 64, which keeps two cores busy and still gives some
	// forty steps per pass over a few thousand clips.
	BatchSize int
	// Seed decides the order of the clips and everything random in the steps.
	Seed uint64
	// EvalEvery is the number of steps between evaluations on the validation batch; 0 means every tenth of Steps, or
	// of the Budget. There is always one at the end.
	EvalEvery int64
	// SaveEvery is the least time between two saved checkpoints while training goes on; they are saved after an
	// evaluation. 0 means 30 s, less than anybody minds losing. The last state is always saved.
	SaveEvery time.Duration
	// Resume, when not nil, is a checkpoint of an earlier run to go on from.
	Resume *Checkpoint
	// NewData lets Resume go on with other training data than before. The data order then begins anew.
	NewData bool
	// OnEvent, when not nil, is called from Run's goroutine: at the start, after every step, evaluation and save, and
	// at the end. It must not block for long.
	OnEvent func(Progress)
	// Save, when not nil, keeps a checkpoint. It owns what it is given.
	Save func(Checkpoint) error
}

// An Event says why a Progress is reported.
type Event string

// The events of a run, in the order in which they first occur.
const (
	EventStart Event = "start" // the plan is known
	EventStep  Event = "step"
	EventEval  Event = "eval"
	EventSave  Event = "save"
	EventDone  Event = "done"
)

// Progress is the state of a run.
type Progress struct {
	Event     Event
	Step      int64         // steps made
	Steps     int64         // steps planned; 0 while the machine is still being measured
	Elapsed   time.Duration // since Run began
	Remaining time.Duration // estimated; 0 while unknown
	StepTime  time.Duration // Average
	Train     Losses        // smoothed over some fifty steps
	Val       Losses        // of the last evaluation; nil before the first
}

// A LossError is returned when learning has diverged: a loss is not a number. Nothing was saved after it.
type LossError struct {
	Step  int64 // the step that gave it, from 1
	Loss  string
	Value float64
}

// Error implements error.
func (e *LossError) Error() string {
	return fmt.Sprintf("training: step %d: loss %q is %v; try a smaller learning rate, or look for odd clips in the data", e.Step, e.Loss, e.Value)
}

// clock is time.Now but for tests.
type clock func() time.Time

// Run trains l on train and returns the last checkpoint, which Save has been given too. val, where it has clips, is
// what evaluations are made on; the zero Batch leaves them out. When ctx is cancelled, Run finishes the step, saves
// and returns the checkpoint with ctx's error.
func (t *Trainer) Run(ctx context.Context, l Learner, train, val Batch) (Checkpoint, error) {
	return t.run(ctx, l, train, val, time.Now)
}

func (t *Trainer) run(ctx context.Context, l Learner, train, val Batch, now clock) (Checkpoint, error) {
	r, err := t.begin(l, train, val, now)
	if err != nil {
		return Checkpoint{}, err
	}
	r.replan()
	r.report(EventStart)
	for ctx.Err() == nil && !r.done() {
		if err := r.stepOnce(ctx); err != nil {
			return Checkpoint{}, err
		}
		if r.evalDue() && !r.done() {
			if err := r.evaluate(ctx); err != nil {
				return Checkpoint{}, err
			}
			if now().Sub(r.saved) >= r.saveEvery {
				if _, err := r.save(ctx); err != nil {
					return Checkpoint{}, err
				}
			}
		}
	}
	stopped := ctx.Err()
	ctx = context.WithoutCancel(ctx)
	if stopped == nil {
		if err := r.evaluate(ctx); err != nil {
			return Checkpoint{}, err
		}
	}
	c, err := r.save(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	if stopped != nil {
		return c, fmt.Errorf("training stopped at step %d of %d, to be resumed: %w", r.step, r.steps, stopped)
	}
	r.report(EventDone)
	return c, nil
}

// batchSize is BatchSize or its default.
func (t *Trainer) batchSize() int {
	if t.BatchSize > 0 {
		return t.BatchSize
	}
	return 64
}

// A run is one call of Run.
type run struct {
	*Trainer
	learner    Learner
	train, val Batch
	dataHash   string
	order      order
	pcg        *rand.PCG
	rng        *rand.Rand
	batch      Batch
	now        clock
	saveEvery  time.Duration

	began, saved time.Time
	evaluated    time.Time
	step, steps  int64 // made, planned
	first        int64 // step at which this run began
	stepTime     Average
	overhead     time.Duration // spent outside steps
	planAt       time.Time
	trainLosses  Averages
	valLosses    Losses
	lastEval     int64
}

func (t *Trainer) begin(l Learner, train, val Batch, now clock) (*run, error) {
	if t.Steps <= 0 && t.Budget <= 0 {
		return nil, errors.New("training: neither steps nor a budget of time is given")
	}
	if train.B == 0 {
		return nil, errors.New("training: no clips to learn from")
	}
	r := &run{Trainer: t, learner: l, train: train, val: val, now: now, began: now(), trainLosses: Averages{}}
	r.saved, r.evaluated, r.planAt = r.began, r.began, r.began
	r.saveEvery = t.SaveEvery
	if r.saveEvery <= 0 {
		r.saveEvery = 30 * time.Second
	}
	r.dataHash = hashBatch(train)
	r.order = order{n: train.B, seed: t.Seed}
	r.pcg = rand.NewPCG(t.Seed, 0x7261696e) // a stream of its own: the learner's and the order's are others
	if err := r.resume(); err != nil {
		return nil, err
	}
	r.rng = rand.New(r.pcg)
	r.first = r.step
	return r, nil
}

// resume takes over the state of the checkpoint to go on from, if there is one.
func (r *run) resume() error {
	c := r.Resume
	if c == nil {
		return nil
	}
	if c.BatchSize != r.batchSize() || c.Seed != r.Seed {
		return fmt.Errorf("training: cannot resume with batch size %d and seed %d: the checkpoint was made with %d and %d",
			r.batchSize(), r.Seed, c.BatchSize, c.Seed)
	}
	if c.DataHash != r.dataHash && !r.NewData {
		return errors.New("training: cannot resume: the training data is not what the checkpoint was trained on")
	}
	if err := r.pcg.UnmarshalBinary(c.RNG); err != nil {
		return fmt.Errorf("training: cannot resume: random state of the checkpoint: %w", err)
	}
	if err := r.learner.Restore(*c); err != nil {
		return fmt.Errorf("training: cannot resume: %w", err)
	}
	r.step, r.trainLosses = c.Step, c.Averages.clone()
	if r.Steps > 0 && c.Step > r.Steps {
		return fmt.Errorf("training: the checkpoint is at step %d already, beyond the %d asked for", c.Step, r.Steps)
	}
	return nil
}

func (r *run) done() bool {
	if r.Steps > 0 && r.step >= r.Steps {
		return true
	}
	return r.Budget > 0 && r.step > r.first && r.now().Sub(r.began)+r.reserve() >= r.Budget
}

// reserve is the time to keep for the last evaluation and for saving.
func (r *run) reserve() time.Duration {
	return min(r.overhead, r.Budget/10)
}

func (r *run) stepOnce(ctx context.Context) error {
	r.batch = r.train.Select(r.batch, r.order.next(r.step, r.batchSize()))
	t := r.now()
	losses, err := r.learner.Step(context.WithoutCancel(ctx), r.batch, r.rng)
	if err != nil {
		return fmt.Errorf("training: step %d: %w", r.step+1, err)
	}
	if name, bad := losses.NonFinite(); bad {
		return &LossError{Step: r.step + 1, Loss: name, Value: losses[name]}
	}
	r.step++
	if r.step > r.first+1 { // the first step builds what the others use
		r.stepTime.Add(r.now().Sub(t).Seconds())
	}
	for name, v := range losses {
		r.trainLosses.add(name, v)
	}
	r.replan()
	r.report(EventStep)
	return nil
}

// measure is for how long a run with a budget looks at the machine before it makes a plan, at most.
const measure = 2 * time.Second

// replan tells the learner how many steps there will be. With a budget, it follows the machine's speed.
func (r *run) replan() {
	if r.Budget <= 0 {
		if r.steps != r.Steps {
			r.steps = r.Steps
			r.learner.Plan(r.steps)
		}
		return
	}
	now := r.now()
	elapsed := now.Sub(r.began)
	if r.step < r.first+3 || elapsed < min(measure, r.Budget/20) || (r.steps > 0 && now.Sub(r.planAt) < min(time.Second, r.Budget/50)) {
		return
	}
	r.planAt = now
	left := r.Budget - elapsed - r.reserve()
	// What evaluations took so far they will go on taking.
	share := 1 - float64(r.overhead)/float64(max(elapsed, 1))
	steps := r.step + max(1, int64(left.Seconds()*max(share, 0.1)/r.stepTime.Value()))
	if r.Steps > 0 {
		steps = min(steps, r.Steps)
	}
	if steps != r.steps {
		r.steps = steps
		r.learner.Plan(steps)
	}
}

func (r *run) evalDue() bool {
	switch {
	case r.EvalEvery > 0:
		return r.step%r.EvalEvery == 0
	case r.Budget > 0:
		return r.now().Sub(r.evaluated) >= r.Budget/10
	}
	return r.step%max(1, r.Steps/10) == 0
}

// evaluate puts the means of the losses on the validation batch into valLosses.
func (r *run) evaluate(ctx context.Context) error {
	began := r.now()
	defer func() {
		r.evaluated = r.now()
		r.overhead += r.evaluated.Sub(began)
	}()
	if r.val.B == 0 || (r.lastEval == r.step && r.valLosses != nil) {
		return nil
	}
	sum := Losses{}
	var part Batch
	for lo := 0; lo < r.val.B; lo += r.batchSize() {
		hi := min(lo+r.batchSize(), r.val.B)
		part = r.val.Select(part, sequence(lo, hi))
		losses, err := r.learner.Eval(context.WithoutCancel(ctx), part)
		if err != nil {
			return fmt.Errorf("training: evaluation after step %d: %w", r.step, err)
		}
		for name, v := range losses {
			sum[name] += v * float64(hi-lo) / float64(r.val.B)
		}
	}
	if name, bad := sum.NonFinite(); bad {
		return &LossError{Step: r.step, Loss: "val/" + name, Value: sum[name]}
	}
	r.valLosses, r.lastEval = sum, r.step
	r.report(EventEval)
	return nil
}

func (r *run) save(ctx context.Context) (Checkpoint, error) {
	began := r.now()
	defer func() {
		r.saved = r.now()
		r.overhead += r.saved.Sub(began)
	}()
	if err := r.learner.Calibrate(context.WithoutCancel(ctx), r.train); err != nil {
		return Checkpoint{}, fmt.Errorf("training: after step %d: %w", r.step, err)
	}
	c, err := r.learner.Checkpoint()
	if err != nil {
		return Checkpoint{}, fmt.Errorf("training: after step %d: %w", r.step, err)
	}
	if c.Step != r.step {
		return Checkpoint{}, fmt.Errorf("training: the learner counts %d steps, the trainer %d", c.Step, r.step)
	}
	c.Format, c.Planned, c.BatchSize, c.Seed, c.DataHash = Format, r.steps, r.batchSize(), r.Seed, r.dataHash
	if c.RNG, err = r.pcg.MarshalBinary(); err != nil {
		return Checkpoint{}, fmt.Errorf("training: %w", err)
	}
	c.Averages = r.trainLosses.clone()
	c.Metrics = map[string]float64{}
	for name, s := range r.trainLosses {
		c.Metrics["train/"+name] = s.Value()
	}
	for name, v := range r.valLosses {
		c.Metrics["val/"+name] = v
	}
	if err := c.Validate(); err != nil {
		return Checkpoint{}, fmt.Errorf("training: after step %d: nothing saved: %w", r.step, err)
	}
	if r.Save != nil {
		if err := r.Save(c); err != nil {
			return Checkpoint{}, fmt.Errorf("training: save after step %d: %w", r.step, err)
		}
	}
	r.report(EventSave)
	return c, nil
}

func (r *run) report(e Event) {
	if r.OnEvent == nil {
		return
	}
	p := Progress{Event: e, Step: r.step, Steps: r.steps, Elapsed: r.now().Sub(r.began), Val: r.valLosses, Train: Losses{}}
	for name, s := range r.trainLosses {
		p.Train[name] = s.Value()
	}
	if r.stepTime.Weight > 0 {
		p.StepTime = time.Duration(r.stepTime.Value() * float64(time.Second))
		if r.steps > 0 {
			p.Remaining = time.Duration(r.steps-r.step) * p.StepTime
		}
	}
	r.OnEvent(p)
}

// An order is an endless shuffled sequence of the numbers 0 to n-1: pass after pass, each shuffled anew. It is a
// function of the position, so that there is no state to save.
type order struct {
	n    int
	seed uint64

	epoch       int64
	permutation []int
}

// next returns the clips of the given step.
func (o *order) next(step int64, size int) []int {
	indices := make([]int, size)
	for i := range indices {
		position := step*int64(size) + int64(i)
		epoch := position / int64(o.n)
		if o.permutation == nil || o.epoch != epoch {
			o.epoch = epoch
			o.permutation = rand.New(rand.NewPCG(o.seed, uint64(epoch)+0x6f72646572)).Perm(o.n)
		}
		indices[i] = o.permutation[position%int64(o.n)]
	}
	return indices
}

// An Average is an exponential mean with a memory of about fifty values, without bias at the beginning.
type Average struct {
	Sum    float64 `json:"sum"`
	Weight float64 `json:"weight"`
}

// Averages are named averages.
type Averages map[string]*Average

// Add takes v into the mean.
func (a *Average) Add(v float64) {
	const keep = 0.98
	a.Sum, a.Weight = keep*a.Sum+(1-keep)*v, keep*a.Weight+(1-keep)
}

// Value returns the mean, 0 for no values.
func (a *Average) Value() float64 {
	if a.Weight == 0 {
		return 0
	}
	return a.Sum / a.Weight
}

func (a Averages) add(name string, v float64) {
	if a[name] == nil {
		a[name] = &Average{}
	}
	a[name].Add(v)
}

func (a Averages) clone() Averages {
	c := Averages{}
	for name, v := range a {
		c[name] = &Average{v.Sum, v.Weight}
	}
	return c
}

func sequence(lo, hi int) []int {
	s := make([]int, hi-lo)
	for i := range s {
		s[i] = lo + i
	}
	return s
}

// hashBatch returns the SHA-256 of b's shape, labels and values in hexadecimal.
func hashBatch(b Batch) string {
	h := sha256.New()
	fmt.Fprintln(h, b.B, b.T, b.F, b.Labels)
	for part := range slices.Chunk(b.Data, 1<<16) {
		h.Write(littleEndian(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}
