package flow

import (
	"math"
	"math/rand/v2"
	"testing"

	"wavemill/models"
	"wavemill/models/modeltest"
)

// TestLearnsLabels trains a small model until its clips are nearest to the mean clip of their own label, and compares
// temperatures.
func TestLearnsLabels(t *testing.T) {
	data := modeltest.Clips(48, 32, 16, len(labels), 2)
	l := learner(t, `{"channels": 8, "latent_channels": 2, "flow_channels": 16, "flow_updates": 1, "shift": 0, "average": 0.98, "share": 1, "guidance": 1, "temperature": 1}`)
	const steps = 150
	l.SetTotalSteps(steps)
	random := rng(9)
	for range steps {
		if _, err := l.Step(t.Context(), data, random); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Calibrate(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	g := open(t, save(t, l))
	means := labelMeans(data)
	r := models.Series(make([]int, 60), 1, 0)
	for i := range r.Labels {
		r.Labels[i] = i % len(labels)
	}
	made, err := g.Generate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, label := range made.Labels {
		if nearest(made.Clip(i), means) == label {
			right++
		}
	}
	if right < 54 {
		t.Errorf("%d of 60 clips are nearest to the mean of their label", right)
	}
	r.Temperature = 0.3
	calm, err := g.Generate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := spread(calm), spread(made); !(a < 0.9*b) {
		t.Errorf("the clips of a label deviate by %g at a temperature of 0.3, by %g at 1", a, b)
	}
	reconstructs(t, g, data)
}

// reconstructs checks that decoded latents are like the clips that were encoded, and that label means are means of latents.
func reconstructs(t *testing.T, g *Generator, data models.Batch) {
	t.Helper()
	z, _, err := g.Encode(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	back, err := g.Decode(t.Context(), z, data.Labels)
	if err != nil {
		t.Fatal(err)
	}
	if mse, of := meanSquare(back.Data, data.Data), meanSquare(make([]float32, len(data.Data)), data.Data); mse > 0.1*of {
		t.Errorf("reconstructions have a squared error of %g of %g", mse, of)
	}
	for label, want := range labelMeans(models.Batch{B: data.B, T: 1, F: g.Latent(), Data: z, Labels: data.Labels}) {
		mean, err := g.LabelMean(label)
		if err != nil {
			t.Fatal(err)
		}
		if d := meanSquare(mean, want); d > 1e-8 {
			t.Errorf("the mean latents of label %d are off by %g", label, math.Sqrt(d))
		}
	}
}

// labelMeans returns the mean clip of each label.
func labelMeans(x models.Batch) [][]float32 {
	sums, counts := make([][]float64, len(labels)), make([]float64, len(labels))
	for i := range x.B {
		if sums[x.Labels[i]] == nil {
			sums[x.Labels[i]] = make([]float64, x.T*x.F)
		}
		counts[x.Labels[i]]++
		for j, v := range x.Clip(i) {
			sums[x.Labels[i]][j] += float64(v)
		}
	}
	out := make([][]float32, len(sums))
	for label, sum := range sums {
		for _, v := range sum {
			out[label] = append(out[label], float32(v/counts[label]))
		}
	}
	return out
}

func nearest(clip []float32, means [][]float32) int {
	best := 0
	for i, m := range means {
		if meanSquare(clip, m) < meanSquare(clip, means[best]) {
			best = i
		}
	}
	return best
}

func meanSquare(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]-b[i]) * float64(a[i]-b[i])
	}
	return sum / float64(len(a))
}

// spread returns the mean squared distance of clips from the mean of their label.
func spread(x models.Batch) float64 {
	means, sum := labelMeans(x), 0.0
	for i := range x.B {
		sum += meanSquare(x.Clip(i), means[x.Labels[i]])
	}
	return sum / float64(x.B)
}

// TestSampling compares the description of the sampling with the generator's.
func TestSampling(t *testing.T) {
	l := learner(t, small)
	train(t, l, 1, rand.NewPCG(1, 1))
	c := save(t, l)
	s, err := Architecture().Sampling(c)
	if err != nil {
		t.Fatal(err)
	}
	if s.Latent != open(t, c).Latent() || s.Latent != 4*2*2 || s.Steps != 2 || s.Temperature != 1 || s.Prior != Prior {
		t.Errorf("%+v", s)
	}
}
