package sampling_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/dsp/fourier"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/sampling"
)

// organLabels are the labels of an organ: a held tone, held noise, and a struck tone.
var organLabels = []string{"tone", "wind", "pluck"}

// organLatents is the number of latent variables: pitch, brightness, and the levels of six partials or bands.
const organLatents = 8

// In two channels, the left is louder by this many dB, and by one more for each unit of the second latent variable.
const organPan = 6

// An organ is a generator with latents whose clips are known: the spectrograms of sounds made from formulas, a tone of
// about 220 Hz, of noise or of a plucked string.
type organ struct {
	front *frontend.FrontEnd
	n     int // samples of a clip
	rate  int
}

func (g *organ) Latent() int { return organLatents }

func (g *organ) Draw(r models.Request) ([]float32, error) {
	var z []float32
	for _, seed := range r.Seeds {
		rng := rand.New(rand.NewPCG(seed, 1))
		for range organLatents {
			z = append(z, float32(rng.NormFloat64()))
		}
	}
	return z, nil
}

func (g *organ) LabelMean(int) ([]float32, error) { return make([]float32, organLatents), nil }

func (g *organ) Generate(ctx context.Context, r models.Request) (models.Batch, error) {
	z, err := g.Draw(r)
	if err != nil {
		return models.Batch{}, err
	}
	return g.Blend(ctx, z, r.Labels, r.Labels, make([]float64, len(r.Labels)), r)
}

func (g *organ) Blend(_ context.Context, latents []float32, a, _ []int, _ []float64, r models.Request) (models.Batch, error) {
	frames, bins := g.front.Shape()
	out := models.Batch{B: len(a), T: frames, F: bins, Labels: slices.Clone(a)}
	for i, label := range a {
		s, _, err := g.front.Analyze(g.sound(organLabels[label], latents[i*organLatents:(i+1)*organLatents], r.Seeds[i]))
		if err != nil {
			return models.Batch{}, err
		}
		out.Data = append(out.Data, s.Data...)
	}
	return out, nil
}

// sound makes the sound of latents.
func (g *organ) sound(label string, z []float32, seed uint64) audio.Clip {
	rng := rand.New(rand.NewPCG(seed, 2))
	hz := 220 * math.Exp2(float64(z[0])/12/4) // a quarter of a semitone is a standard deviation
	c := audio.Clip{Channels: 1, Rate: g.rate, Samples: make([]float32, g.n)}
	low := 0.0
	for i := range c.Samples {
		t := float64(i) / float64(g.rate)
		rise, fall := min(1, t/0.04), min(1, (float64(g.n)/float64(g.rate)-t)/0.06)
		v := 0.002 * rng.NormFloat64()
		for k := range 6 {
			level := 0.2 * math.Exp(0.4*float64(z[2+k])) / float64(k+1)
			if label == "pluck" {
				level *= math.Exp(-6 * t * float64(k+1))
			}
			if label != "wind" {
				v += level * math.Sin(2*math.Pi*hz*float64(k+1)*t+float64(k*k))
			}
		}
		if label == "wind" {
			low += 0.3 * (0.3*rng.NormFloat64() - low)
			v = low
		}
		c.Samples[i] = float32(v * rise * fall)
	}
	if g.front.Channels() == 2 {
		right := audio.Amplitude(-organPan - float64(z[1]))
		both := make([]float32, 0, 2*g.n)
		for _, v := range c.Samples {
			both = append(both, v, float32(right)*v)
		}
		c.Samples, c.Channels = both, 2
	}
	return c
}

// organSampler returns a sampler of an organ with clips of 0.8 s in one channel.
func organSampler(t testing.TB) *sampling.Sampler {
	t.Helper()
	return organOf(t, 0)
}

// organOf returns one with that many channels as a spectrogram.Config has them.
func organOf(t testing.TB, channels int) *sampling.Sampler {
	t.Helper()
	const rate = 16000
	fe := frontend.Plan([]int{rate}, []time.Duration{800 * time.Millisecond})
	fe.Spectrogram.Channels = channels
	front, err := frontend.New(fe)
	if err != nil {
		t.Fatal(err)
	}
	c := models.Checkpoint{Format: models.Format, Arch: "organ", FrontEnd: fe, Labels: organLabels, Step: 1}
	s, err := sampling.OpenWith(c, func(models.Checkpoint) (models.Generator, error) {
		return &organ{front, int(0.8 * rate), rate}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var _ models.Blender = (*organ)(nil)

// flux is the spectral flux of a sound: for each step of 8 ms the mean absolute change of the levels, in dB, of bands of
// frames of 32 ms, and the place of each step in samples. Bands far below the loudest do not count.
func flux(x []float32, rate int) (change []float64, at []int) {
	size, hop := rate*32/1000, rate*8/1000
	fft := fourier.NewFFT(size)
	var before []float64
	for start := 0; start+size <= len(x); start += hop {
		bands := bandLevels(fft, x[start:start+size], 24)
		if before != nil {
			sum := 0.0
			for b, v := range bands {
				sum += math.Abs(v - before[b])
			}
			change, at = append(change, sum/float64(len(bands))), append(at, start+size/2-hop/2)
		}
		before = bands
	}
	return change, at
}

// bandLevels are the levels in dB of equal bands of a windowed frame, above a floor of -50 dB below the loudest.
func bandLevels(fft *fourier.FFT, x []float32, bands int) []float64 {
	windowed := make([]float64, len(x))
	for i, v := range x {
		windowed[i] = (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(x)))) * float64(v)
	}
	power := make([]float64, bands)
	per := len(x) / 2 / bands
	for k, c := range fft.Coefficients(nil, windowed)[:per*bands] {
		power[k/per] += real(c)*real(c) + imag(c)*imag(c)
	}
	top := slices.Max(power)
	for b, p := range power {
		power[b] = 10 * math.Log10(max(p, top*1e-5)+1e-12)
	}
	return power
}

// valueAt is a quantile of x.
func valueAt(x []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

// near are the values whose place is within so many samples of one of the places, and the others.
func near(values []float64, at, places []int, within int) (close, others []float64) {
	for i, v := range values {
		if slices.ContainsFunc(places, func(p int) bool { return at[i] >= p-within && at[i] <= p+within }) {
			close = append(close, v)
		} else {
			others = append(others, v)
		}
	}
	return close, others
}
