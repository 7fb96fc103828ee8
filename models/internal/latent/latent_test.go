package latent_test

import (
	"errors"
	"testing"

	"wavemill/models/internal/latent"
)

// TestStreams compares the first numbers with those that the clips of earlier checkpoints were drawn from.
func TestStreams(t *testing.T) {
	s := latent.Of([]uint64{7, 8})[0]
	if got, want := s.Prior().Uint64(), uint64(0x7f4c6bfffb3d0a41); got != want {
		t.Errorf("the first number of the prior of seed 7 is %#x, want %#x", got, want)
	}
	if got, want := s.Residual().Uint64(), uint64(0x577f7ab8255d0c86); got != want {
		t.Errorf("the first number of the residual noise of seed 7 is %#x, want %#x", got, want)
	}
	seen := map[uint64]bool{}
	for _, s := range append(latent.Numbered(7, 3), latent.Stream{Seed: 8}) {
		seen[s.Prior().Uint64()], seen[s.Residual().Uint64()] = true, true
	}
	if len(seen) != 8 {
		t.Errorf("8 streams begin with %d different numbers", len(seen))
	}
}

func TestMean(t *testing.T) {
	draw := func(streams []latent.Stream) ([]float32, error) {
		var z []float32
		for _, s := range streams {
			z = append(z, float32(s.Number), 3)
		}
		return z, nil
	}
	if got, err := latent.Mean(2, draw); err != nil || got[0] != 255.5 || got[1] != 3 {
		t.Errorf("mean %v, error %v", got, err)
	}
	failed := errors.New("failed")
	if _, err := latent.Mean(2, func([]latent.Stream) ([]float32, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
}
