package spectrogram

import (
	"math"
	"math/rand/v2"
	"testing"
)

func benchNoise(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64()) * 0.1
	}
	return x
}

func benchConfig() Config {
	return Config{
		SampleRate: 8000, NFFT: 256, Hop: 64, Window: WindowHann, Scale: ScaleMel, Mels: 64, FMin: 20, FMax: 4000,
		Value: ValueLogPower, Floor: 1e-6,
	}
}

func BenchmarkLogMel(b *testing.B) {
	t, err := New(benchConfig())
	if err != nil {
		b.Fatal(err)
	}
	x := benchNoise(8000)
	var s *Spectrogram
	b.ReportAllocs()
	for b.Loop() {
		if s, err = t.Forward(s, x); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSTFTAndBack(b *testing.B) {
	t, err := New(benchConfig())
	if err != nil {
		b.Fatal(err)
	}
	x := benchNoise(8000)
	var s []complex64
	b.ReportAllocs()
	for b.Loop() {
		s = t.STFT(s, x)
		x = t.ISTFT(x, s, len(x))
	}
}

func BenchmarkReconstruct(b *testing.B) {
	c := benchConfig()
	x := benchNoise(8000)
	for _, scale := range []string{ScaleLinear, ScaleMel} {
		c.Scale = scale
		t, err := New(c)
		if err != nil {
			b.Fatal(err)
		}
		s, err := t.Forward(nil, x)
		if err != nil {
			b.Fatal(err)
		}
		for _, method := range []string{MethodGriffinLim, MethodPGHI, MethodPGHIFGLA} {
			b.Run(scale+"/"+method, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := t.Reconstruct(s, len(x), Phase{Method: method}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkOneShot makes one second of sound at 44.1 kHz from features.
func BenchmarkOneShot(b *testing.B) {
	t, err := New(OneShot(44100))
	if err != nil {
		b.Fatal(err)
	}
	cymbal := t.shot.mixed(0.9, 1, 1)
	for i := range cymbal {
		cymbal[i] *= float32(0.1 * math.Exp(-float64(i)/(0.3*shotRate)))
	}
	for name, x := range map[string][]float32{"tone": struck(60, 0.2, 1, 1), "cymbal": cymbal} {
		s, err := t.Forward(nil, x)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := t.Reconstruct(s, 44100, Phase{Seed: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMel makes one second of sound at 44.1 kHz from mel features with the phase reconstruction that is planned.
func BenchmarkMel(b *testing.B) {
	t, err := New(Default(44100))
	if err != nil {
		b.Fatal(err)
	}
	s, err := t.Forward(nil, benchNoise(44100))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := t.Reconstruct(s, 44100, Phase{Method: MethodMixed, Seed: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
