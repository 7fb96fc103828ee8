// Package modeltest is the acceptance suite of the architectures: it checks the promises of
// [models.Learner], [models.Generator] and [models.Blender].
//
// An architecture's test fills in an [Architecture], small enough to learn in seconds, and calls [Run]:
//
//   - gradients agree with finite differences;
//   - a learner overfits one batch;
//   - the same seed gives the same bytes, whatever the number of threads, and another seed others;
//   - saving, loading and resuming makes no difference, to the last bit;
//   - a step allocates little, and no more after a thousand steps than before;
//   - evaluating changes nothing;
//   - generated clips are finite, within [-1, 1], depend on their label and seed alone, not on the
//     clips beside them, and may be asked for concurrently;
//   - where clips can be blended between two labels, the ends are the clips of Generate;
//   - a batch, a request or a checkpoint that does not fit is an error, changes nothing, and does not panic.
//
// Each promise is a function of its own that returns an error, so that the suite's own test can show
// that each of them catches a learner that breaks it.
package modeltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"wavemill/models"
	"wavemill/models/nn"
	"wavemill/models/nn/kernel"
)

// An Architecture says how to build the models under test, at a size at which a step takes
// milliseconds.
type Architecture struct {
	// New returns an untrained learner.
	New func(seed uint64) (models.Learner, error)
	// Open returns the generator of a checkpoint.
	Open func(models.Checkpoint) (models.Generator, error)
	// Batch is what the learner learns from. Its labels must be several.
	Batch models.Batch
	// Labels are the names of the labels of Batch.
	Labels []string
	// Loss names the loss that must fall to To within Steps steps on Batch alone. To is a fraction of the
	// first value where that is positive, else a value. An adversarial architecture names a loss that one
	// of its networks can lower.
	Loss  string
	To    float64
	Steps int
	// Gradients are graphs to compare with finite differences.
	Gradients []Gradient
	// Complete fills in the fields of a checkpoint that a Trainer would, beyond its labels; it may be nil.
	Complete func(c *models.Checkpoint)
	// LongSteps is the number of steps of the test for growing memory; 0 means 1000.
	LongSteps int
}

// A Gradient is one graph whose gradients are to be checked.
type Gradient struct {
	Name   string
	Params *nn.Params
	// Build adds the network to a training graph and returns the loss.
	Build func(n *nn.Graph) *nn.Tensor
	// Feeds are the inputs, a seed included where the network draws noise.
	Feeds []nn.Feed
}

// Run checks every promise in a subtest of its own.
func Run(t *testing.T, a Architecture) {
	t.Helper()
	checks := []struct {
		name string
		f    func(Architecture) error
	}{
		{"gradients", Gradients},
		{"overfits one batch", Overfits},
		{"same seed, same bytes", SameSeed},
		{"resumes exactly", Resumes},
		{"evaluation changes nothing", EvalIsPure},
		{"allocates little", Allocations},
		{"generates", Generates},
		{"blends", Blends},
		{"refuses what does not fit", Refuses},
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.name == "allocates little" {
				a.LongSteps = 100
			}
			if err := c.f(a); err != nil {
				t.Error(err)
			}
		})
	}
}

// newRand is the generator that steps draw from, newPCG its source.
func newRand(seed uint64) *rand.Rand { return rand.New(newPCG(seed)) }

func newPCG(seed uint64) *rand.PCG { return rand.NewPCG(seed, 0x6d6f64656c) }

// train makes steps of l, which draw from rng.
func train(a Architecture, l models.Learner, rng *rand.Rand, steps int) (last models.Losses, err error) {
	for i := range steps {
		if last, err = l.Step(context.Background(), a.Batch, rng); err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
		if name, bad := last.NonFinite(); bad {
			return nil, fmt.Errorf("step %d: loss %s is %v", i+1, name, last[name])
		}
	}
	return last, nil
}

// state returns the learner's checkpoint, complete and as bytes.
func (a Architecture) state(l models.Learner) (models.Checkpoint, []byte, error) {
	c, err := l.Checkpoint()
	if err != nil {
		return c, nil, fmt.Errorf("checkpoint: %w", err)
	}
	if c.Format == 0 {
		c.Format = models.Format
	}
	c.Labels = a.Labels
	if a.Complete != nil {
		a.Complete(&c)
	}
	b, err := c.Encode()
	if err != nil {
		return c, nil, fmt.Errorf("encoding the checkpoint: %w", err)
	}
	return c, b, nil
}

// Overfits checks that a learner overfits one batch.
func Overfits(a Architecture) error {
	l, err := a.New(1)
	if err != nil {
		return err
	}
	l.SetTotalSteps(int64(a.Steps))
	rng := newRand(1)
	first, err := train(a, l, rng, 1)
	if err != nil {
		return err
	}
	start, ok := first[a.Loss]
	if !ok {
		return fmt.Errorf("a step reports no loss %q, but %v", a.Loss, first)
	}
	goal := a.To
	if start > 0 {
		goal *= start
	}
	best := start
	for done := 1; done < a.Steps; done++ {
		last, err := train(a, l, rng, 1)
		if err != nil {
			return err
		}
		if best = min(best, last[a.Loss]); best <= goal {
			return nil
		}
	}
	return fmt.Errorf("%s fell from %g to %g in %d steps on one batch, want %g", a.Loss, start, best, a.Steps, goal)
}

