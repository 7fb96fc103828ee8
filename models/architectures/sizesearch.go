package architectures

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"wavemill/models"
	"wavemill/models/architecture"
)

// The evidence behind these numbers is in docs/experiments.md.
const (
	// plentySteps is the number of steps that a wider network must reach to be chosen over the default, which no longer
	// improves by then. A VAE of the default width reaches it with spoken digits in ten minutes on two cores with AVX-512.
	plentySteps = 60000
	// leastBatch is the smallest batch, for fewer clips than that: the discriminators' groups are of eight.
	leastBatch = 8
	// smallBatch is the smallest batch that is chosen for lack of time.
	smallBatch = 16
	// defaultBatch is models.Trainer's.
	defaultBatch = 32
	// measureLimit and measureShare bound the time of SearchSize.
	measureLimit = 4 * time.Second
	measureShare = 0.03
	// timedSteps is the number of steps of a candidate that are timed; the median is used.
	timedSteps = 3
)

// A Size is a width and a batch size.
type Size struct {
	Channels int `json:"channels"`
	Batch    int `json:"batch_size"`
}

// A Timing is the measured time of a step of a size.
type Timing struct {
	Size
	Step time.Duration
}

// A SizeResult is the decision of SearchSize and its reasons.
type SizeResult struct {
	Size
	Config  json.RawMessage // the architecture's, with the chosen width in it
	Timings []Timing        // in the order measured; none where the time was too short or left no choice
	Steps   int64           // estimated steps of the chosen size within the budget; 0 without timings
	Took    time.Duration   // by the measurement
}

// String returns the choice in one line.
func (f SizeResult) String() string {
	s := fmt.Sprintf("%d channels, batches of %d", f.Channels, f.Batch)
	if len(f.Timings) == 0 {
		return s + " (the default; nothing was measured)"
	}
	times := make([]string, len(f.Timings))
	for i, t := range f.Timings {
		times[i] = fmt.Sprintf("%.3g ms a step of %d channels by %d", float64(t.Step)/float64(time.Millisecond), t.Channels, t.Batch)
	}
	return fmt.Sprintf("%s: about %d steps in the time; measured %s", s, f.Steps, strings.Join(times, ", "))
}

// SearchSize is Table.SearchSize of the known architectures.
func SearchSize(ctx context.Context, name string, config json.RawMessage, fe models.FrontEnd, labels []string, x models.Batch, budget time.Duration) (SizeResult, error) {
	return Known().SearchSize(ctx, name, config, fe, labels, x, budget)
}

// SearchSize chooses the width and the batch size of an architecture for a budget of time: it times a few steps on x, clips
// of the shape that will be learnt from, and decides by SizeSearch.Choose. It takes about 3 % of the budget at most, and no
// more than about 4 s. Widths that the default's time rules out are not measured. A configuration that names a width keeps
// it.
//
// The choice depends on the machine; written into the configuration, it makes a training repeatable.
func (t Table) SearchSize(ctx context.Context, name string, config json.RawMessage, fe models.FrontEnd, labels []string, x models.Batch, budget time.Duration) (SizeResult, error) {
	began := time.Now()
	a, err := t.Find(name)
	if err != nil {
		return SizeResult{}, err
	}
	width, set, err := a.Width(config)
	if err != nil {
		return SizeResult{}, err
	}
	if x.B == 0 {
		return SizeResult{}, errors.New("search of a size: no clips to time a step with")
	}
	deadline := began.Add(min(measureLimit, time.Duration(measureShare*float64(budget))))
	from := widths(width)
	if set {
		from = []int{width}
	}
	q := SizeSearch{Budget: time.Duration(a.Sizing.Share * float64(budget)), Clips: x.B, Default: width, Widths: from, Least: a.Sizing.LeastSteps}
	f := SizeResult{}
	for {
		next, more := q.Next(f.Timings)
		if !more || time.Now().After(deadline) {
			break
		}
		t, err := measure(ctx, a, config, fe, labels, x, next, deadline)
		if err != nil {
			return SizeResult{}, err
		}
		f.Timings = append(f.Timings, t)
	}
	f.Size = q.Choose(f.Timings)
	if f.Config, err = a.WithWidth(config, f.Channels); err != nil {
		return SizeResult{}, err
	}
	if set || f.Channels == width {
		f.Config = config
	}
	if len(f.Timings) > 0 {
		f.Steps = int64(q.Budget / q.step(f.Size, f.Timings))
	}
	f.Took = time.Since(began)
	return f, nil
}

// measure times steps of a new learner. The first step includes building its graphs and is used only where the deadline
// passes before the second: its time is then an upper bound.
func measure(ctx context.Context, a architecture.Architecture, config json.RawMessage, fe models.FrontEnd, labels []string, x models.Batch, c Size, deadline time.Time) (Timing, error) {
	t := Timing{Size: c}
	config, err := a.WithWidth(config, c.Channels)
	if err != nil {
		return t, err
	}
	l, err := a.New(config, fe, labels, 0)
	if err != nil {
		return t, err
	}
	indices := make([]int, c.Batch)
	for i := range indices {
		indices[i] = i % x.B
	}
	part := x.Select(models.Batch{}, indices)
	rng := rand.New(rand.NewPCG(0, 0x666974))
	var times []time.Duration
	for i := range timedSteps + 1 {
		if err := ctx.Err(); err != nil {
			return t, err
		}
		if i > 0 && time.Now().After(deadline) {
			break
		}
		began := time.Now()
		if _, err := l.Step(ctx, part, rng); err != nil {
			return t, fmt.Errorf("search of a size: %w", err)
		}
		if i == 1 {
			times = times[:0]
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	t.Step = max(times[len(times)/2], 1)
	return t, nil
}
