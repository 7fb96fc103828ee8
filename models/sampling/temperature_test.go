package sampling_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"wavemill/models/sampling"
)

func TestTemperature(t *testing.T) {
	if got, err := sampling.Temperature(nil); err != nil || got != 0 {
		t.Errorf("none requested: %g, error %v, want 0", got, err)
	}
	for requested, want := range map[float64]float64{0: sampling.NoNoise, 1e-20: sampling.NoNoise, 0.5: 0.5, 10: 10} {
		if got, err := sampling.Temperature(&requested); err != nil || got != want {
			t.Errorf("%g requested: %g, error %v, want %g", requested, got, err, want)
		}
	}
	for _, requested := range []float64{-1, -1e-9, 10.5, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got, err := sampling.Temperature(&requested); err == nil {
			t.Errorf("%g requested: %g and no error", requested, got)
		}
	}
}

// TestNoNoise checks that a requested temperature of 0 is not the default's clip, that seeds hardly matter without noise,
// and that the file regenerates.
func TestNoNoise(t *testing.T) {
	s := learned(t, "gan", 30)
	quiet := func(seed uint64) sampling.Provenance {
		return sampling.Provenance{Label: "chirp", Seed: seed, Temperature: sampling.NoNoise}
	}
	_, still := generated(t, s, quiet(7))
	_, usual := generated(t, s, sampling.Provenance{Label: "chirp", Seed: 7})
	if bytes.Equal(still, usual) {
		t.Error("a temperature of 0 gives the bytes of the default")
	}
	p, _ := provenanceOf(t, still)
	if _, again := generated(t, s, p); p.Temperature != sampling.NoNoise || !bytes.Equal(still, again) {
		t.Errorf("the file has the temperature %g, and does not give the same bytes again", p.Temperature)
	}
	// A GAN has up to 8 modes for a label. The seed chooses the mode and, without noise, nothing else.
	var different [][]float32
	for seed := range uint64(20) {
		x := spectrogram(t, s, quiet(seed))
		if !slices.ContainsFunc(different, func(y []float32) bool { return apart(x, y) < 1e-5 }) {
			different = append(different, x)
		}
	}
	if len(different) > 8 {
		t.Errorf("20 seeds without noise give %d different clips", len(different))
	}
}
