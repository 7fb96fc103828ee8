package train

import (
	"context"
	"fmt"
	"math"
	"slices"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/monitor"
)

// Sizes of the plain comparison.
const (
	draws     = 5
	drawClips = 128
	studentT  = 2.776 // The 97.5 % quantile of Student's t with draws-1 degrees of freedom.
)

// plainMeasure measures models without a classifier: by the centres of the held-out recordings of each label, and by
// package monitor. It is for references with a single label, on which no classifier can be trained.
func plainMeasure(ref Reference) (Measure, error) {
	centres := centresOf(ref.HeldOut, len(ref.Labels))
	return func(ctx context.Context, c models.Checkpoint) (Figures, error) {
		var right, of int
		var distances []float64
		for draw := range draws {
			m, err := monitor.New(ref.HeldOut, models.Batch{}, ref.Labels, ref.FrontEnd, monitor.Options{
				Seed: ref.Seed + uint64(draw)<<32, Clips: drawClips,
				Open: func(c models.Checkpoint) (models.Generator, error) {
					g, err := architectures.Open(c)
					return translated{g, ref.Labels, c.Labels, func(b models.Batch) {
						right += hits(b, centres)
						of += b.B
					}}, err
				},
			})
			if err != nil {
				return Figures{}, err
			}
			v, err := m.Evaluate(ctx, c)
			if err != nil {
				return Figures{}, err
			}
			distances = append(distances, v.Metrics[monitor.Distance])
		}
		return figures(right, of, distances), nil
	}, nil
}

// share is a share with Wilson's interval.
func share(right, of int) *Figure {
	const z = 1.96
	n, p := float64(of), float64(right)/float64(of)
	centre, spread := (p+z*z/(2*n))/(1+z*z/n), z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))/(1+z*z/n)
	return &Figure{p, max(centre-spread, 0), min(centre+spread, 1)}
}

// figures computes means and intervals: Wilson's of the accuracy; of the distance that in which another draw of the same model
// lies.
func figures(right, of int, distances []float64) Figures {
	var sum, squares float64
	for _, d := range distances {
		sum += d
	}
	mean := sum / float64(len(distances))
	for _, d := range distances {
		squares += (d - mean) * (d - mean)
	}
	k := float64(len(distances))
	half := studentT * math.Sqrt(squares/max(k-1, 1)*(1+1/k))
	return Figures{Accuracy: share(right, of), Distance: &Figure{mean, mean - half, mean + half}}
}

// translated is a generator whose labels are those of a reference. It shows what it has generated.
type translated struct {
	models.Generator
	labels, known []string // Of the reference, and of the model.
	show          func(models.Batch)
}

// Generate implements models.Generator.
func (t translated) Generate(ctx context.Context, q models.Request) (models.Batch, error) {
	asked := q.Labels
	q.Labels = make([]int, len(asked))
	for i, l := range asked {
		at, ok := slices.BinarySearch(t.known, t.labels[l])
		if !ok {
			return models.Batch{}, fmt.Errorf("the model does not know the label %q", t.labels[l])
		}
		q.Labels[i] = at
	}
	b, err := t.Generator.Generate(ctx, q)
	if err == nil {
		b.Labels = slices.Clone(asked)
		t.show(b)
	}
	return b, err
}

// cells is the number of cells along each axis into which a clip is divided to compare it.
const cells = 16

// featuresOf is the mean of each cell of a grid over a clip [T, F].
func featuresOf(b models.Batch, i int) []float64 {
	rows, columns, x := min(cells, b.T), min(cells, b.F), b.Clip(i)
	out := make([]float64, 0, rows*columns)
	for r := range rows {
		for c := range columns {
			t0, t1, f0, f1 := r*b.T/rows, (r+1)*b.T/rows, c*b.F/columns, (c+1)*b.F/columns
			sum := 0.0
			for t := t0; t < t1; t++ {
				for _, v := range x[t*b.F+f0 : t*b.F+f1] {
					sum += float64(v)
				}
			}
			out = append(out, sum/float64((t1-t0)*(f1-f0)))
		}
	}
	return out
}

// centresOf is the mean of the features of each label; nil for a label without clips.
func centresOf(b models.Batch, labels int) [][]float64 {
	centres, n := make([][]float64, labels), make([]float64, labels)
	for i, l := range b.Labels {
		f := featuresOf(b, i)
		if centres[l] == nil {
			centres[l] = make([]float64, len(f))
		}
		n[l]++
		for j, v := range f {
			centres[l][j] += (v - centres[l][j]) / n[l]
		}
	}
	return centres
}

// hits counts the clips that are nearest to the centre of their own label. Clips of a label without a centre are hits: there
// is nothing to hold against them.
func hits(b models.Batch, centres [][]float64) (right int) {
	for i, label := range b.Labels {
		f, best, nearest := featuresOf(b, i), math.Inf(1), label
		for l, c := range centres {
			if c == nil {
				continue
			}
			d := 0.0
			for j, v := range f {
				d += (v - c[j]) * (v - c[j])
			}
			if d < best {
				best, nearest = d, l
			}
		}
		if nearest == label || centres[label] == nil {
			right++
		}
	}
	return right
}
