package gan

import (
	"context"
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/internal/latent"
	"wavemill/models/internal/shape"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// A generator leaves artefacts: fine structure at the same places in all clips of a label. A classifier of recordings still
// recognises the clips, but a classifier that is trained on the clips learns the artefacts and is less accurate on
// recordings (docs/experiments.md). The bias correction of a label is the mean fine structure of its recordings minus that of
// generated clips, as a change of the input of the generator's last tanh. Training does not use it.
const (
	correctionName   = "generator/correction/w" // the parameter, [labels, T F]
	tensorCorrection = "correction"             // [labels, T, F]
	correctionLayer  = "correction"

	correctionClips  = 120  // generated clips of a label that its artefacts are estimated from
	correctionReal   = 1000 // recordings of a label that they are compared with at most
	correctionAll    = 4800 // generated clips of all labels at most, or one of each
	correctionShrink = 8    // with 16 recordings and as many clips of a label, its correction is halved
	correctionSeed   = 0x6d61726b73
	coarsePasses     = 2   // passes of smoothing that separate coarse structure from fine
	leastSlope       = .01 // of the tanh; limits the correction where the clip is nearly silent
)

// correction is the correction of clips of labels [B], [B, T, F, 1]; nil for none.
func correction(n *nn.Graph, labels *nn.Tensor, s shape.Shape, c Config) *nn.Tensor {
	if !c.corrects() {
		return nil
	}
	e := n.Scope("generator").Embedding(correctionLayer, labels, s.Labels, s.Frames*s.Bins)
	if n.Err() != nil {
		return e
	}
	return n.Reshape(e, labels.Dim(0), s.Frames, s.Bins, 1)
}

// generatorParams returns the weights that generate, the correction included.
func generatorParams(c models.Checkpoint) (*nn.Params, error) {
	tensors := slices.Clone(c.Tensors)
	for i, x := range tensors {
		if x.Name == tensorCorrection && len(x.Shape) == 3 {
			tensors[i].Name, tensors[i].Shape = prefixModel+correctionName, []int{x.Shape[0], x.Shape[1] * x.Shape[2]}
		}
	}
	c.Tensors = tensors
	return state.Params(c, prefixModel)
}

// fitCorrection estimates the bias correction: it compares recordings with clips that the averaged generator makes without
// one.
func (l *Learner) fitCorrection(ctx context.Context, train models.Batch) error {
	size, k := train.T*train.F, l.shape.Labels
	l.correction = make([]float32, k*size)
	c, err := l.Checkpoint()
	if err != nil {
		return err
	}
	g, err := open(c)
	if err != nil {
		return err
	}
	var labels []int
	for range max(1, min(correctionClips, correctionAll/k)) {
		for label := range k {
			labels = append(labels, label)
		}
	}
	made, err := g.generate(ctx, labels, latent.Numbered(l.header.Seed^correctionSeed, len(labels)), g.config.Temperature)
	if err != nil {
		return err
	}
	recorded, counts := meanOfEach(train, k)
	drawn, drawnOf := meanOfEach(made, k)
	slope := slopeOfEach(made, k)
	for label, count := range counts {
		if count == 0 {
			continue
		}
		d := make([]float64, size)
		for i := range d {
			d[i] = recorded[label*size+i] - drawn[label*size+i]
		}
		clips := 1 / (1/float64(count) + 1/float64(drawnOf[label]))
		confidence := clips / (clips + correctionShrink)
		for i, coarse := range smoothed(d, train.T, train.F, coarsePasses) {
			m := slope[label*size+i]
			l.correction[label*size+i] = float32(confidence * (d[i] - coarse) * m / (m*m + leastSlope*leastSlope))
		}
	}
	return nil
}

// meanOfEach returns the mean clip of each of k labels, [k, T F], and of how many it is.
func meanOfEach(x models.Batch, k int) (means []float64, counts []int) {
	return eachLabel(x, k, func(v float64) float64 { return v })
}

// slopeOfEach returns the mean slope of the tanh that made the values of each label, [k, T F].
func slopeOfEach(x models.Batch, k int) []float64 {
	m, _ := eachLabel(x, k, func(v float64) float64 { return 1 - v*v })
	return m
}

// eachLabel returns the mean of f of the values of each of k labels, [k, T F], and of how many clips it is.
func eachLabel(x models.Batch, k int, f func(v float64) float64) (means []float64, counts []int) {
	size := x.T * x.F
	total, seen := make([]int, k), make([]int, k)
	for _, label := range x.Labels {
		total[label]++
	}
	means, counts = make([]float64, k*size), make([]int, k)
	for i, label := range x.Labels {
		stride := (total[label] + correctionReal - 1) / correctionReal
		if seen[label]++; seen[label]%stride != 0 {
			continue
		}
		counts[label]++
		for j, v := range x.Clip(i) {
			means[label*size+j] += f(float64(v))
		}
	}
	for i := range means {
		means[i] /= float64(max(1, counts[i/size]))
	}
	return means, counts
}

// smoothed averages the values of x [frames, bins] with their neighbours, [1 2 1] / 4 along both axes, so many times;
// edges are repeated.
func smoothed(x []float64, frames, bins, times int) []float64 {
	for range times {
		y := make([]float64, len(x))
		for i := range x {
			t, f := i/bins, i%bins
			for dt, a := range []float64{1, 2, 1} {
				row := min(max(t+dt-1, 0), frames-1) * bins
				for df, b := range []float64{1, 2, 1} {
					y[i] += a * b / 16 * x[row+min(max(f+df-1, 0), bins-1)]
				}
			}
		}
		x = y
	}
	return x
}

// correctionTensor returns the tensor that generatorParams reads.
func (l *Learner) correctionTensor() models.Tensor {
	return models.Tensor{Name: tensorCorrection, Shape: []int{l.shape.Labels, l.shape.Frames, l.shape.Bins}, Data: slices.Clone(l.correction)}
}

// restoreCorrection takes over what correctionTensor returned.
func (l *Learner) restoreCorrection(c models.Checkpoint) error {
	t, err := c.Tensor(tensorCorrection)
	if err != nil {
		return err
	}
	if n := l.shape.Labels * l.shape.Frames * l.shape.Bins; len(t.Data) != n {
		return fmt.Errorf("tensor %s has %d values, want %d", tensorCorrection, len(t.Data), n)
	}
	l.correction = slices.Clone(t.Data)
	return nil
}
