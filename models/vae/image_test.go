package vae

import (
	"math"
	"testing"
)

// A band that was one channel in the recording is one in every frame of a clip; another keeps its movement about its mean.
func TestOneChannelDoesNotMove(t *testing.T) {
	const frames, levels, bands = 5, 3, 4
	const bins = levels + 2*bands
	// Equal channels; a side 20 dB below the mid; panned, with no side but what panning makes; 0.6 dB to the left, which is heard.
	image := []float32{0, 0, -0.5, -0.02, -1, -0.65, -0.98, -1}
	p := &prior{latent: 1, labels: []mixture{{weight: []float32{0.5, 0.5}, image: append(make([]float32, 2*bands), image...)}}}
	clip := make([]float32, frames*bins)
	for i := range clip {
		clip[i] = 0.1 * float32(math.Sin(float64(i)))
	}
	was := append([]float32(nil), clip...)
	p.place(clip, bins, component{0, 1})
	for b := range 2 * bands {
		lo, hi := float32(2), float32(-2)
		for f := range frames {
			v := clip[f*bins+levels+b]
			lo, hi = min(lo, v), max(hi, v)
		}
		if steady := b%bands == 0; steady != (lo == hi) || steady && lo != image[b] {
			t.Errorf("value %d is from %g to %g; its mean is %g", b, lo, hi, image[b])
		}
	}
	for f := range frames {
		for i := range levels {
			if clip[f*bins+i] != was[f*bins+i] {
				t.Fatalf("level %d of frame %d has changed", i, f)
			}
		}
	}
}
