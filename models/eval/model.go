package eval

import (
	"context"
	"fmt"
	"math"
	"time"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/frontend"
)

// A model tells labels apart by the nearest mean spectrogram.
type model struct {
	front  *frontend.FrontEnd
	means  [][]float32 // [labels][T*F]
	labels int
}

func train(ctx context.Context, s *set, o Options) (*Classifier, error) {
	began := time.Now()
	m := &model{front: s.front, labels: len(s.labels)}
	n := s.train.T * s.train.F
	counts := make([]float32, m.labels)
	for range m.labels {
		m.means = append(m.means, make([]float32, n))
	}
	for i, l := range s.train.Labels {
		counts[l]++
		for j, v := range s.train.Clip(i) {
			m.means[l][j] += v
		}
	}
	for l, mean := range m.means {
		for j := range mean {
			mean[j] /= max(counts[l], 1)
		}
	}
	c := &Classifier{labels: s.labels, model: m, heldOut: HeldOut{Clips: s.heldOut.B}}
	for i, l := range s.heldOut.Labels {
		p := Prediction{Probs: [][]float64{m.probs(s.heldOut.Clip(i))}}
		if got, _ := p.Label(0); got == l {
			c.heldOut.Accuracy += 1 / float64(s.heldOut.B)
		}
	}
	if o.OnProgress != nil {
		o.OnProgress(Progress{Epoch: 1, Epochs: 1, Elapsed: time.Since(began)})
	}
	return c, ctx.Err()
}

// probs is the softmax of minus the mean squared distances.
func (m *model) probs(x []float32) []float64 {
	p := make([]float64, m.labels)
	var sum float64
	for l, mean := range m.means {
		var d float64
		for j, v := range x {
			d += float64((v - mean[j]) * (v - mean[j]))
		}
		p[l] = math.Exp(-100 * d / float64(len(x)))
		sum += p[l]
	}
	for l := range p {
		p[l] /= max(sum, 1e-300)
	}
	return p
}

func (m *model) predict(ctx context.Context, clips []audio.Clip) (Prediction, error) {
	b, err := analyze(m.front, clips)
	if err != nil {
		return Prediction{}, err
	}
	var p Prediction
	for i := range b.B {
		p.Probs = append(p.Probs, m.probs(b.Clip(i)))
		f := make([]float64, FeatureSize)
		for j, v := range b.Clip(i) {
			f[j%FeatureSize] += float64(v) / float64(b.T)
		}
		p.Features = append(p.Features, f)
	}
	return p, ctx.Err()
}

// Checkpoint returns the classifier as a self-describing checkpoint, to be opened with Open.
func (c *Classifier) Checkpoint() (models.Checkpoint, error) {
	cp := models.Checkpoint{
		Format: models.Format, Arch: Arch, FrontEnd: c.model.front.Config(), Labels: c.labels,
		Metrics: map[string]float64{"held_out/accuracy": c.heldOut.Accuracy, "held_out/clips": float64(c.heldOut.Clips)},
	}
	for l, mean := range c.model.means {
		cp.Tensors = append(cp.Tensors, models.Tensor{Name: fmt.Sprintf("mean/%d", l), Shape: []int{len(mean)}, Data: mean})
	}
	return cp, nil
}

func open(cp models.Checkpoint) (*Classifier, error) {
	front, err := frontend.New(cp.FrontEnd)
	if err != nil {
		return nil, err
	}
	m := &model{front: front, labels: len(cp.Labels)}
	for l := range cp.Labels {
		t, err := cp.Tensor(fmt.Sprintf("mean/%d", l))
		if err != nil {
			return nil, err
		}
		m.means = append(m.means, t.Data)
	}
	return &Classifier{labels: cp.Labels, model: m, heldOut: HeldOut{
		Clips: int(cp.Metrics["held_out/clips"]), Accuracy: cp.Metrics["held_out/accuracy"],
	}}, nil
}
