package models

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// A diverging walker's loss is not a number at some steps, unless it has been slowed down enough.
type diverging struct {
	walker
	at   int64   // the step that diverges
	till float64 // the factor at which it does no more
	how  string
	slow float64
}

func newDiverging(how string, till float64) *diverging {
	return &diverging{at: 14, till: till, how: how, slow: 1}
}

func (d *diverging) ScaleLR(factor float64) { d.slow = factor }

// A gradientError is as a learner's optimiser returns it.
type gradientError struct{}

func (gradientError) Error() string  { return "the gradient of w is not finite" }
func (gradientError) Diverged() bool { return true }

func (d *diverging) Step(ctx context.Context, x Batch, rng *rand.Rand) (Losses, error) {
	l, err := d.walker.Step(ctx, x, rng)
	if d.step >= d.at && d.slow > d.till {
		switch d.how {
		case "loss":
			l["zeta"] = math.Inf(1)
		case "weights":
			d.weights[2] = float32(math.NaN())
		default:
			return nil, gradientError{}
		}
	}
	return l, err
}

func TestDivergenceGoesBack(t *testing.T) {
	for _, how := range []string{"loss", "weights", "gradient"} {
		for till, want := range map[float64]int{0.5: 1, 0.25: 2, 0.125: 3} {
			trainer := &Trainer{Steps: 40, BatchSize: 7, Seed: 5, EvalEvery: 9, SaveEvery: 1}
			var saves []Checkpoint
			var back int
			trainer.Save = func(c Checkpoint) error { saves = append(saves, c); return nil }
			trainer.OnEvent = func(p Progress) {
				if p.Event == EventRollback {
					back++
					if p.Step != 9 || len(p.Rollbacks) != back {
						t.Errorf("%s: at step %d with %d roll-backs", how, p.Step, len(p.Rollbacks))
					}
				}
			}
			whole, err := trainer.Run(t.Context(), newDiverging(how, till), data(23), data(5))
			if err != nil {
				t.Fatalf("%s: %v", how, err)
			}
			rb := whole.Rollbacks
			if whole.Step != 40 || len(rb) != want || back != want || rb[want-1].Factor != till || rb[0].To != 9 || rb[0].Reason == "" {
				t.Errorf("%s: step %d, %+v", how, whole.Step, rb)
			}
			// A killed run repeats the roll-backs, or goes on with them.
			for _, c := range saves {
				next := &Trainer{Steps: 40, BatchSize: 7, Seed: 5, EvalEvery: 9, Resume: &c}
				rest, err := next.Run(t.Context(), newDiverging(how, till), data(23), data(5))
				if err != nil {
					t.Fatal(err)
				}
				if mustBytes(t, rest) != mustBytes(t, whole) {
					t.Errorf("%s: killed after %d: another checkpoint", how, c.Step)
				}
			}
		}
	}
}

func TestDivergenceGivesUp(t *testing.T) {
	var saved []int64
	trainer := &Trainer{Steps: 40, BatchSize: 7, EvalEvery: 9, SaveEvery: 1, Save: func(c Checkpoint) error { saved = append(saved, c.Step); return nil }}
	_, err := trainer.Run(t.Context(), newDiverging("loss", 0), data(23), data(5))
	var loss *LossError
	if !errors.As(err, &loss) || loss.Step != 14 || !strings.Contains(err.Error(), "halved the learning rate 3 times") {
		t.Errorf("error %v", err)
	}
	if len(saved) != 1 || saved[0] != 9 {
		t.Errorf("saved at %v", saved)
	}
}

// After a roll-back, the clips come in another order: the same odd batch need not come again.
func TestRollbackChangesTheOrder(t *testing.T) {
	d := newDiverging("loss", 0.5)
	if _, err := (&Trainer{Steps: 27, BatchSize: 1, EvalEvery: 9}).Run(t.Context(), d, data(50), Batch{}); err != nil {
		t.Fatal(err)
	}
	same := 0
	before, after := d.seen[9:14], d.seen[14:19]
	for i := range before {
		if before[i] == after[i] {
			same++
		}
	}
	if same == len(before) {
		t.Errorf("clips %v again after the roll-back", after)
	}
}
