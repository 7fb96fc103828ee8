package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"wavemill/cmd/wavemill/report"
	"wavemill/internal/progress"
	"wavemill/models"
	"wavemill/operators/train"
	"wavemill/pipeline"
)

// demoWatch follows what the operators do: it is fed by their hooks, draws the progress, keeps the losses, and lets
// the demo wait for what comes next.
type demoWatch struct {
	console *progress.Console
	o       demoOptions
	clips   int // how many recordings the trainer will get

	mu       sync.Mutex
	done     int            // recordings converted or given up
	convert  *progress.Task // while recordings are being converted
	training *trainingWatch // while there is training
	curves   map[string]*lossCurve
	step     int64 // of the last stored checkpoint
	took     time.Duration

	began     chan struct{} // closed by the first training progress
	startOnce sync.Once
	complete  chan struct{} // closed when the trained model is stored
	endOnce   sync.Once
	digests   chan string // of models put to use; only the last counts
}

// lossCurve is one loss over the steps.
type lossCurve struct{ train, val report.Line }

func newDemoWatch(c *progress.Console, o demoOptions, clips int) *demoWatch {
	return &demoWatch{
		console: c, o: o, clips: clips, curves: map[string]*lossCurve{},
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

// converted waits until the operator has dealt with all recordings that were published in this run, or until training
// has begun.
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

// trained waits for the end of the training. A model on an external server may have been trained by an earlier run
// with the same recordings, seed and length already: then nothing happens any more, and what is stored counts.
func (w *demoWatch) trained(ctx context.Context, bus *pipeline.Bus, running *pipeline.Pipeline) error {
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.training != nil {
			w.training.done()
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
	switch p.Event {
	case models.EventStart:
		w.training = w.newTraining()
		w.startOnce.Do(func() { close(w.began) })
	case models.EventStep:
		w.add(p.Step, p.Train, func(c *lossCurve) *report.Line { return &c.train })
	case models.EventEval:
		w.add(p.Step, p.Val, func(c *lossCurve) *report.Line { return &c.val })
	case models.EventSave, models.EventDone:
	}
	if w.training != nil {
		w.training.event(p)
	}
	if w.o.onTraining != nil {
		w.o.onTraining(p)
	}
}

func (w *demoWatch) newTraining() *trainingWatch {
	if w.o.steps > 0 {
		return &trainingWatch{task: w.console.Start("train", w.o.steps, "steps"), say: w.say}
	}
	return &trainingWatch{task: w.console.StartTimed("train", w.o.budget), timed: true, say: w.say}
}

// say writes a line above the progress: what the trainer warns of.
func (w *demoWatch) say(format string, args ...any) {
	fmt.Fprintf(w.console, format+"\n", args...)
}

func (w *demoWatch) add(step int64, losses models.Losses, line func(*lossCurve) *report.Line) {
	for name, v := range losses {
		if w.curves[name] == nil {
			w.curves[name] = &lossCurve{report.Line{Name: "training"}, report.Line{Name: "held out"}}
		}
		l := line(w.curves[name])
		l.Steps, l.Values = append(l.Steps, float64(step)), append(l.Values, v)
	}
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
		case <-w.digests: // An older one that nobody has asked for.
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
			return fmt.Errorf("the generate operator has not taken the new model into use: %w", ctx.Err())
		case d := <-w.digests:
			if d == digest {
				return nil
			}
		}
	}
}

// lossCurves returns what is to be drawn, thinned to what a chart can show.
func (w *demoWatch) lossCurves() []report.Curve {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []report.Curve
	for _, name := range slices.Sorted(maps.Keys(w.curves)) {
		c := w.curves[name]
		curve := report.Curve{Name: name, Lines: []report.Line{thin(c.train, 300)}}
		if len(c.val.Steps) > 0 {
			curve.Lines = append(curve.Lines, c.val)
		}
		out = append(out, curve)
	}
	return out
}

// thin keeps about n points of a line, the last among them.
func thin(l report.Line, n int) report.Line {
	every := max(1, len(l.Steps)/n)
	out := report.Line{Name: l.Name}
	for i := range l.Steps {
		if i%every == 0 || i == len(l.Steps)-1 {
			out.Steps, out.Values = append(out.Steps, l.Steps[i]), append(out.Values, l.Values[i])
		}
	}
	return out
}
