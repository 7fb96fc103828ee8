package spectrogram

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const shotRate = 44100

// struck is a tone that begins about 12 ms after silence and decays by a factor of e in each decay seconds, with noise. Its
// peak is 0.5, and its attack lies in the middle of a frame.
func struck(hz, decay, noise, seconds float64) []float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, int(seconds*shotRate))
	var peak float32
	for i := range x {
		t := float64(i)/shotRate - 0.01
		if t >= 0 {
			x[i] = float32(math.Exp(-t/decay) * (math.Sin(2*math.Pi*hz*t) + noise*rng.NormFloat64()))
			peak = max(peak, x[i], -x[i])
		}
	}
	for i := range x {
		x[i] *= 0.5 / peak
	}
	tr, err := New(OneShot(shotRate))
	if err != nil {
		panic(err)
	}
	return append(make([]float32, 2*tr.config.Hop-tr.Attack(x)), x...)
}

func roundTrip(t *testing.T, x []float32, frames int) []float32 {
	t.Helper()
	c := OneShot(shotRate)
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	padded := make([]float32, c.Samples(frames))
	copy(padded, x)
	s, err := tr.Forward(nil, padded)
	if err != nil {
		t.Fatal(err)
	}
	if s.Frames != frames || s.Bins != 64 {
		t.Fatalf("%d frames by %d bins, want %d by 64", s.Frames, s.Bins, frames)
	}
	y, err := tr.Reconstruct(s, len(padded), Phase{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// spectralPeak is the frequency of the strongest tone from 20 to 300 Hz between two times, to a twentieth of a hertz.
func spectralPeak(x []float32, from, to float64) float64 {
	part := x[int(from*shotRate):int(to*shotRate)]
	rough := strongest(part, 20, 300, 1)
	return strongest(part, rough-1, rough+1, 0.05)
}

// strongest is the frequency, of those in steps from low to high, at which x has the most power.
func strongest(part []float32, low, high, step float64) float64 {
	best, at := 0.0, 0.0
	for hz := low; hz < high; hz += step {
		var re, im float64
		for i := 0; i < len(part); i += 8 {
			w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(part)))
			a := 2 * math.Pi * hz * float64(i) / shotRate
			re, im = re+w*float64(part[i])*math.Cos(a), im+w*float64(part[i])*math.Sin(a)
		}
		if p := re*re + im*im; p > best {
			best, at = p, hz
		}
	}
	return at
}

// TestOneShotKeepsPitch is the reason for the narrow filters below the knee: mel filters put 60 Hz a third lower. The lowest
// tones lie partly below the first filter.
func TestOneShotKeepsPitch(t *testing.T) {
	for _, tone := range []struct{ hz, limit float64 }{{27, 40}, {31, 10}, {41, 10}, {60, 10}, {87.3, 10}, {130, 10}, {220, 10}} {
		y := roundTrip(t, struck(tone.hz, 0.3, 0.05, 0.6), 80)
		if cents := 1200 * math.Log2(spectralPeak(y, 0.03, 0.3)/tone.hz); math.Abs(cents) > tone.limit {
			t.Errorf("%g Hz comes back %.0f cents off", tone.hz, cents)
		}
	}
}

func TestOneShotKeepsLevelAttackAndTail(t *testing.T) {
	for _, c := range []struct{ hz, decay, noise float64 }{{60, 0.06, 0.1}, {180, 0.15, 1}, {220, 0.05, 3}, {80, 0.2, 0}} {
		x := struck(c.hz, c.decay, c.noise, 1.6)
		y := roundTrip(t, x, 112)
		tr, _ := New(OneShot(shotRate))
		a, b := tr.shot.measure(x), tr.shot.measure(y)
		if math.Abs(a.level-b.level) > 0.1 {
			t.Errorf("%+v: peak %.2f dB, want %.2f", c, b.level, a.level)
		}
		if r := b.tail / a.tail; r < 0.9 || r > 1.1 {
			t.Errorf("%+v: tail %.3f s, want %.3f", c, b.tail, a.tail)
		}
		if d := b.rise - a.rise; c.noise > 0 && math.Abs(d) > 0.002 {
			t.Errorf("%+v: rise %.1f ms, want %.1f", c, 1000*b.rise, 1000*a.rise)
		}
		if early := slices.Max(y[:a.start]); early > 0.01 {
			t.Errorf("%+v: %.3f before the attack", c, early)
		}
	}
}

// TestOneShotKeepsBalance compares the power below and above the crossover.
func TestOneShotKeepsBalance(t *testing.T) {
	tr, err := New(OneShot(shotRate))
	if err != nil {
		t.Fatal(err)
	}
	parts := func(x []float32) (low, high float64) {
		l := tr.shot.up.Resample(nil, tr.shot.down.Resample(nil, x))
		for i, v := range x {
			low, high = low+float64(l[i])*float64(l[i]), high+float64(v-l[i])*float64(v-l[i])
		}
		return low, high
	}
	x := struck(150, 0.1, 0.7, 0.8)
	a, b := parts(x)
	c, d := parts(roundTrip(t, x, 96))
	if db := 10 * math.Log10(d/c/(b/a)); math.Abs(db) > 1.5 {
		t.Errorf("the part above the crossover is %.1f dB louder than it was", db)
	}
}

func TestMarksSurviveNoise(t *testing.T) {
	c := OneShot(shotRate)
	o, err := newOneShot(c)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for _, want := range []stroke{{-3, 512, 0.002, 0.3, 0}, {-40, 512, 0.05, 0.05, 0.4}, {0, 2560, 0.0005, 4, 0.9}} {
		s := &Spectrogram{Config: c, Frames: 96, Bins: c.Bins(), Data: make([]float32, 96*c.Bins())}
		for f := range s.Frames {
			row := s.Data[f*s.Bins+c.Mels : (f+1)*s.Bins]
			want.mark(row, c.Samples(f+1)+c.Hop/2)
			for i := range row {
				row[i] += float32(0.1 * rng.NormFloat64())
			}
		}
		got := o.strokeOf(s)
		if math.Abs(got.level-want.level) > 1 || got.start != want.start || math.Abs(math.Log(got.rise/want.rise)) > 0.15 || math.Abs(math.Log(got.tail/want.tail)) > 0.15 || math.Abs(got.persistence-want.persistence) > 0.05 {
			t.Errorf("marks of %+v are read as %+v", want, got)
		}
	}
}

func TestOneShotIsReproducible(t *testing.T) {
	c := OneShot(shotRate)
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tr.Forward(nil, struck(100, 0.1, 1, 0.4))
	if err != nil {
		t.Fatal(err)
	}
	make1 := func(seed uint64) []float32 {
		y, err := tr.Reconstruct(s, 0, Phase{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return y
	}
	if a := make1(1); !slices.Equal(a, make1(1)) || slices.Equal(a, make1(2)) {
		t.Error("the same seed gives other samples, or another seed the same")
	}
}

func TestOneShotOfSilence(t *testing.T) {
	tr, err := New(OneShot(shotRate))
	if err != nil {
		t.Fatal(err)
	}
	s, err := tr.Forward(nil, make([]float32, 20000))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range s.Data {
		if v != -1 {
			t.Fatalf("value %d of silence is %g", i, v)
		}
	}
	if y, err := tr.Reconstruct(s, 0, Phase{}); err != nil || slices.ContainsFunc(y, func(v float32) bool { return !(v*v < 1e-12) }) {
		t.Errorf("silence comes back as sound, or as %v", err)
	}
}

func TestGrowingGrid(t *testing.T) {
	for _, growth := range []int{0, 1, 16, 32} {
		c := OneShot(shotRate)
		c.HopGrowth = growth
		for n := 1; n < 500; n++ {
			at := c.Samples(n)
			if c.Frames(at) != n || n > 1 && c.Frames(at-1) != n-1 {
				t.Fatalf("growth %d: %d frames end at %d, which makes %d, and one less %d", growth, n, at, c.Frames(at), c.Frames(at-1))
			}
		}
	}
}

func TestMelFormulasInvert(t *testing.T) {
	shot := OneShot(shotRate)
	if top := shot.hz(float64(shot.Mels + 1)); math.Abs(top-shot.FMax) > 1 {
		t.Errorf("the filters reach to %.1f Hz, want %.1f", top, shot.FMax)
	}
	for _, c := range []Config{Default(16000), {SampleRate: 16000, NFFT: 512, MelFormula: FormulaHTK}, shot} {
		for hz := 1.0; hz < 8000; hz *= 1.1 {
			if back := c.hz(c.mel(hz)); math.Abs(back-hz) > 1e-6*hz {
				t.Errorf("%s: %g Hz comes back as %g", c.MelFormula, hz, back)
			}
		}
	}
}

func TestOneShotConfigs(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"short_n_fft":   func(c *Config) { c.ShortNFFT = 300 },
		"crossover":     func(c *Config) { c.Crossover = 0 },
		"filters":       func(c *Config) { c.Crossover = 10 },
		"hop_growth":    func(c *Config) { c.HopGrowth = -1 },
		"not between 0": func(c *Config) { c.HopGrowth = math.MaxInt32 },
		"tilt":          func(c *Config) { c.Tilt = math.NaN() },
		"zero pad":      func(c *Config) { c.Pad = PadReflect },
		"knee":          func(c *Config) { c.Knee = 0 },
		"only the":      func(c *Config) { c.Scale = ScaleMel },
	} {
		c := OneShot(shotRate)
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, rate := range []int{8000, 16000, 22050, 32000, 48000, 96000} {
		if _, err := New(OneShot(rate)); err != nil {
			t.Errorf("%d Hz: %v", rate, err)
		}
	}
}

// TestTailEnds: the silence of a decoder is not exact, and a clip is to end where its mark says.
func TestTailEnds(t *testing.T) {
	c := OneShot(shotRate)
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	const frames = 144
	x := make([]float32, c.Samples(frames))
	copy(x, struck(60, 0.05, 0.5, 1))
	s, err := tr.Forward(nil, x)
	if err != nil {
		t.Fatal(err)
	}
	want := tr.shot.measure(x).tail
	rng := rand.New(rand.NewPCG(2, 3))
	for i := range s.Data {
		if i%s.Bins < c.Mels {
			s.Data[i] = max(s.Data[i], -1) + float32(0.04*math.Abs(rng.NormFloat64()))
		}
	}
	y, err := tr.Reconstruct(s, len(x), Phase{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := tr.shot.measure(y).tail; math.Abs(math.Log(got/want)) > 0.2 {
		t.Errorf("a tail of %.2f s becomes %.2f s", want, got)
	}
}

// TestOneShotsAreNotStreamed: there are frames only of a whole sound, and no single STFT.
func TestOneShotsAreNotStreamed(t *testing.T) {
	tr, err := New(OneShot(shotRate))
	if err != nil {
		t.Fatal(err)
	}
	s := tr.NewStream(func([]float32) error { return nil })
	if err := s.Write(make([]float32, 100)); err == nil || !strings.Contains(err.Error(), "whole sound") {
		t.Errorf("Write: %v", err)
	}
	if err := s.Close(); err == nil {
		t.Error("Close: no error")
	}
	defer func() {
		if recover() == nil {
			t.Error("STFT does not panic")
		}
	}()
	tr.STFT(nil, make([]float32, 1000))
}
