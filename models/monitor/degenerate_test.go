package monitor

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"wavemill/models"
)

// constant are n clips that all have one value.
func constant(n int, value float32) models.Batch {
	b := models.Batch{B: n, T: frames, F: frontEnd().Spectrogram.Bins()}
	b.Data = slices.Repeat([]float32{value}, b.B*b.T*b.F)
	for i := range n {
		b.Labels = append(b.Labels, i%len(labels()))
	}
	return b
}

// noisy are the clips with rounding errors, as those of one recording after another phase of the transform.
func noisy(b models.Batch, size float32) models.Batch {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range b.Data {
		b.Data[i] += size * (rng.Float32() - 0.5)
	}
	return b
}

// Recordings without variance have no covariance to compare with. The distance still falls as clips come nearer, and a
// warning says why the other figures are missing.
func TestEqualRecordings(t *testing.T) {
	for name, train := range map[string]models.Batch{"equal": constant(36, 0.2), "few": constant(3, 0.2), "rounded": noisy(constant(36, 0.2), 1e-6)} {
		w, err := New(train, constant(6, 0.2), labels(), frontEnd(), Options{Seed: 3})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		last := -1.0
		for _, made := range []models.Batch{constant(12, 0.2), noisy(constant(12, 0.2), 1e-6), constant(12, 0.1), constant(12, -0.5), recordings(12, 1)} {
			v, err := w.evaluate(made, models.Checkpoint{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			d, known := v.Metrics[Distance]
			if !known || math.IsNaN(d) || d < last-1e-9 {
				t.Errorf("%s: distance %g (known: %v) after %g", name, d, known, last)
			}
			last = min(d, 0.5)
			if !slices.ContainsFunc(v.Warnings, func(x models.Warning) bool { return x.Kind == KindRecordings }) {
				t.Errorf("%s: no warning among %v", name, v.Warnings)
			}
		}
	}
}

// One label's recordings are equal, the others' are not: the usual figures, without a panic for clips that are equal too.
func TestOneConstantLabel(t *testing.T) {
	b := edited(recordings(36, 1), 1, func(i int, clip []float32) {
		if i%3 == 0 {
			copy(clip, constant(1, 0.2).Data)
		}
	})
	w, err := New(b, models.Batch{}, labels(), frontEnd(), Options{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, made := range []models.Batch{constant(12, 0.2), noisy(constant(12, 0.2), 1e-7), b} {
		if v, err := w.evaluate(made, models.Checkpoint{}); err != nil || math.IsNaN(v.Metrics[Distance]) {
			t.Errorf("%v, %v", v, err)
		}
	}
}
