package fft

import "math"

// Filters are sparse linear filters on rows.
type Filters struct {
	weights []float32
	bands   []uint32 // pairs of byte offset of the first row, count
}

// NewFilters prepares filters for Apply: filter m weighs the rows first[m], first[m]+1, ... by weights[m], which may be
// empty.
func (b *Batch) NewFilters(first []int, weights [][]float32) *Filters {
	f := &Filters{weights: []float32{}}
	for m, w := range weights {
		f.bands = append(f.bands, uint32(4*b.k.lanes*first[m]), uint32(len(w)))
		f.weights = append(f.weights, w...)
	}
	f.weights = append(f.weights, 0) // so that there is a first weight to point at
	return f
}

// Apply writes the filtered rows of src to dst, one row per filter. src must have all rows that the filters weigh.
func (b *Batch) Apply(dst, src []float32, f *Filters) { b.k.weigh(dst, src, f.weights, f.bands) }

// Constants of the logarithm: one row each in a table of Levels.
const (
	levelRow       = 16 // float32 per constant: as many as any kernel has lanes
	levelConstants = 20
	sqrtHalf       = 0x3f3504f3 // the bits of sqrt(1/2)
	mantissaBits   = 0x007fffff
)

// Levels say how Level maps values.
type Levels struct{ table []float32 }

// NewLevels prepares Level: y = min(max(scale*ln(x+floor)+offset, low), high).
func NewLevels(floor, scale, offset, low, high float32) *Levels {
	constants := [levelConstants]float32{
		floor, math.Float32frombits(sqrtHalf), math.Float32frombits(mantissaBits), 1,
		// The polynomial and the split of ln 2 are those of logf in Moshier's Cephes library.
		7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
		-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
		0.5, -2.12194440e-4, 0.693359375,
		scale, offset, low, high,
	}
	l := &Levels{table: aligned(levelRow * levelConstants)}
	for i, c := range constants {
		for j := range levelRow {
			l.table[i*levelRow+j] = c
		}
	}
	return l
}

// Level maps rows of values >= 0 by their logarithms as l says. x+floor must be a normal number; the logarithm is good
// to 2 units in the last place of max(1, |ln|).
func (b *Batch) Level(dst, src []float32, rows int, l *Levels) { b.k.level(dst, src, rows, l.table) }
