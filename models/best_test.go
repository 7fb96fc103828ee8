package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// The figure of an evaluated walker falls, rises and jumps with its steps, and depends on its weights a little.
func figure(c Checkpoint) float64 {
	return 3 + 2*math.Sin(float64(c.Step)/9) + float64(c.Tensors[0].Data[0])/100
}

func evaluated(steps int64) *Trainer {
	return &Trainer{
		Steps: steps, BatchSize: 7, Seed: 5, EvalEvery: 9, BestBy: "figure",
		Evaluate: func(_ context.Context, c Checkpoint) (Evaluation, error) {
			return Evaluation{Metrics: map[string]float64{"figure": figure(c)}, Warnings: []Warning{{"odd", fmt.Sprint("step ", c.Step), "again"}}}, nil
		},
	}
}

func TestBestIsTheNewestWithinTheMargin(t *testing.T) {
	b := &Best{}
	var chosen []int64
	for i, v := range []float64{10, 5, 6, 7, 4.9, 6, 6.2, 100} {
		if b.take(int64(i+1), v, nil, nil) {
			chosen = append(chosen, int64(i+1))
		}
	}
	if !slices.Equal(chosen, []int64{1, 2, 3, 5, 6}) || b.Step != 6 || b.Value != 6 || b.Lowest != 4.9 || b.Evaluated != 8 || b.Stale != 3 {
		t.Errorf("chosen %v, %+v", chosen, b)
	}
	n := &Best{} // Likelihoods may be below zero.
	if !n.take(1, -10, nil, nil) || !n.take(2, -9, nil, nil) || n.take(3, -5, nil, nil) || n.Lowest != -10 {
		t.Errorf("%+v", n)
	}
}

func TestRollsBackToTheBestWeightsAndResumesFromTheLast(t *testing.T) {
	var atBest Checkpoint
	trainer := evaluated(40)
	trainer.Evaluate = func(_ context.Context, c Checkpoint) (Evaluation, error) {
		v := 1.0
		if c.Step > 18 {
			v = 2
		}
		if c.Step == 18 {
			atBest = c
		}
		return Evaluation{Metrics: map[string]float64{"figure": v}}, nil
	}
	c, err := trainer.Run(t.Context(), &walker{}, data(23), data(5))
	if err != nil {
		t.Fatal(err)
	}
	c, err = Decode([]byte(mustBytes(t, c)))
	if err != nil {
		t.Fatal(err)
	}
	if c.Step != 40 || c.GeneratesFrom() != 18 || c.Best.Value != 1 || c.Metrics["figure"] != 1 {
		t.Errorf("step %d, weights of %d, %+v", c.Step, c.GeneratesFrom(), c.Best)
	}
	w, err := c.Tensor("w")
	if err != nil || !slices.Equal(w.Data, atBest.Tensors[0].Data) {
		t.Errorf("the weights %v are not those of step 18, %v", w.Data, atBest.Tensors[0].Data)
	}
	plain := evaluated(40)
	plain.BestBy, plain.Evaluate = "", nil
	last, err := plain.Run(t.Context(), &walker{}, data(23), data(5))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Last(); len(got.Tensors) != 1 || !slices.Equal(got.Tensors[0].Data, last.Tensors[0].Data) || got.GeneratesFrom() != 40 {
		t.Errorf("last state %+v, want %v", got.Tensors, last.Tensors[0].Data)
	}
	if bare := c.WithoutOptimizer(); len(bare.Tensors) != 1 || bare.GeneratesFrom() != 18 {
		t.Errorf("without the optimiser: %d tensors", len(bare.Tensors))
	}
}

// However often a training with evaluations is stopped or killed, it ends with the same bytes.
func TestEvaluatedResumeIsExact(t *testing.T) {
	const steps = 70
	var saves []Checkpoint
	trainer := evaluated(steps)
	trainer.SaveEvery = 1
	trainer.Save = func(c Checkpoint) error { saves = append(saves, c); return nil }
	whole, err := trainer.Run(t.Context(), &walker{}, data(23), data(5))
	if err != nil {
		t.Fatal(err)
	}
	if whole.GeneratesFrom() == steps {
		t.Fatal("this training is not rolled back; the test needs another figure")
	}
	resume := func(c Checkpoint, what string) {
		t.Helper()
		c, err := Decode([]byte(mustBytes(t, c)))
		if err != nil {
			t.Fatal(err)
		}
		next := evaluated(steps)
		next.Resume = &c
		rest, err := next.Run(t.Context(), &walker{}, data(23), data(5))
		if err != nil {
			t.Fatal(err)
		}
		if mustBytes(t, rest) != mustBytes(t, whole) {
			t.Errorf("%s: another checkpoint than without the stop", what)
		}
	}
	for _, c := range saves {
		resume(c, fmt.Sprint("killed after ", c.Step))
	}
	for stop := int64(1); stop < steps; stop += 4 {
		ctx, cancel := context.WithCancel(t.Context())
		w := &walker{}
		w.onStep = func() {
			if w.step == stop {
				cancel()
			}
		}
		c, err := evaluated(steps).Run(ctx, w, data(23), data(5))
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		resume(c, fmt.Sprint("stopped after ", stop))
	}
}

