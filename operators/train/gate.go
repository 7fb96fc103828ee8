package train

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/monitor"
	"wavemill/models/training"
)

// The gate compares a complete model with the served one. Both generate the same number of clips of the labels that both
// know and that have held-out recordings, with the same seeds, and are measured on the same recordings, which neither has learnt from: how many clips are
// nearest to their own label (Accuracy), and how far they are from the recordings (Distance). The new model passes if
// neither figure is worse than the served one's by more than the interval of the latter.

// Sizes of the comparison.
const (
	draws        = 5
	drawClips    = 128
	studentT     = 2.776 // The 97.5 % quantile of Student's t with draws-1 degrees of freedom.
	leastHeldOut = 2     // Held-out recordings of a label; clips of other labels are not compared.
)

// Verdict is the outcome of a comparison.
type Verdict struct {
	Accepted bool     `json:"accepted"`
	Reason   string   `json:"reason"`
	HeldOut  int      `json:"held_out,omitempty"` // HeldOut counts the recordings that both were measured on.
	New      *Figures `json:"new,omitempty"`
	Served   *Figures `json:"served,omitempty"`
}

// Figures are measurements of one model. Each has a 95 % interval.
type Figures struct {
	Accuracy     float64 `json:"accuracy"`      // The share of generated clips that are nearest to their own label, 0 to 1.
	AccuracyLow  float64 `json:"accuracy_low"`  // The lower end of its Wilson interval.
	Distance     float64 `json:"distance"`      // monitor.Distance, mean over draws; the lower the better.
	DistanceHigh float64 `json:"distance_high"` // The upper end of the interval in which another draw of the same model lies.
}

// Reference is what two models are compared on.
type Reference struct {
	FrontEnd models.FrontEnd
	Labels   []string     // The labels that both models know and that have held-out recordings, sorted.
	HeldOut  models.Batch // Recordings that neither has learnt from; labels are indices into Labels.
	Seed     uint64
}

// Measure measures a checkpoint on a reference.
type Measure func(ctx context.Context, c models.Checkpoint) (Figures, error)

// judge decides whether a complete checkpoint becomes the served version.
func (r *run) judge(ctx context.Context, c models.Checkpoint) (Verdict, error) {
	s := r.served.checkpoint
	switch {
	case r.served.entry.Version == 0:
		return Verdict{Accepted: true, Reason: "it is the first model"}, nil
	case !r.config.Gate:
		return Verdict{Accepted: true, Reason: "gate is false"}, nil
	case s == nil:
		return Verdict{Accepted: true, Reason: "the served model cannot be read"}, nil
	case !r.served.event.Complete:
		return Verdict{Accepted: true, Reason: "the served model is not complete"}, nil
	case s.FrontEnd != c.FrontEnd:
		return Verdict{Accepted: true, Reason: "the front end was changed; the two models cannot be compared"}, nil
	}
	var lost []string
	for _, label := range s.Labels {
		if !slices.Contains(c.Labels, label) {
			lost = append(lost, label)
		}
	}
	if len(lost) > 0 {
		return Verdict{Reason: "it does not know labels that the served model knows: " + strings.Join(lost, ", ")}, nil
	}
	reference, err := r.reference(*s)
	if err != nil {
		return Verdict{}, err
	}
	if reference.HeldOut.B == 0 {
		return Verdict{Accepted: true, Reason: "it is complete; there are too few held-out clips to compare it with the served model"}, nil
	}
	return r.compare(ctx, reference, *s, c)
}

// compare measures both models.
func (r *run) compare(ctx context.Context, reference Reference, served, c models.Checkpoint) (Verdict, error) {
	build := r.hooks.NewMeasure
	if build == nil && r.hooks.NewLearner != nil {
		return Verdict{Accepted: true, Reason: "it is complete; it cannot be measured"}, nil
	}
	if build == nil {
		build = NewMeasure
	}
	measure, err := build(reference)
	if err != nil {
		return Verdict{}, err
	}
	before, err := measure(ctx, served)
	if err != nil {
		return Verdict{}, fmt.Errorf("measure the served model: %w", err)
	}
	now, err := measure(ctx, c)
	if err != nil {
		return Verdict{}, fmt.Errorf("measure the new model: %w", err)
	}
	v := Verdict{HeldOut: reference.HeldOut.B, New: &now, Served: &before}
	switch {
	case now.Accuracy < before.AccuracyLow:
		v.Reason = fmt.Sprintf("its clips are nearest to their own label in %.0f %%, those of the served model in %.0f %% (at least %.0f %%)", 100*now.Accuracy, 100*before.Accuracy, 100*before.AccuracyLow)
	case now.Distance > before.DistanceHigh:
		v.Reason = fmt.Sprintf("its clips are at a distance of %.3f from recordings, those of the served model at %.3f (at most %.3f)", now.Distance, before.Distance, before.DistanceHigh)
	default:
		v.Accepted, v.Reason = true, "it is complete, and no worse than the served model"
	}
	return v, nil
}

// reference collects the recordings on which both models are compared: held out of the new one's training, and not learnt
// from by the served one.
func (r *run) reference(served models.Checkpoint) (Reference, error) {
	out := Reference{FrontEnd: r.set.FrontEnd, Seed: r.config.Seed}
	unseen := map[string]bool{}
	for _, x := range r.set.Data.HeldOut {
		unseen[x.Digest] = true
	}
	if d := served.Data; d != nil {
		for _, x := range slices.Concat(d.Learnt, d.Chosen) {
			delete(unseen, x.Digest)
		}
	}
	held := slices.DeleteFunc(slices.Clone(r.clips.examples), func(e training.Example) bool { return !unseen[e.Identity.Digest] })
	count := countLabels(held)
	for _, label := range served.Labels {
		if slices.Contains(r.set.Labels, label) && count[label] >= leastHeldOut {
			out.Labels = append(out.Labels, label)
		}
	}
	var specs []*spectrogram.Spectrogram
	var labels []int
	for _, e := range held {
		if at, ok := slices.BinarySearch(out.Labels, e.Identity.Label); ok {
			specs, labels = append(specs, e.Spectrogram), append(labels, at)
		}
	}
	if len(specs) == 0 {
		return out, nil
	}
	front, err := frontend.New(out.FrontEnd)
	if err != nil {
		return out, err
	}
	out.HeldOut, err = front.Batch(specs, labels)
	return out, err
}

// NewMeasure returns the usual measurement on a reference, of models of the known architectures.
func NewMeasure(ref Reference) (Measure, error) {
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

// figures computes means and intervals.
func figures(right, of int, distances []float64) Figures {
	n, p := float64(of), float64(right)/float64(of)
	const z = 1.96
	wilson := (p + z*z/(2*n) - z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))) / (1 + z*z/n)
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
	return Figures{Accuracy: p, AccuracyLow: wilson, Distance: mean, DistanceHigh: mean + half}
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
