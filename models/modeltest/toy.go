package modeltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"wavemill/models"
	"wavemill/models/architecture"
)

// ToyArch is the name of the architecture that Toy describes.
const ToyArch = "toy"

// Toy describes the smallest architecture that can be trained, resumed, opened and sized: the mean spectrogram of each
// label plus white noise. It has no networks, no discriminator and no latents. Tests use it to show that an architecture
// needs nothing beyond its description.
func Toy() architecture.Architecture {
	return architecture.Architecture{
		Name: ToyArch, Title: "mean of each label", Defaults: toyConfig{Channels: 8}, New: newToy, Open: openToy,
		Discriminator: architecture.NoDiscriminator, Networks: architecture.NoNetworks, Sampling: architecture.NoSampling,
		Few: architecture.Unchanged, WithLatent: architecture.NoEncoder,
		Sizing: architecture.Sizing{Width: []string{"channels"}, Share: 1, LeastSteps: 10},
	}
}

// toyConfig is the configuration. Channels is the number of bands of bins that have a noise level of their own.
type toyConfig struct {
	Channels int `json:"channels"`
}

// toyRate is the share of the distance to a batch's mean that a step moves by.
const toyRate = 0.1

// A toy is the learner and the generator.
type toy struct {
	config  toyConfig
	fe      models.FrontEnd
	labels  []string
	seed    uint64
	steps   int64
	planned int64
	mean    []float32 // [labels, T, F]
	square  []float32 // [labels, channels]: mean squared deviation
}

func newToyModel(config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (*toy, error) {
	l := &toy{config: toyConfig{Channels: 8}, fe: fe, labels: labels, seed: seed}
	if len(config) > 0 {
		if err := json.Unmarshal(config, &l.config); err != nil {
			return nil, fmt.Errorf("toy: config: %w", err)
		}
	}
	if l.config.Channels < 1 || l.config.Channels > 4096 || len(labels) == 0 || fe.Frames < 1 || fe.Spectrogram.Bins() < 1 {
		return nil, errors.New("toy: config: channels must be between 1 and 4096, and there must be labels, frames and bins")
	}
	l.mean = make([]float32, len(labels)*l.size())
	l.square = make([]float32, len(labels)*l.config.Channels)
	rng := rand.New(rand.NewPCG(seed, 0x746f79))
	for i := range l.mean {
		l.mean[i] = float32(rng.Float64() - 0.5)
	}
	return l, nil
}

func newToy(config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error) {
	return newToyModel(config, fe, labels, seed)
}

func openToy(c models.Checkpoint) (models.Generator, error) {
	if c.Arch != ToyArch {
		return nil, fmt.Errorf("toy: the checkpoint is of architecture %q", c.Arch)
	}
	l, err := newToyModel(c.Config, c.FrontEnd, c.Labels, c.Seed)
	if err != nil {
		return nil, err
	}
	return l, l.Restore(c)
}

func (l *toy) size() int { return l.fe.Frames * l.fe.Spectrogram.Bins() }

// band returns the index among a label's bands of value i of a clip.
func (l *toy) band(i int) int {
	bins := l.fe.Spectrogram.Bins()
	return i % bins * l.config.Channels / bins
}

func (l *toy) SetTotalSteps(steps int64) { l.planned = steps }

func (l *toy) check(ctx context.Context, x models.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := x.Validate(len(l.labels)); err != nil {
		return fmt.Errorf("toy: %w", err)
	}
	if x.T != l.fe.Frames || x.F != l.fe.Spectrogram.Bins() {
		return fmt.Errorf("toy: clips of [%d, %d]; the model is for [%d, %d]", x.T, x.F, l.fe.Frames, l.fe.Spectrogram.Bins())
	}
	return nil
}

func (l *toy) Step(ctx context.Context, x models.Batch, _ *rand.Rand) (models.Losses, error) {
	losses, err := l.Eval(ctx, x)
	if err != nil {
		return nil, err
	}
	bands := float32(l.size()) / float32(l.config.Channels)
	for i, label := range x.Labels {
		mean, square := l.mean[label*l.size():][:l.size()], l.square[label*l.config.Channels:][:l.config.Channels]
		for k := range square {
			square[k] *= 1 - toyRate
		}
		for j, v := range x.Clip(i) {
			d := v - mean[j]
			mean[j] += toyRate * d
			square[l.band(j)] += toyRate * d * d / bands
		}
	}
	l.steps++
	return losses, nil
}

func (l *toy) Eval(ctx context.Context, x models.Batch) (models.Losses, error) {
	if err := l.check(ctx, x); err != nil {
		return nil, err
	}
	var sum float64
	for i, label := range x.Labels {
		for j, v := range x.Clip(i) {
			d := float64(v - l.mean[label*l.size()+j])
			sum += d * d
		}
	}
	return models.Losses{"mse": sum / float64(len(x.Data))}, nil
}

func (l *toy) Calibrate(context.Context, models.Batch) error { return nil }

// Names of the toy's tensors.
const (
	toyMean   = "model/mean"
	toySquare = "model/square"
)

func (l *toy) Checkpoint() (models.Checkpoint, error) {
	config, err := json.Marshal(l.config)
	return models.Checkpoint{
		Format: models.Format, Arch: ToyArch, Config: config, FrontEnd: l.fe, Labels: l.labels, Seed: l.seed, Step: l.steps, Planned: l.planned,
		Tensors: []models.Tensor{
			{Name: toyMean, Shape: []int{len(l.labels), l.fe.Frames, l.fe.Spectrogram.Bins()}, Data: slices.Clone(l.mean)},
			{Name: toySquare, Shape: []int{len(l.labels), l.config.Channels}, Data: slices.Clone(l.square)},
		},
	}, err
}

func (l *toy) Restore(c models.Checkpoint) error {
	mean, err := c.Tensor(toyMean)
	if err != nil {
		return err
	}
	square, err := c.Tensor(toySquare)
	if err != nil {
		return err
	}
	if len(mean.Data) != len(l.mean) || len(square.Data) != len(l.square) {
		return fmt.Errorf("toy: tensors of shapes %v and %v do not fit the model", mean.Shape, square.Shape)
	}
	l.mean, l.square = slices.Clone(mean.Data), slices.Clone(square.Data)
	l.seed, l.steps, l.planned = c.Seed, c.Step, c.Planned
	return nil
}

// Generate implements models.Generator.
func (l *toy) Generate(ctx context.Context, r models.Request) (models.Batch, error) {
	if err := r.Validate(len(l.labels)); err != nil {
		return models.Batch{}, fmt.Errorf("toy: %w", err)
	}
	temperature := r.Temperature
	if temperature == 0 {
		temperature = 1
	}
	b := models.Batch{B: len(r.Labels), T: l.fe.Frames, F: l.fe.Spectrogram.Bins(), Labels: slices.Clone(r.Labels)}
	for i, label := range r.Labels {
		if err := ctx.Err(); err != nil {
			return models.Batch{}, err
		}
		rng := rand.New(rand.NewPCG(r.Seeds[i], 0x746f79))
		for j, m := range l.mean[label*l.size():][:l.size()] {
			deviation := math.Sqrt(float64(l.square[label*l.config.Channels+l.band(j)]))
			b.Data = append(b.Data, float32(min(max(float64(m)+temperature*deviation*rng.NormFloat64(), -1), 1)))
		}
	}
	return b, nil
}