func TestOtherFiguresBeginTheChoiceAnew(t *testing.T) {
	first, err := evaluated(27).Run(t.Context(), &walker{}, data(23), data(5))
	if err != nil {
		t.Fatal(err)
	}
	next := evaluated(36)
	next.Resume, next.BestBy = &first, "val/zeta"
	c, err := next.Run(t.Context(), &walker{}, data(23), data(5))
	if err != nil || c.Best.Metric != "val/zeta" || c.Best.Step != 36 {
		t.Errorf("%+v, %v", c.Best, err)
	}
	next = evaluated(36)
	next.BestBy = "val/nothing"
	if _, err := next.Run(t.Context(), &walker{}, data(23), data(5)); err == nil || !strings.Contains(err.Error(), "there are: figure, val/zeta") {
		t.Errorf("unknown figure: %v", err)
	}
}

func TestPlateauStops(t *testing.T) {
	trainer := evaluated(1000)
	trainer.Patience = 3
	trainer.Evaluate = func(_ context.Context, c Checkpoint) (Evaluation, error) {
		return Evaluation{Metrics: map[string]float64{"figure": max(100-float64(c.Step), 50)}}, nil
	}
	var done Progress
	trainer.OnEvent = func(p Progress) { done = p }
	c, err := trainer.Run(t.Context(), &walker{}, data(23), data(5))
	if err != nil || c.Step != 54+3*9 || done.Reason != EndedByPlateau {
		t.Errorf("step %d, %q, %v", c.Step, done.Reason, err)
	}
}

func TestEvaluateThatFailsIsAWarning(t *testing.T) {
	for _, bad := range []func(context.Context, Checkpoint) (Evaluation, error){
		func(context.Context, Checkpoint) (Evaluation, error) { return Evaluation{}, errors.New("deaf") },
		func(context.Context, Checkpoint) (Evaluation, error) {
			return Evaluation{Metrics: map[string]float64{"figure": math.NaN()}}, nil
		},
	} {
		trainer := evaluated(20)
		trainer.Evaluate = bad
		c, err := trainer.Run(t.Context(), &walker{}, data(23), data(5))
		if err != nil || len(c.Warnings) != 1 || c.Warnings[0].Kind != "judge" || c.GeneratesFrom() != 20 {
			t.Errorf("%v, %v, weights of %d", c.Warnings, err, c.GeneratesFrom())
		}
	}
}

// A slow Evaluate gets a small share of a budget, and runs at the end in any case.
func TestEvaluateKeepsToItsShareOfABudget(t *testing.T) {
	for _, slow := range []time.Duration{10 * time.Millisecond, 2 * time.Second} {
		c := &fakeClock{time.Unix(0, 0)}
		w := &walker{}
		w.onStep = func() { c.t = c.t.Add(100 * time.Millisecond) }
		trainer := &Trainer{Budget: time.Minute, BatchSize: 2, BestBy: "figure"}
		var steps []int64
		trainer.Evaluate = func(_ context.Context, cp Checkpoint) (Evaluation, error) {
			c.t = c.t.Add(slow)
			steps = append(steps, cp.Step)
			return Evaluation{Metrics: map[string]float64{"figure": 1}}, nil
		}
		cp, err := trainer.run(t.Context(), w, data(10), data(2), c.now)
		if err != nil {
			t.Fatal(err)
		}
		took := c.t.Sub(time.Unix(0, 0))
		if n := len(steps); (slow < time.Second && n < 8) || (slow > time.Second && n > 2) || steps[n-1] != cp.Step || took > 63*time.Second {
			t.Errorf("an evaluation of %v: at %v of %d steps, in %v", slow, steps, cp.Step, took)
		}
	}
}
