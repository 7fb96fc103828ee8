package spectrogram

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// hiss is noise that begins in the middle of a frame and decays by so many dB a second.
func hiss(seed uint64, decibels, seconds float64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 9))
	start := 2 * OneShot(shotRate).Hop
	x := make([]float32, start+int(seconds*shotRate))
	for i := start; i < len(x); i++ {
		x[i] = float32(0.1 * math.Pow(10, -decibels/20*float64(i-start)/shotRate) * rng.NormFloat64())
	}
	return x
}

// wave is the level of x in dB at every millisecond from one time to another, in windows of 3 ms, about its straight trend.
func wave(x []float32, from, to float64) []float64 {
	power := meanPower(x, shotRate*3/1000)
	var out []float64
	for t := from; t < to; t += 0.001 {
		out = append(out, 10*math.Log10(power[int(t*shotRate)]+1e-20))
	}
	n := float64(len(out))
	var mean, slope, squares float64
	for i, v := range out {
		mean, slope, squares = mean+v/n, slope+v*(float64(i)-(n-1)/2), squares+(float64(i)-(n-1)/2)*(float64(i)-(n-1)/2)
	}
	for i := range out {
		out[i] -= mean + slope/squares*(float64(i)-(n-1)/2)
	}
	return out
}

// modulation is the power of a wave of values a millisecond apart at a frequency.
func modulation(wave []float64, hz float64) float64 {
	var re, im float64
	for i, v := range wave {
		w := v * (0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(wave))))
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / 1000)
		re, im = re+w*cos, im+w*sin
	}
	return re*re + im*im
}

// TestDecaysHaveNoLine: the level of a noise that decays quickly does not go down in steps of a frame. The mean over seeds of the
// modulation at the hop rate is that of its neighbourhood.
func TestDecaysHaveNoLine(t *testing.T) {
	const rate = shotRate / 256.
	var line, beside float64
	for seed := range uint64(24) {
		w := wave(roundTrip(t, hiss(seed, 400, 0.25), 48), 0.03, 0.13)
		line += modulation(w, rate)
		beside += (modulation(w, rate-25) + modulation(w, rate+25)) / 2
	}
	if db := 10 * math.Log10(line/beside); db > 3 {
		t.Errorf("the modulation at the hop rate is %.1f dB above its neighbourhood", db)
	}
}

// TestNoiseFluttersOnce: the level of a noise that was sent there and back wavers about as much as it did, though the noise is
// another one.
func TestNoiseFluttersOnce(t *testing.T) {
	deviation := func(x []float64) float64 {
		var sum float64
		for _, v := range x {
			sum += v * v
		}
		return math.Sqrt(sum / float64(len(x)))
	}
	for _, c := range []struct{ decibels, seconds, from, to float64 }{{200, 0.3, 0.03, 0.17}, {60, 1, 0.03, 0.17}, {40, 1.2, 0.3, 1}} {
		var was, is float64
		for seed := range uint64(12) {
			x := hiss(seed, c.decibels, c.seconds)
			was, is = was+deviation(wave(x, c.from, c.to)), is+deviation(wave(roundTrip(t, x, 112), c.from, c.to))
		}
		t.Logf("%g dB a second, from %g s: %.2f and %.2f dB", c.decibels, c.from, was/12, is/12)
		if r := is / was; r < 0.85 || r > 1.15 {
			t.Errorf("%g dB a second, from %g s: flutter is %.2f times what it was", c.decibels, c.from, r)
		}
	}
}

func TestNormalisePowerKeepsThePower(t *testing.T) {
	o := newShot(t)
	white := make([]float32, shotRate)
	rng := rand.New(rand.NewPCG(3, 1))
	for i := range white {
		white[i] = float32(rng.NormFloat64())
	}
	for _, share := range []float64{0.25, 0.5, 1} {
		spectrum, bins := o.made.STFT(nil, white), o.made.linear
		for at := 2 * bins; at < len(spectrum)-2*bins; at += bins {
			o.normalisePower(spectrum[at:at+bins], share)
		}
		var power float64
		for _, v := range o.made.ISTFT(nil, spectrum, len(white)) {
			power += float64(v) * float64(v) / shotRate
		}
		if db := 10 * math.Log10(power); math.Abs(db) > 0.2 {
			t.Errorf("with a share of %g, noise is %.2f dB louder", share, db)
		}
	}
	silent := make([]complex64, o.made.linear)
	if o.normalisePower(silent, 1); slices.ContainsFunc(silent, func(v complex64) bool { return v != 0 }) {
		t.Error("no noise becomes some")
	}
}

func TestDoublings(t *testing.T) {
	for _, growth := range []int{0, 1, 16, 32} {
		c := OneShot(shotRate)
		c.HopGrowth = growth
		for f := range 300 {
			step := (c.Samples(f+2) - c.Samples(f+1)) / c.Hop
			if got := 1 << c.doublings(c.Samples(f+1)/c.Hop); got != step {
				t.Fatalf("growth %d: frame %d is followed by one %d hops later, doublings say %d", growth, f, step, got)
			}
		}
	}
}

// TestFluctuationOfNoise holds the bend of white noise against noise at several rates, and smooth levels against none.
func TestFluctuationOfNoise(t *testing.T) {
	for _, rate := range []int{22050, 44100, 48000, 96000} {
		o, err := newOneShot(OneShot(rate))
		if err != nil {
			t.Fatal(err)
		}
		var mean float64
		const seeds = 8
		for seed := range uint64(seeds) {
			rng := rand.New(rand.NewPCG(seed, 3))
			x := make([]float32, rate/2)
			for i := range x {
				x[i] = float32(math.Exp(-8*float64(i)/float64(rate)) * rng.NormFloat64())
			}
			power, err := o.powers(x)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range power {
				power[i] = float32(math.Sqrt(float64(p)))
			}
			mean += o.fluctuation(power, 0) / seeds
			for i := range power {
				m, g := i%o.config.Mels, i/o.config.Mels
				power[i] = float32(math.Exp(-float64(g)/40) / float64(m+1))
			}
			if smooth := o.fluctuation(power, 0); smooth > 1e-6 {
				t.Errorf("%d Hz: smooth levels have a fluctuation of %g", rate, smooth)
			}
		}
		t.Logf("%d Hz: %.3f", rate, mean)
		if mean < 0.85 {
			t.Errorf("%d Hz: the levels of a noise have a fluctuation of %.2f, want about 1", rate, mean)
		}
	}
}

// TestShorterThanTheSilenceBefore: a sound may be cut before its attack.
func TestShorterThanTheSilenceBefore(t *testing.T) {
	c := OneShot(shotRate)
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tr.Forward(nil, append(make([]float32, 60*c.Hop), hiss(1, 60, 0.2)...))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 100, c.Hop, 30 * c.Hop} {
		y, err := tr.Reconstruct(s, n, Phase{Seed: 1})
		if err != nil || len(y) != n {
			t.Fatalf("%d samples: %d, %v", n, len(y), err)
		}
	}
}
