package models

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// A Rollback records that learning diverged and began again from the last good state.
type Rollback struct {
	Step   int64   `json:"step"`   // at which it diverged
	To     int64   `json:"to"`     // of the state it went back to
	Reason string  `json:"reason"` // what was not a number
	Factor float64 `json:"factor"` // of the configured learning rate from then on
}

// maxRollbacks is how often a run goes back before it gives up: with each, the learning rate is halved, and what
// diverges at an eighth of it does so for another reason, such as odd clips.
const maxRollbacks = 3

// slowing is the factor by which each roll-back multiplies the learning rate.
const slowing = 0.5

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

// Diverged says that learning may be gone on with from an earlier state.
func (e *LossError) Diverged() bool { return true }

// A WeightError is returned when learning has diverged: a weight is not a number.
type WeightError struct {
	Step   int64
	Tensor string
	Value  float64
}

// Error implements error.
func (e *WeightError) Error() string {
	return fmt.Sprintf("training: after step %d: nothing saved: tensor %q holds %v; try a smaller learning rate, or look for odd clips in the data", e.Step, e.Tensor, e.Value)
}

// Diverged says that learning may be gone on with from an earlier state.
func (e *WeightError) Diverged() bool { return true }

// diverged reports whether an error, of this package or of a learner, says that values are not numbers any more. A
// learner's error has a method Diverged.
func diverged(err error) bool {
	var d interface {
		error
		Diverged() bool
	}
	return errors.As(err, &d) && d.Diverged()
}

// finite returns an error that names a weight that is not a number.
func (c Checkpoint) finite() error {
	for _, t := range c.Tensors {
		for _, v := range t.Data {
			if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
				return &WeightError{Step: c.Step, Tensor: t.Name, Value: f}
			}
		}
	}
	return nil
}

// rollBack goes back to the last good state after a divergence, with another order of the clips, other random numbers
// and half the learning rate. Other errors, and a divergence after too many of them, it returns.
func (r *run) rollBack(err error) error {
	if !diverged(err) {
		return err
	}
	if len(r.rollbacks) >= maxRollbacks {
		return fmt.Errorf("%w (the training went back and halved the learning rate %d times before)", err, len(r.rollbacks))
	}
	if e := r.learner.Restore(r.good); e != nil {
		return errors.Join(err, fmt.Errorf("training: cannot go back to step %d: %w", r.good.Step, e))
	}
	at := r.step
	if loss, ok := errors.AsType[*LossError](err); ok {
		at = loss.Step
	}
	factor := 1.0
	if _, ok := r.learner.(LRScaler); ok {
		factor = math.Pow(slowing, float64(len(r.rollbacks)+1))
	}
	r.rollbacks = append(slices.Clip(r.rollbacks), Rollback{Step: at, To: r.good.Step, Reason: err.Error(), Factor: factor})
	r.step, r.trainLosses = r.good.Step, r.good.Averages.clone()
	r.lastEval, r.state = r.step, nil
	*r.pcg = *rand.NewPCG(r.Seed, trainStream+uint64(len(r.rollbacks)))
	r.afterRollbacks()
	r.learner.SetTotalSteps(r.steps)
	r.report(EventRollback)
	return nil
}

// afterRollbacks makes the order and the learning rate those that follow from the roll-backs so far.
func (r *run) afterRollbacks() {
	r.order = newOrder(r.train.B, r.Repeats, r.Seed, uint64(len(r.rollbacks)))
	if s, ok := r.learner.(LRScaler); ok && len(r.rollbacks) > 0 {
		s.ScaleLR(r.rollbacks[len(r.rollbacks)-1].Factor)
	}
}
