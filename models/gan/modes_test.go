package gan

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

// kinds are clips of two labels, each of which has three kinds in shares of 1/2, 1/3 and 1/6: a loud stretch of frames
// that begins early, in the middle or late.
func kinds(n int) (b models.Batch, kind []int) {
	b = models.Batch{B: n, T: 32, F: 16}
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range n {
		label, k := i%2, [6]int{0, 1, 0, 2, 0, 1}[i/2%6]
		for t := range b.T {
			for f := range b.F {
				v := -1 + 0.1*rng.NormFloat64()
				if f/8 == label && t/8 == k {
					v++
				}
				b.Data = append(b.Data, float32(v))
			}
		}
		b.Labels, kind = append(b.Labels, label), append(kind, k)
	}
	return b, kind
}

func TestModesAreKinds(t *testing.T) {
	x, kind := kinds(120)
	m := newModes(shape.Shape{Frames: 32, Bins: 16, Labels: 2}, 3)
	if err := m.fit(x, 1); err != nil {
		t.Fatal(err)
	}
	of := m.of(nil, x)
	for i, mode := range of {
		if mode/3 != x.Labels[i] {
			t.Fatalf("a clip of label %d is of mode %d; each label has three", x.Labels[i], mode)
		}
		for j := range i {
			if same := kind[i] == kind[j] && x.Labels[i] == x.Labels[j]; same != (of[j] == mode) {
				t.Fatalf("clips %d and %d of kinds %d and %d are of modes %d and %d", i, j, kind[i], kind[j], mode, of[j])
			}
		}
	}
	for l := range 2 {
		w := slices.Sorted(slices.Values(m.weight[3*l : 3*l+3]))
		for i, want := range []float64{1. / 6, 1. / 3, 1. / 2} {
			if math.Abs(float64(w[i])-want) > 1e-6 {
				t.Errorf("label %d has modes of weights %v", l, w)
			}
		}
	}
	again := newModes(m.shape, 3)
	if err := again.fit(x, 1); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.centres, m.centres) {
		t.Error("the same seed finds other modes")
	}
}

// A label with few recordings has fewer modes, one without any has one.
func TestModesOfFewRecordings(t *testing.T) {
	x, _ := kinds(2 * 2 * clipsPerMode)
	for i := range x.Labels {
		if x.Labels[i] == 1 && i > clipsPerMode {
			x.Labels[i] = 0
		}
	}
	m := newModes(shape.Shape{Frames: 32, Bins: 16, Labels: 3}, 8)
	if err := m.fit(x, 1); err != nil {
		t.Fatal(err)
	}
	for l, want := range []int{3, 1, 1} {
		used := 0
		for _, w := range m.weight[8*l : 8*l+8] {
			if w > 0 {
				used++
			}
		}
		if used != want {
			t.Errorf("label %d with %d clips has %d modes, want %d", l, len(slices.DeleteFunc(slices.Clone(x.Labels), func(k int) bool { return k != l })), used, want)
		}
	}
}

// With other recordings, modes stay what they are and get other shares; kinds that are new get modes of their own.
func TestModesFollowOtherRecordings(t *testing.T) {
	x, kind := kinds(144)
	of := func(kinds ...int) models.Batch {
		var rows []int
		for i, k := range kind {
			if slices.Contains(kinds, k) {
				rows = append(rows, i)
			}
		}
		return x.Select(models.Batch{}, rows)
	}
	two := newModes(shape.Shape{Frames: 32, Bins: 16, Labels: 3}, 2)
	if err := two.fit(of(0, 1), 1); err != nil {
		t.Fatal(err)
	}
	m := newModes(two.shape, 3)
	for l := range 3 { // the modes of two kinds, and room for a third
		copy(m.centres[3*l*modeFeatures(m.shape):], two.centres[2*l*modeFeatures(m.shape):][:2*modeFeatures(m.shape)])
		copy(m.weight[3*l:], two.weight[2*l:][:2])
	}
	before := m.of(nil, x)
	m.refit(x, 1)
	after := m.of(nil, x)
	for i, k := range kind {
		switch {
		case k < 2 && after[i] != before[i]:
			t.Fatalf("a clip of kind %d was of mode %d and is of mode %d", k, before[i], after[i])
		case k == 2 && after[i]%3 != 2:
			t.Fatalf("a clip of a new kind is of mode %d, want the label's third", after[i])
		}
	}
	for l := range 2 {
		w := slices.Sorted(slices.Values(m.weight[3*l : 3*l+3]))
		for i, want := range []float64{1. / 6, 1. / 3, 1. / 2} {
			if math.Abs(float64(w[i])-want) > 1e-6 {
				t.Errorf("label %d has modes of weights %v", l, w)
			}
		}
	}
	if w := m.weight[6:]; w[0] != 1 || w[1] != 0 || w[2] != 0 {
		t.Errorf("a label without recordings has modes of weights %v", w)
	}
	// Fewer recordings again: no mode is forgotten that the networks know, and none is asked for that has no recordings.
	m.refit(of(1), 1)
	if again := m.of(nil, of(1)); again[0] != before[slices.Index(kind, 1)] || m.weight[again[0]] != 1 {
		t.Errorf("the one kind that is left is of mode %d with weights %v", again[0], m.weight[:3])
	}
}

