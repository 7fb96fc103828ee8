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
	// BatchSize is the number of clips a step; 0 means 32: with as many clips in all, it learns more than
	// 64 do (docs/experiments.md), and still keeps two cores busy.
	BatchSize int
	// Repeats is how often each training clip occurs in a pass, so that rare labels are learnt too; nil: once.
	Repeats []int
	// Seed decides the order of the clips and everything random in the steps.
	Seed uint64
	// EvalEvery is the number of steps between evaluations on the validation batch; 0 means every tenth of Steps, or
	// of the Budget. There is always one at the end.
	EvalEvery int64
	// SaveEvery is the least time between two saved checkpoints while training goes on; they are saved after an
	// evaluation. 0 means 30 s, so that a crash costs at most half a minute of training. The last state is always saved.
	SaveEvery time.Duration
	// Resume, when not nil, is a checkpoint of an earlier run to go on from.
	Resume *Checkpoint
	// NewData lets Resume go on with other training data than before. The data order then begins anew.
	NewData bool
	// OnEvent, when not nil, is called from Run's goroutine: at the start, after every step, evaluation and save, and
	// at the end. It must not block for long.
	OnEvent func(Progress)
	// Save, when not nil, keeps a checkpoint. It may keep what it is given, and must not change it.
	Save func(Checkpoint) error
	// Evaluate, when not nil, is called with a calibrated checkpoint at every evaluation. It generates clips and returns
	// figures of their quality and warnings. With a Budget and no Steps it is called less often where it would take more
	// than 3 % of the Budget. Its error is a warning; training goes on. It must not change the checkpoint.
	Evaluate func(context.Context, Checkpoint) (Evaluation, error)
	// BestBy names the figure, the lower the better, that decides which weights are left to generate with: one of the
	// metrics of Evaluate or a loss on the validation batch, such as "val/loss". See Best. "" leaves those of the last step.
	BestBy string
	// Patience ends training after that many evaluations in a row without a new lowest figure of BestBy. 0 never does,
	// because the learning rate falls until the planned end, and most is gained while it falls.
	Patience int
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

	EventRollback Event = "rollback" // learning diverged and begins again at an earlier step, which is Progress.Step
)

// Reasons for which a run ended.
const (
	EndedBySteps   = "steps"
	EndedByBudget  = "budget"
	EndedByPlateau = "plateau"
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

	Rate        float64            // learning rate of the next step; 0 where the learner is no LearningRater
	Metrics     map[string]float64 // the figures of the last Evaluate; nil before the first
	EvaluatedAt int64              // step of Metrics and Warnings
	Warnings    []Warning          // those of the last Evaluate
	Best        *Best              // the choice so far; nil without BestBy
	Rollbacks   []Rollback         // those of the whole training
	Reason      string             // of EventDone: one of the EndedBy constants
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
	r, err := t.begin(ctx, l, train, val, now)
	if err != nil {
		return Checkpoint{}, err
	}
	r.replan()
	r.report(EventStart)
	for err = r.pass(ctx); err != nil; err = r.pass(ctx) {
		if err := r.rollBack(err); err != nil {
			return Checkpoint{}, err
		}
	}
	c, err := r.save(context.WithoutCancel(ctx))
	if err != nil {
		return Checkpoint{}, err
	}
	if stopped := ctx.Err(); stopped != nil {
		return c, fmt.Errorf("training stopped at step %d of %d, to be resumed: %w", r.step, r.steps, stopped)
	}
	r.report(EventDone)
	return c, nil
}

