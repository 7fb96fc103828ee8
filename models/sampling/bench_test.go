package sampling_test

import (
	"testing"
	"time"

	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/modeltest"
	"wavemill/models/sampling"
)

// BenchmarkClip makes one clip after the other, from label to WAV, with a network of default size.
func BenchmarkClip(b *testing.B) {
	for _, arch := range architectures.Names() {
		b.Run(arch, func(b *testing.B) {
			fe := frontend.Plan([]int{8000}, []time.Duration{time.Second})
			labels := []string{"one", "two"}
			learner, err := architectures.NewLearner(arch, nil, fe, labels, 1)
			if err != nil {
				b.Fatal(err)
			}
			data := modeltest.Clips(32, fe.Frames, fe.Spectrogram.Bins(), len(labels), 1)
			c, err := (&models.Trainer{Steps: 2, BatchSize: 16, Seed: 1}).Run(b.Context(), learner, data, models.Batch{})
			if err != nil {
				b.Fatal(err)
			}
			m, err := sampling.Open(c)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			seed := uint64(0)
			for b.Loop() {
				clip, err := m.Generate(b.Context(), sampling.Provenance{Label: labels[seed%2], Seed: seed})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := clip.WAV(wav.PCM16); err != nil {
					b.Fatal(err)
				}
				seed++
			}
		})
	}
}