// Equal recordings are no reason to fail.
func TestModesOfEqualRecordings(t *testing.T) {
	x := models.Batch{B: 64, T: 32, F: 16, Data: make([]float32, 64*32*16), Labels: make([]int, 64)}
	m := newModes(shape.Shape{Frames: 32, Bins: 16, Labels: 1}, 4)
	if err := m.fit(x, 1); err != nil {
		t.Fatal(err)
	}
	if of := m.of(nil, x); slices.Max(of) != slices.Min(of) || m.weight[of[0]] != 1 {
		t.Errorf("equal clips are of modes %v with weights %v", of, m.weight)
	}
}

// Latents lie around the places of the modes, as many around each as its share, and depend on their number alone.
func TestLatentsOfModes(t *testing.T) {
	m := mixture{latent: 2, each: 3, mean: []float32{0, 0, 0, 0, 0, 0, 100, 0, 0, 100, 500, 500}, weight: []float32{1, 0, 0, .25, .75, 0}}
	const n = 4000
	var count [3]int
	for i := range n {
		z := m.draw(nil, 1, latent.Stream{Seed: 7, Number: uint64(i)}.Prior(), 0.5)
		switch {
		case math.Hypot(float64(z[0])-100, float64(z[1])) < 5:
			count[0]++
		case math.Hypot(float64(z[0]), float64(z[1])-100) < 5:
			count[1]++
		default:
			count[2]++
		}
		if again := m.draw([]float32{1, 2}, 1, latent.Stream{Seed: 7, Number: uint64(i)}.Prior(), 0.5)[2:]; !slices.Equal(again, z) {
			t.Fatalf("clip %d is drawn at %v and %v", i, z, again)
		}
		if i < 10 { // the same noise under another label
			other := m.draw(nil, 0, latent.Stream{Seed: 7, Number: uint64(i)}.Prior(), 0.5)
			if d := z[0] + z[1] - other[0] - other[1]; math.Abs(float64(d)-100) > 1e-3 {
				t.Errorf("clip %d is drawn at %v under one label, %v under another", i, z, other)
			}
		}
	}
	if math.Abs(float64(count[0])/n-.25) > 0.03 || count[2] != 0 {
		t.Errorf("of %d latents %v lie around the modes of weights .25 and .75 and elsewhere", n, count)
	}
}

// A generator with modes generates each in proportion to its recordings.
func TestMakesEveryKind(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for some seconds")
	}
	x, _ := kinds(120)
	l := learner(t, `{"channels": 8, "modes": 3, "latent": 8, "generator_rate": 1e-3, "discriminator_rate": 2e-3, "average": 0.9, "augment": {"frames": 0, "cutout": 0}}`)
	if err := l.FitModes(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(2, 2))
	for i := range 60 {
		var rows []int
		for j := range 32 {
			rows = append(rows, (32*i+j)%x.B)
		}
		if _, err := l.Step(t.Context(), x.Select(models.Batch{}, rows), rng); err != nil {
			t.Fatal(err)
		}
	}
	const n = 300
	made, err := opened(t, l).Generate(t.Context(), models.Series(slices.Repeat([]int{0, 1}, n/2), 5, 0))
	if err != nil {
		t.Fatal(err)
	}
	share := make([]float64, len(l.modes.weight))
	for _, mode := range l.modes.of(nil, made) {
		share[mode] += 2. / n
	}
	t.Logf("made %.2f, recorded %.2f", share, l.modes.weight)
	for k, w := range l.modes.weight {
		if math.Abs(share[k]-float64(w)) > 0.12 {
			t.Errorf("mode %d: %.2f of the label's clips are of it, and %.2f of its recordings", k, share[k], w)
		}
	}
}

func TestOpenRefusesBadModes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*models.Checkpoint)
		want   string
	}{
		"no places":  {func(c *models.Checkpoint) { drop(c, tensorMean) }, tensorMean},
		"no weights": {func(c *models.Checkpoint) { drop(c, tensorWeight) }, tensorWeight},
		"too few": {func(c *models.Checkpoint) {
			for i := range c.Tensors {
				if t := &c.Tensors[i]; t.Name == tensorWeight {
					t.Shape, t.Data = []int{2}, t.Data[:2]
				}
			}
		}, "2 weights"},
	} {
		t.Run(name, func(t *testing.T) {
			cp := made(t, `{"channels": 4, "modes": 2}`, 1)
			if _, err := Open(cp); err != nil {
				t.Fatal(err)
			}
			c.change(&cp)
			if _, err := Open(cp); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one of %q", err, c.want)
			}
		})
	}
}

func drop(c *models.Checkpoint, name string) {
	c.Tensors = slices.DeleteFunc(c.Tensors, func(t models.Tensor) bool { return t.Name == name })
}
