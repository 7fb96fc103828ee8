package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"

	"wavemill/cmd/wavemill/report"
	"wavemill/models"
	"wavemill/models/architectures"
)

// A school trains architectures alike: the same recordings, front end, seed and time.
type school struct {
	app    *app
	seed   uint64
	budget time.Duration
	steps  int64 // instead of the budget

	shown bool // whether the plan has been
}

// A schooling is how a training went.
type schooling struct {
	seconds, cpuSeconds float64
	steps               []float64
	losses              map[string][]float64 // of training, smoothed, by step
	evals               []float64            // steps of the evaluations
	held                map[string][]float64 // on the validation recordings
}

// validationEvery is which of the training recordings of a label, counted, is only validated on: a twentieth. The
// held-out recordings are for the judge alone.
const validationEvery = 20

// train trains an architecture and writes its checkpoint to a file.
func (s *school) train(ctx context.Context, arch string, recordings []recording, file string) (models.Checkpoint, schooling, error) {
	var learn, validate []recording
	count := map[string]int{}
	for _, r := range recordings {
		if count[r.item.Label]++; count[r.item.Label]%validationEvery == 0 {
			validate = append(validate, r)
		} else {
			learn = append(learn, r)
		}
	}
	labels, fe := labelNames(recordings), planFrontEnd(recordings)
	x, err := s.app.analyze(ctx, fe, labels, learn)
	if err != nil {
		return models.Checkpoint{}, schooling{}, err
	}
	val, err := s.app.analyze(ctx, fe, labels, validate)
	if err != nil {
		return models.Checkpoint{}, schooling{}, err
	}
	config, batch, left, err := s.fit(ctx, arch, fe, labels, recordings, x)
	if err != nil {
		return models.Checkpoint{}, schooling{}, err
	}
	learner, err := architectures.NewLearner(arch, config, fe, labels, s.seed)
	if err != nil {
		return models.Checkpoint{}, schooling{}, err
	}
	log := schooling{losses: map[string][]float64{}, held: map[string][]float64{}}
	watch := s.app.watchTraining(s.budget, s.steps)
	t := models.Trainer{Steps: s.steps, BatchSize: batch, Seed: s.seed, Save: func(c models.Checkpoint) error { return c.Write(file) }}
	if s.steps == 0 {
		t.Budget = left
	}
	t.OnEvent = func(p models.Progress) {
		watch.event(p)
		log.take(p)
	}
	began, cpu := time.Now(), cpuSeconds()
	c, err := t.Run(ctx, learner, x, val)
	watch.done()
	log.seconds, log.cpuSeconds = time.Since(began).Seconds(), cpuSeconds()-cpu
	if ctx.Err() != nil && err != nil {
		return c, log, fmt.Errorf("interrupted at step %d; what it has learnt is in %s, which --model takes", c.Step, file)
	}
	return c, log, err
}

// most points of a curve that are kept: more than its picture has pixels.
const curvePoints = 400

// take notes the losses of an event.
func (s *schooling) take(p models.Progress) {
	step := float64(p.Step)
	switch p.Event {
	case models.EventStep:
		if len(s.steps) >= curvePoints {
			s.thin()
		}
		every := 1.0
		if n := len(s.steps); n > 1 {
			every = s.steps[n-1] - s.steps[n-2]
		}
		if n := len(s.steps); n > 0 && step < s.steps[n-1]+every {
			return
		}
		s.steps = append(s.steps, step)
		record(s.losses, p.Train, len(s.steps))
	case models.EventEval:
		s.evals = append(s.evals, step)
		record(s.held, p.Val, len(s.evals))
	}
}

// record appends losses as the n-th point of each curve. A loss that was not there before, or is not there now, has
// gaps.
func record(to map[string][]float64, losses models.Losses, n int) {
	for name, v := range losses {
		for len(to[name]) < n-1 {
			to[name] = append(to[name], math.NaN())
		}
		to[name] = append(to[name][:n-1], v)
	}
	for name := range to {
		for len(to[name]) < n {
			to[name] = append(to[name], math.NaN())
		}
	}
}

// thin drops every other point.
func (s *schooling) thin() {
	drop := func(x []float64) []float64 {
		var out []float64
		for i := 0; i < len(x); i += 2 {
			out = append(out, x[i])
		}
		return out
	}
	s.steps = drop(s.steps)
	for name, x := range s.losses {
		s.losses[name] = drop(x)
	}
}

// curves returns the losses as the page draws them.
func (s *schooling) curves(model string) []report.Curve {
	var out []report.Curve
	for _, name := range slices.Sorted(maps.Keys(s.losses)) {
		c := report.Curve{Name: model + ": " + name, Lines: []report.Line{{Name: "training", Steps: s.steps, Values: s.losses[name]}}}
		if v := s.held[name]; len(v) > 0 {
			c.Lines = append(c.Lines, report.Line{Name: "validation", Steps: s.evals, Values: v})
		}
		out = append(out, c)
	}
	return out
}

// cpuSeconds is the time that all cores together have spent in this process, as the Go runtime estimates it: on a
// machine that is shared with others, it counts waiting for a core too.
func cpuSeconds() float64 {
	runtime.GC() // the estimates are brought up to date by a collection
	samples := []metrics.Sample{{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}}
	metrics.Read(samples)
	return samples[0].Value.Float64() - samples[1].Value.Float64()
}
