package architectures

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// A SizeSearch is a search for the width and the batch size that use a budget of time best. It measures nothing itself:
// the same search and timings give the same choice.
type SizeSearch struct {
	Budget  time.Duration // that the measured steps have
	Clips   int           // to learn from
	Default int           // width
	Widths  []int         // to choose from, ascending; Default is one of them
	Least   int64         // steps that the default width should make
}

// batch returns the largest batch size: the default or, with fewer clips, their number rounded down to a multiple of 8.
func (q SizeSearch) batch() int { return min(defaultBatch, max(leastBatch, q.Clips/8*8)) }

// step returns the measured or estimated time of a step of c. The estimate starts from the nearest width measured and
// grows with the width to the power of 1.5 and in proportion to the batch, as measured on two cores.
func (q SizeSearch) step(c Size, timings []Timing) time.Duration {
	best := slices.MinFunc(timings, func(a, b Timing) int {
		return cmp.Or(cmp.Compare(abs(a.Channels-c.Channels), abs(b.Channels-c.Channels)), cmp.Compare(abs(a.Batch-c.Batch), abs(b.Batch-c.Batch)))
	})
	if best.Size == c {
		return best.Step
	}
	return max(time.Duration(float64(best.Step)*cost(c)/cost(best.Size)), 1)
}

// cost is proportional to the estimated time of a step.
func cost(c Size) float64 {
	w := float64(c.Channels)
	return w * math.Sqrt(w) * float64(c.Batch)
}

func abs(x int) int { return max(x, -x) }

// steps returns the number of steps of c within the budget.
func (q SizeSearch) steps(c Size, timings []Timing) int64 {
	return int64(q.Budget / q.step(c, timings))
}

// full returns the same number in batches of 32, so that sizes with different batches are compared by clips.
func (q SizeSearch) full(c Size, timings []Timing) int64 {
	return q.steps(c, timings) * int64(c.Batch) / defaultBatch
}

// ladder returns the sizes for too little time in the order in which they are tried: the default width in batches of half
// the size, and half again, down to 16 in multiples of 8, then narrower networks. A smaller batch only makes the gradient
// noisier; a narrower network has less capacity.
func (q SizeSearch) ladder() []Size {
	c := Size{q.Default, q.batch()}
	rungs := []Size{c}
	for c.Batch/16*8 >= smallBatch {
		c.Batch = c.Batch / 16 * 8
		rungs = append(rungs, c)
	}
	for i := slices.Index(q.Widths, q.Default) - 1; i >= 0; i-- {
		rungs = append(rungs, Size{q.Widths[i], c.Batch})
	}
	return rungs
}

// Next returns the size to measure next, given the measurements so far, and false where no further one can change the
// choice. The default comes first. If it makes too few steps, smaller batches and narrower networks follow. If the budget
// has room for a wider one, whose steps take at least as much longer as it is wider, that one follows.
func (q SizeSearch) Next(timings []Timing) (Size, bool) {
	rungs := q.ladder()
	if len(timings) == 0 {
		return rungs[0], true
	}
	last := timings[len(timings)-1]
	if q.steps(rungs[0], timings) < q.Least {
		if len(timings) < len(rungs) && q.steps(last.Size, timings) < q.Least {
			return rungs[len(timings)], true
		}
		return Size{}, false
	}
	if at := slices.Index(q.Widths, last.Channels); at >= 0 && at+1 < len(q.Widths) {
		wider := q.Widths[at+1]
		if q.full(last.Size, timings)*int64(last.Channels)/int64(wider) >= plentySteps {
			return Size{wider, q.batch()}, true
		}
	}
	return Size{}, false
}

// Choose returns the width and batch size for the timings of Next's choices, or of the first few of them:
//
//   - without timings the default width and batches of 32, fewer where there are fewer clips;
//   - the same, where it makes Least steps or more in the budget, and a wider network only where that makes 60,000
//     itself (of 32 clips): steps pay better than width until the loss is flat;
//   - else batches of 16, if these make Least steps;
//   - else, in batches of 16, the widest of the narrower networks that makes them, or the narrowest.
func (q SizeSearch) Choose(timings []Timing) Size {
	rungs := q.ladder()
	best := rungs[0]
	if len(timings) == 0 {
		return best
	}
	if q.steps(best, timings) < q.Least {
		for _, c := range rungs[1:] {
			if best = c; q.steps(c, timings) >= q.Least {
				break
			}
		}
		return best
	}
	for _, t := range timings {
		if t.Channels > best.Channels && q.full(t.Size, timings) >= plentySteps {
			best = t.Size
		}
	}
	return best
}

// widths returns the widths to choose from around a default of w: halves, three quarters, one and a half times and twice,
// in multiples of 4, so that the vectors of the kernels are full.
func widths(w int) []int {
	out := []int{w / 2, w * 3 / 4, w, w * 3 / 2, w * 2}
	for i, c := range out {
		out[i] = max(4, c/4*4)
	}
	return slices.Compact(out)
}
