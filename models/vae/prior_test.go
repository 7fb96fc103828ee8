package vae

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/internal/latent"
	"wavemill/models/internal/shape"
)

// latents draws n latents of two labels: z = m + A e, with m shifted by 10 for the second label.
func latents(n int) (z []float32, labels []int, m []float64, cov [3][3]float64) {
	rng := rand.New(rand.NewPCG(5, 5))
	a := [3][3]float64{{2, 0, 0}, {1, 0.5, 0}, {-0.3, 0.2, 0.1}}
	m = []float64{1, -2, 0.5}
	for i := range n {
		labels = append(labels, i%2)
		e := []float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}
		for j := range 3 {
			v := m[j] + 10*float64(i%2)
			for k := range 3 {
				v += a[j][k] * e[k]
			}
			z = append(z, float32(v))
		}
	}
	for i := range 3 {
		for j := range 3 {
			for k := range 3 {
				cov[i][j] += a[i][k] * a[j][k]
			}
		}
	}
	return z, labels, m, cov
}

// draw appends latents of a label to dst, drawn from any of its components.
func (p *prior) draw(dst []float32, label int, rng *rand.Rand, temperature float64) []float32 {
	return p.drawFrom(dst, label, p.component(label, rng.Float64()), rng, temperature)
}

func TestPriorsHaveTheMomentsOfTheLatents(t *testing.T) {
	const n = 8000
	z, labels, m, cov := latents(n)
	for _, c := range []Config{
		{Latent: 3, Prior: PriorClassGaussian},
		{Latent: 3, Prior: PriorKDE, Bandwidth: 0.5},
		{Latent: 3, Prior: PriorKDE, Bandwidth: 0.1},
		{Latent: 3, Prior: PriorGMM, Components: 4},
	} {
		p, err := fitPrior(c, z, labels, 2, 1)
		if err != nil {
			t.Fatal(err)
		}
		for label := range 2 {
			var drawn []float32
			for i := range n {
				drawn = p.draw(drawn, label, latent.Stream{Seed: 7, Number: uint64(i)}.Prior(), 1)
			}
			mean, scatter := moments(drawn, slices.Collect(seq(n)), 3)
			for i := range 3 {
				if d := mean[i] - m[i] - 10*float64(label); math.Abs(d) > 0.08 {
					t.Errorf("%s, label %d: mean %d is off by %.3f", c.Prior, label, i, d)
				}
				for j := range 3 {
					if got, want := scatter.At(i, j)/(n-1), cov[i][j]; math.Abs(got-want) > 0.1*(1+math.Abs(want)) {
						t.Errorf("%s, label %d: covariance %d, %d is %.3f, want %.3f", c.Prior, label, i, j, got, want)
					}
				}
			}
		}
	}
	p, err := fitPrior(Config{Latent: 3, Prior: PriorClassGaussian}, z, labels, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range p.draw(nil, 0, latent.Stream{Seed: 7}.Prior(), 1e-9) {
		if math.Abs(float64(v)-m[i]) > 0.05 {
			t.Errorf("at temperature 0 latent %d is %.3f, want the mean %.3f", i, v, m[i])
		}
	}
}

func TestMixtureFindsItsComponents(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	centres := [][]float64{{0, 0}, {8, 0}, {0, 8}}
	var z []float32
	for i := range 600 {
		c := centres[[]int{0, 0, 0, 1, 1, 2}[i%6]]
		z = append(z, float32(c[0]+rng.NormFloat64()), float32(c[1]+0.5*rng.NormFloat64()))
	}
	p, err := fitPrior(Config{Latent: 2, Prior: PriorGMM, Components: 3}, z, make([]int, 600), 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	m := p.labels[0]
	for i, c := range centres {
		found := false
		for k, w := range m.weight {
			d := math.Hypot(float64(m.mean[2*k])-c[0], float64(m.mean[2*k+1])-c[1])
			found = found || d < 0.3 && math.Abs(float64(w)-float64(3-i)/6) < 0.02
		}
		if !found {
			t.Errorf("no component at %v of weight %d/6; there are %v of weights %v", c, 3-i, m.mean, m.weight)
		}
	}
	if math.Abs(float64(m.factor[0])-1) > 0.1 || math.Abs(float64(m.factor[3])-0.5) > 0.05 {
		t.Errorf("deviations %.2f and %.2f, want 1 and 0.5", m.factor[0], m.factor[3])
	}
	few, err := fitPrior(Config{Latent: 2, Prior: PriorGMM, Components: 3}, z[:2*25], make([]int, 25), 1, 3)
	if err != nil || len(few.labels[0].weight) != 1 {
		t.Errorf("25 clips: %d components, error %v; want 1", len(few.labels[0].weight), err)
	}
}

// Residual noise is measured on residuals of known strength and correlation, and reproduces them.
func TestResidualNoiseRepeatsItsMeasurement(t *testing.T) {
	const frames, bins, clips = 32, 16, 60
	rng := rand.New(rand.NewPCG(2, 2))
	// Strong in the upper half of the bins, twice as strong where the mean is high, correlated in time: each value is
	// half of the frame before it.
	truth := func(f int, m float32) float64 {
		d := 0.05
		if f >= bins/2 {
			d = 0.1
		}
		if m > 0 {
			d *= 2
		}
		return d
	}
	mean := make([]float32, frames*bins)
	for i := range mean {
		mean[i] = -0.5
		if i/bins >= frames/2 {
			mean[i] = 0.5
		}
	}
	draw := func() []float32 {
		clip := slices.Clone(mean)
		state := make([]float64, bins)
		for i := range clip {
			f := i % bins
			state[f] = 0.5*state[f] + math.Sqrt(1-0.25)*rng.NormFloat64()
			clip[i] += float32(truth(f, mean[i]) * state[f])
		}
		return clip
	}
	var data [][]float32
	r := newResidualStatistics(frames, bins)
	for range clips {
		data = append(data, draw())
		r.measure(data[len(data)-1], mean)
	}
	tx := r.noise()
	for _, clip := range data {
		r.spectrum(tx, clip, mean)
	}
	r.finish(tx)
	back, err := openResidualNoise(models.Checkpoint{Tensors: tx.tensors()}, shape.Shape{Frames: frames, Bins: bins})
	if err != nil {
		t.Fatal(err)
	}
	square := make([]float64, frames*bins)
	var lag, power float64
	fft := newTransform2D(frames, bins)
	for i := range 400 {
		clip := slices.Clone(mean)
		back.add(clip, rand.New(rand.NewPCG(9, uint64(i))), 1, fft)
		for j, v := range clip {
			d := float64(v-mean[j]) / truth(j%bins, mean[j])
			square[j] += d * d / 400
			if j >= bins {
				e := float64(clip[j-bins]-mean[j-bins]) / truth(j%bins, mean[j-bins])
				lag += d * e
				power += d * d
			}
		}
	}
	for _, part := range []struct{ t0, f0 int }{{2, 0}, {2, bins / 2}, {frames/2 + 2, 0}, {frames/2 + 2, bins / 2}} {
		var sum float64
		for dt := range frames/2 - 4 {
			for df := range bins / 2 {
				sum += square[(part.t0+dt)*bins+part.f0+df]
			}
		}
		if v := sum / float64((frames/2-4)*bins/2); math.Abs(math.Sqrt(v)-1) > 0.1 {
			t.Errorf("frames from %d, bins from %d: the deviation is %.2f of the true one", part.t0, part.f0, math.Sqrt(v))
		}
	}
	if c := lag / power; math.Abs(c-0.5) > 0.08 {
		t.Errorf("neighbouring frames correlate by %.2f, want 0.5", c)
	}
}

func TestPriorOfFewClips(t *testing.T) {
	z := []float32{0, 0, 1, 1, 5, 5, 7, 4} // label 0: two clips; label 1: one; label 2: one
	p, err := fitPrior(Config{Prior: PriorClassGaussian, Latent: 2}, z, []int{0, 0, 1, 2}, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	if one := p.labels[1]; !slices.Equal(one.mean, []float32{5, 5}) || one.factor[0] < 0.5 {
		t.Errorf("a single clip: mean %v, factor %v; want its own mean and the spread of the others", p.labels[1].mean, p.labels[1].factor)
	}
	if _, err := fitPrior(Config{Prior: PriorClassGaussian, Latent: 2}, z, []int{0, 0, 2, 2}, 3, 1); err == nil || !strings.Contains(err.Error(), "label 1 has no") {
		t.Errorf("a label without clips: error %v", err)
	}
}

func TestNormalPrior(t *testing.T) {
	c := trained(t, `{"channels":4,"latent":6,"embedding":4,"prior":"normal","texture":0}`, 3)
	f, err := c.Tensor(tensorFactor)
	if err != nil || f.Data[0] != 1 || f.Data[1] != 0 || f.Data[7] != 1 {
		t.Errorf("factor %v, error %v", f.Data[:8], err)
	}
}

func seq(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// TestManifoldStaysBetween draws with almost no noise between clips on a circle, which a Gaussian would leave.
func TestManifoldStaysBetween(t *testing.T) {
	const n = 240
	z := make([]float32, 0, 2*n)
	for i := range n {
		at := 2 * math.Pi * float64(i) / n
		z = append(z, float32(math.Cos(at)), float32(math.Sin(at)))
	}
	off := func(prior string) (worst float64) {
		c := Config{Prior: prior, Latent: 2, Bandwidth: 0.01, Neighbours: 16, Components: 1}
		p, err := fitPrior(c, z, make([]int, n), 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 500 {
			d := p.draw(nil, 0, latent.Stream{Seed: 1, Number: uint64(i)}.Prior(), 1)
			worst = max(worst, math.Abs(math.Hypot(float64(d[0]), float64(d[1]))-1))
		}
		return worst
	}
	if got := off(PriorManifold); got > 0.1 {
		t.Errorf("a draw between neighbours lies %.2f off the circle", got)
	}
	if got := off(PriorClassGaussian); got < 0.5 {
		t.Errorf("a Gaussian lies within %.2f of the circle: the comparison shows nothing", got)
	}
}

func TestNeighbourhoodsOfFewClips(t *testing.T) {
	for n, want := range map[int]int{1: 0, 2: 1, 5: 1, 36: 3, 5000: 16} {
		if got := Defaults().NeighboursOf(n); got != want {
			t.Errorf("%d clips: %d neighbours, want %d", n, got, want)
		}
	}
	p, err := fitPrior(Defaults(), make([]float32, Defaults().Latent), []int{0}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	p.draw(nil, 0, latent.Stream{Seed: 1}.Prior(), 1)
}