// SameSeed checks that training depends on the seeds alone.
func SameSeed(a Architecture) error {
	run := func(seed, noise uint64, threads int) ([]byte, error) {
		before := kernel.Threads()
		kernel.SetThreads(threads)
		defer kernel.SetThreads(before)
		l, err := a.New(seed)
		if err != nil {
			return nil, err
		}
		if _, err := train(a, l, newRand(noise), 3); err != nil {
			return nil, err
		}
		_, b, err := a.state(l)
		return b, err
	}
	want, err := run(1, 1, 1)
	if err != nil {
		return err
	}
	for threads := 1; threads <= 3; threads++ {
		got, err := run(1, 1, threads)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("two runs with one seed left different checkpoints (on 1 and %d threads)", threads)
		}
	}
	got, err := run(2, 1, 2)
	if err != nil {
		return err
	}
	if bytes.Equal(got, want) {
		return errors.New("the seed makes no difference")
	}
	return nil
}

// Resumes checks that a learner restored from a saved checkpoint goes on exactly as the one that was saved.
func Resumes(a Architecture) error {
	const before, after = 3, 4
	l, err := a.New(1)
	if err != nil {
		return err
	}
	l.SetTotalSteps(before + after)
	pcg := newPCG(1)
	rng := rand.New(pcg)
	if _, err := train(a, l, rng, before); err != nil {
		return err
	}
	_, saved, err := a.state(l)
	if err != nil {
		return err
	}
	position, err := pcg.MarshalBinary()
	if err != nil {
		return err
	}
	if _, err := train(a, l, rng, after); err != nil {
		return err
	}
	_, want, err := a.state(l)
	if err != nil {
		return err
	}

	c, err := models.Decode(saved)
	if err != nil {
		return fmt.Errorf("decoding the checkpoint: %w", err)
	}
	restored, err := a.New(99) // whose own initial weights must not matter
	if err != nil {
		return err
	}
	restored.SetTotalSteps(before + after)
	if err := restored.Restore(c); err != nil {
		return fmt.Errorf("restoring: %w", err)
	}
	if _, b, err := a.state(restored); err != nil {
		return err
	} else if !bytes.Equal(b, saved) {
		return errors.New("a restored learner's checkpoint differs from the one it was restored from")
	}
	if err := pcg.UnmarshalBinary(position); err != nil {
		return err
	}
	if _, err := train(a, restored, rng, after); err != nil {
		return err
	}
	_, got, err := a.state(restored)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d steps, saving, loading and %d more steps differ from %d steps", before, after, before+after)
	}
	return nil
}

// EvalIsPure checks that evaluating leaves no trace and repeats itself.
func EvalIsPure(a Architecture) error {
	l, err := a.New(1)
	if err != nil {
		return err
	}
	if _, err := train(a, l, newRand(1), 2); err != nil {
		return err
	}
	_, before, err := a.state(l)
	if err != nil {
		return err
	}
	first, err := l.Eval(context.Background(), a.Batch)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	second, err := l.Eval(context.Background(), a.Batch)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	if len(first) == 0 {
		return errors.New("eval reports no losses")
	}
	for name, v := range first {
		if w := second[name]; v != w {
			return fmt.Errorf("eval: loss %s is %g, and %g when evaluated again", name, v, w)
		}
	}
	_, after, err := a.state(l)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, after) {
		return errors.New("evaluating changed the learner")
	}
	return nil
}

// The most that a step may allocate, on average.
const (
	maxStepBytes   = 50_000
	maxStepObjects = 1000
)

// Allocations checks that a step allocates little and that the heap does not grow with the steps.
func Allocations(a Architecture) error {
	l, err := a.New(1)
	if err != nil {
		return err
	}
	rng := newRand(1)
	if _, err := train(a, l, rng, 3); err != nil { // what is allocated once is not counted
		return err
	}
	steps := a.LongSteps
	if steps == 0 {
		steps = 1000
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if _, err := train(a, l, rng, steps); err != nil {
		return err
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(l)
	perBytes := float64(after.TotalAlloc-before.TotalAlloc) / float64(steps)
	perObjects := float64(after.Mallocs-before.Mallocs) / float64(steps)
	if perBytes > maxStepBytes || perObjects > maxStepObjects {
		return fmt.Errorf("a step allocates %.0f bytes in %.0f objects, want at most %d in %d", perBytes, perObjects, maxStepBytes, maxStepObjects)
	}
	// Half a megabyte is what the runtime itself moves by; a leak of 1 kB a step is twice that.
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 512<<10 {
		return fmt.Errorf("the heap grew by %d bytes in %d steps", grown, steps)
	}
	return nil
}

// open trains a little and returns the generator of the result.
func (a Architecture) open() (models.Generator, error) {
	l, err := a.New(1)
	if err != nil {
		return nil, err
	}
	if _, err := train(a, l, newRand(1), 5); err != nil {
		return nil, err
	}
	if err := l.Calibrate(context.Background(), a.Batch); err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	_, b, err := a.state(l)
	if err != nil {
		return nil, err
	}
	c, err := models.Decode(b)
	if err != nil {
		return nil, err
	}
	g, err := a.Open(c.WithoutOptimizer())
	if err != nil {
		return nil, fmt.Errorf("opening the checkpoint without its optimiser: %w", err)
	}
	return g, nil
}