// pass trains until the end, the last evaluation included, or until ctx is cancelled.
func (r *run) pass(ctx context.Context) error {
	for ctx.Err() == nil && !r.done() {
		if err := r.stepOnce(ctx); err != nil {
			return err
		}
		if !r.evalDue() || r.done() {
			continue
		}
		if err := r.evaluate(ctx, false); err != nil {
			return err
		}
		if r.now().Sub(r.saved) >= r.saveEvery {
			if _, err := r.save(ctx); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return r.evaluate(context.WithoutCancel(ctx), true)
}

// batchSize is BatchSize or its default.
func (t *Trainer) batchSize() int {
	if t.BatchSize > 0 {
		return t.BatchSize
	}
	return 32
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
	lastEval     int64 // step of the last evaluation
	ended        string

	state       *Checkpoint // of this step, calibrated; nil where it was not needed
	good        Checkpoint  // the last state whose values were numbers
	rollbacks   []Rollback
	best        *Best
	chosen      []Tensor // of best
	metrics     map[string]float64
	warnings    []Warning
	measuredAt  int64
	measuring   time.Duration // spent in Evaluate
	measureTook time.Duration // the last one
}

func (t *Trainer) begin(ctx context.Context, l Learner, train, val Batch, now clock) (*run, error) {
	if t.Steps <= 0 && t.Budget <= 0 {
		return nil, errors.New("training: neither steps nor a budget of time is given")
	}
	if train.B == 0 {
		return nil, errors.New("training: no clips to learn from")
	}
	if t.Repeats != nil && (len(t.Repeats) != train.B || slices.Min(t.Repeats) < 1) {
		return nil, fmt.Errorf("training: %d numbers of repeats for %d clips; each must be 1 or more", len(t.Repeats), train.B)
	}
	r := &run{Trainer: t, learner: l, train: train, val: val, now: now, began: now(), trainLosses: Averages{}}
	r.saved, r.evaluated, r.planAt = r.began, r.began, r.began
	r.saveEvery = t.SaveEvery
	if r.saveEvery <= 0 {
		r.saveEvery = 30 * time.Second
	}
	r.dataHash = hashBatch(train)
	r.pcg = rand.NewPCG(t.Seed, trainStream)
	if err := r.resume(); err != nil {
		return nil, err
	}
	if s, ok := l.(ModeFitter); ok && (t.Resume == nil || t.Resume.DataHash != r.dataHash) {
		if err := s.FitModes(context.WithoutCancel(ctx), train); err != nil {
			return nil, fmt.Errorf("training: survey of the data: %w", err)
		}
	}
	r.afterRollbacks()
	r.rng = rand.New(r.pcg)
	r.first, r.lastEval = r.step, -1
	return r, r.keepGood()
}

// trainStream is the stream of the trainer's PCG, and those after it follow roll-backs: the learner's and the order's
// are others.
const trainStream = 0x7261696e

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
	if err := r.learner.Restore(c.Last()); err != nil {
		return fmt.Errorf("training: cannot resume: %w", err)
	}
	r.step, r.trainLosses, r.rollbacks = c.Step, c.Averages.clone(), c.Rollbacks
	if b := c.Best; b != nil && b.Metric == r.BestBy && !r.NewData { // figures of other data do not compare
		r.best, r.chosen = b.clone(), c.chosen()
	}
	if r.Steps > 0 && c.Step > r.Steps {
		return fmt.Errorf("training: the checkpoint is at step %d already, beyond the %d asked for", c.Step, r.Steps)
	}
	return nil
}

func (r *run) done() bool {
	switch {
	case r.Steps > 0 && r.step >= r.Steps:
		r.ended = EndedBySteps
	case r.Budget > 0 && r.step > r.first && r.now().Sub(r.began)+r.reserve() >= r.Budget:
		r.ended = EndedByBudget
	case r.Patience > 0 && r.best != nil && r.best.Stale >= r.Patience && r.best.Evaluated > r.first:
		r.ended = EndedByPlateau
	default:
		return false
	}
	return true
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
	r.state = nil
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

// measure is the longest time that a run with a budget times its steps before it plans their number.
const measure = 2 * time.Second

// replan sets the learner's number of steps. With a budget, the number follows from the measured time of a step.
func (r *run) replan() {
	if r.Budget <= 0 {
		if r.steps != r.Steps {
			r.steps = r.Steps
			r.learner.SetTotalSteps(r.steps)
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
		r.learner.SetTotalSteps(steps)
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

// hashBatch returns the SHA-256 of b's shape, labels and values in hexadecimal.
func hashBatch(b Batch) string {
	h := sha256.New()
	fmt.Fprintln(h, b.B, b.T, b.F, b.Labels)
	for part := range slices.Chunk(b.Data, 1<<16) {
		h.Write(littleEndian(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}
