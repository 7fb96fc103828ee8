package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"wavemill/internal/progress"
	"wavemill/models"
	"wavemill/models/training"
	"wavemill/operators/train"
	"wavemill/pipeline"
)

// demoWatch follows the operators through their hooks: it shows the progress, keeps the losses, and waits for the end of
// each stage.
type demoWatch struct {
	console *progress.Console
	o       demoOptions
	clips   int // number of recordings that the train operator will get

	mu       sync.Mutex
	done     int               // recordings converted or rejected
	convert  *progress.Task    // while recordings are converted
	training *training.Display // during the training
	history  training.History
	step     int64         // of the last stored checkpoint
	took     time.Duration // of the training

	began     chan struct{} // closed by the first training progress
	startOnce sync.Once
	complete  chan struct{} // closed when the trained model is stored
	endOnce   sync.Once
	digests   chan string // of models that the generate operator uses; only the last counts
}

func newDemoWatch(c *progress.Console, o demoOptions, clips int) *demoWatch {
	return &demoWatch{
		console: c, o: o, clips: clips,
		began: make(chan struct{}), complete: make(chan struct{}), digests: make(chan string, 1),
	}
}

// event is the pipeline's hook.
func (w *demoWatch) event(e pipeline.Event) {
	if e.Operator != "spectrogram" || e.Type == pipeline.EventRetried {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done++
	w.convert.Set(int64(w.done))
}

// converted waits until the spectrogram operator has processed all recordings that were published in this run, or until
// the training has begun.
func (w *demoWatch) converted(ctx context.Context, running *pipeline.Pipeline, published int) error {
	task := w.console.Start("convert", int64(published), "recordings")
	defer task.Done()
	w.mu.Lock()
	w.convert = task
	task.Set(int64(w.done))
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.convert = nil
	}()
	return w.until(ctx, running, func() bool {
		for _, s := range running.Snapshot() {
			if s.Operator == "spectrogram" {
				return s.Waiting == 0 && s.InFlight == 0 && s.Processed+s.Dead >= uint64(published)
			}
		}
		return false
	}, w.began)
}

// until waits for a channel to be closed or a condition to hold. It ends early with ctx or with the pipeline.
func (w *demoWatch) until(ctx context.Context, running *pipeline.Pipeline, holds func() bool, closed <-chan struct{}) error {
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-running.Done():
			return errStopped
		case <-closed:
			return nil
		case <-poll.C:
			if holds() {
				return nil
			}
		}
	}
}

// trained waits for the end of the training. On an external server an earlier run may have trained the model with the same
// recordings, seed and length: then there is no training, and the stored model is used.
func (w *demoWatch) trained(ctx context.Context, bus *pipeline.Bus, running *pipeline.Pipeline) error {
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.training != nil {
			w.training.Done()
			w.training = nil
		}
	}()
	return w.until(ctx, running, func() bool {
		select {
		case <-w.began:
			return false
		default:
		}
		e, ok := modelEvent(ctx, bus, w.o.arch)
		long := (w.o.steps > 0 && e.Step >= w.o.steps) || (w.o.budget > 0 && e.Elapsed >= 0.9*w.o.budget.Seconds())
		return ok && e.Complete && e.Clips == w.clips && e.Seed == w.o.seed && long
	}, w.complete)
}

// progress is the trainer's hook.
func (w *demoWatch) progress(p models.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took = p.Elapsed
	w.history.Add(p)
	if p.Event == models.EventStart {
		w.training = &training.Display{Say: w.say}
		w.training.Begin(w.console, w.o.budget, w.o.steps)
		w.startOnce.Do(func() { close(w.began) })
	}
	if w.training != nil {
		w.training.Event(p)
	}
	if w.o.onTraining != nil {
		w.o.onTraining(p)
	}
}

// say writes a line above the progress: the warnings of the training.
func (w *demoWatch) say(format string, args ...any) {
	fmt.Fprintf(w.console, format+"\n", args...)
}

// stored is the trainer's hook for checkpoints.
func (w *demoWatch) stored(e train.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step = e.Step
	if e.Complete {
		w.endOnce.Do(func() { close(w.complete) })
	}
}

// savedStep is the step of the last checkpoint that is on the bus, as far as this run knows.
func (w *demoWatch) savedStep() int64 {
	if w == nil {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.step
}

// inUse is the generate operator's hook.
func (w *demoWatch) inUse(digest string) {
	for {
		select {
		case w.digests <- digest:
			return
		case <-w.digests: // An older one.
		}
	}
}

// loaded waits until the generate operator uses the model with that digest.
func (w *demoWatch) loaded(ctx context.Context, digest string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the generate operator does not use the new model yet: %w", ctx.Err())
		case d := <-w.digests:
			if d == digest {
				return nil
			}
		}
	}
}

// losses returns the losses of the training so far.
func (w *demoWatch) losses() training.History {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.history
}

// trainingTime is how long the training has taken.
func (w *demoWatch) trainingTime() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.took
}
