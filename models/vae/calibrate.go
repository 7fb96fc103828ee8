package vae

import (
	"context"
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/nn"
)

const (
	// calibrationLimit is about the largest number of training clips that the prior and the residual noise are fitted on.
	calibrationLimit = 16384
	// residualLimit is the largest number of training clips that the residual noise is measured on.
	residualLimit = 1024
	// calibrationBatch is the batch size of the graphs that calibrate.
	calibrationBatch = 64
)

// Calibrate implements models.Learner: it fits the prior on the latents of the training clips, and the residual noise.
func (l *Learner) Calibrate(ctx context.Context, train models.Batch) error {
	if err := l.shape.Check(ctx, train); err != nil {
		return fmt.Errorf("vae: %w", err)
	}
	train = l.withVariations(train, choose(train.Labels, l.shape.Labels, calibrationLimit))
	z := make([]float32, 0, train.B*l.config.Latent)
	var part models.Batch
	for of := range slices.Chunk(sequence(train.B), calibrationBatch) {
		part = train.Select(part, of)
		mean, err := l.encodeBatch(ctx, part)
		if err != nil {
			return err
		}
		z = append(z, mean...)
	}
	p, err := fitPrior(l.config, z, train.Labels, l.shape.Labels, l.header.Seed)
	if err != nil {
		return err
	}
	if bins := l.header.FrontEnd.Spectrogram.Image(); bins > 0 && l.config.Prior == PriorManifold {
		p.fitImages(train, bins)
	}
	r, err := l.fitResidualNoise(ctx, train, z)
	if err != nil {
		return err
	}
	l.prior, l.residual = p, r
	return nil
}

func sequence(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// choose returns the indices of about limit clips, or of all, with equally many of each label where there are enough.
func choose(labels []int, count, limit int) []int {
	seen := make([]int, count)
	var chosen []int
	for i, l := range labels {
		if len(labels) <= limit || seen[l] < limit/count {
			chosen = append(chosen, i)
		}
		seen[l]++
	}
	return chosen
}

// encodeBatch returns the posterior means of at most calibrationBatch clips, [B, Z], by the averaged weights. They are
// valid until another graph runs.
func (l *Learner) encodeBatch(ctx context.Context, x models.Batch) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := l.graphs.Get("encode", calibrationBatch, nn.Eval, l.weights.Average(), func(n *nn.Graph) *nn.Tensor {
		mean, _ := encoder(n, n.Input(inClips, calibrationBatch, l.shape.Frames, l.shape.Bins, 1), l.config)
		n.Output(outMean, mean)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	in := m.Input(inClips)
	clear(in[copy(in, x.Data):])
	if err := m.Run(); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	return m.Output(outMean)[:x.B*l.config.Latent], nil
}

// fitResidualNoise measures the difference between clips and what the decoder makes of their latents z.
func (l *Learner) fitResidualNoise(ctx context.Context, train models.Batch, z []float32) (*residualNoise, error) {
	size := train.T * train.F
	stride := (train.B + residualLimit - 1) / residualLimit
	n := train.B / stride
	means, err := l.decodeEvery(ctx, train.Labels, z, stride, n)
	if err != nil {
		return nil, err
	}
	s := newResidualStatistics(train.T, train.F)
	for k := range n {
		s.measure(train.Clip(k*stride), means[k*size:(k+1)*size])
	}
	r := s.noise()
	for k := range n {
		s.spectrum(r, train.Clip(k*stride), means[k*size:(k+1)*size])
	}
	s.finish(r)
	return r, nil
}

// decodeEvery decodes count of the latents z [B, Z], one every stride, [count, T F], by the averaged weights.
func (l *Learner) decodeEvery(ctx context.Context, labels []int, z []float32, stride, count int) ([]float32, error) {
	m, err := l.graphs.Get("decode", calibrationBatch, nn.Eval, l.weights.Average(), func(n *nn.Graph) *nn.Tensor {
		latents, labels := n.Input(inLatent, calibrationBatch, l.config.Latent), n.Input(inLabels, calibrationBatch)
		n.Output(outClips, decoder(n, latents, labels, l.shape, l.config))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	width, size := l.config.Latent, l.shape.Size()
	means := make([]float32, 0, count*size)
	batch, names := make([]float32, calibrationBatch*width), make([]int, calibrationBatch)
	for lo := 0; lo < count; lo += calibrationBatch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range calibrationBatch {
			k := min(lo+i, count-1) * stride
			copy(batch[i*width:], z[k*width:(k+1)*width])
			names[i] = labels[k]
		}
		if err := m.Run(nn.Values(inLatent, batch), nn.Labels(inLabels, names)); err != nil {
			return nil, fmt.Errorf("vae: %w", err)
		}
		means = append(means, m.Output(outClips)[:min(calibrationBatch, count-lo)*size]...)
	}
	return means, nil
}
