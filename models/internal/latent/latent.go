// Package latent names the random numbers that latents are drawn with, and estimates the mean latents of a label and the
// running moments of all.
// It alone defines how a request's seed becomes a generator of random numbers.
package latent

import (
	"math/rand/v2"
)

// A Stream identifies the random numbers of one clip. Number distinguishes streams of one seed; a clip of a
// models.Request has the number 0.
type Stream struct {
	Seed, Number uint64
}

// Of returns the streams of the clips of a request with those seeds.
func Of(seeds []uint64) []Stream {
	streams := make([]Stream, len(seeds))
	for i, seed := range seeds {
		streams[i].Seed = seed
	}
	return streams
}

// Numbered returns the first n streams of one seed. Estimates that are part of a checkpoint or of the bytes of a clip
// are drawn with these.
func Numbered(seed uint64, n int) []Stream {
	streams := make([]Stream, n)
	for i := range streams {
		streams[i] = Stream{seed, uint64(i)}
	}
	return streams
}

// Prior returns the random numbers for the latents.
func (s Stream) Prior() *rand.Rand { return rand.New(rand.NewPCG(s.Seed, 0x636c6970+s.Number)) }

// Residual returns the random numbers for noise that is added to a decoded spectrogram.
func (s Stream) Residual() *rand.Rand { return rand.New(rand.NewPCG(s.Seed, 0x74657874+s.Number)) }

// The draws that a label's mean is estimated with. The standard error is 1/sqrt(512) = 0.044 deviations of the label.
const (
	meanDraws = 512
	meanSeed  = 0x6d65616e
)

// Mean returns the mean of latents of width values, estimated from what draw returns for a fixed set of streams,
// [len(streams), width]. Drawing works for every kind of prior: Gaussians, mixtures, kernel densities and flows.
// The result is the same for every call with the same draw.
func Mean(width int, draw func([]Stream) ([]float32, error)) ([]float32, error) {
	z, err := draw(Numbered(meanSeed, meanDraws))
	if err != nil {
		return nil, err
	}
	sum := make([]float64, width)
	for i, v := range z {
		sum[i%width] += float64(v)
	}
	mean := make([]float32, width)
	for i, v := range sum {
		mean[i] = float32(v / meanDraws)
	}
	return mean, nil
}
