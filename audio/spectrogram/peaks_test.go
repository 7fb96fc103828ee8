package spectrogram

import (
	"math"
	"math/rand/v2"
	"testing"
)

// clank is struck metal: partials of the given frequencies that ring, with a little noise.
func clank(noise float64, partials ...float64) []float32 {
	rng := rand.New(rand.NewPCG(4, 4))
	start := 2 * OneShot(shotRate).Hop
	x := make([]float32, start+shotRate/2)
	for i := start; i < len(x); i++ {
		t := float64(i-start) / shotRate
		v := noise * rng.NormFloat64()
		for k, hz := range partials {
			v += math.Sin(2*math.Pi*hz*t+float64(k)) / float64(k+1)
		}
		x[i] = float32(0.2 * math.Exp(-t/0.15) * v)
	}
	return x
}

// TestHighTonesStand: partials above the crossover come back as tones, at their pitches, and their level wavers no more.
func TestHighTonesStand(t *testing.T) {
	partials := []float64{1500, 2650, 4180}
	x := clank(0.002, partials...)
	y := roundTrip(t, x, 96)
	for _, hz := range partials {
		part := y[2000:12000]
		got := hz
		for at := 0.94 * hz; at < 1.06*hz; at += 2 {
			if toneAt(part, at) > toneAt(part, got) {
				got = at
			}
		}
		if cents := 1200 * math.Log2(got/hz); math.Abs(cents) > 15 {
			t.Errorf("%g Hz comes back %.0f cents off", hz, cents)
		}
		tone, beside := toneAt(part, got), (toneAt(part, 0.97*got)+toneAt(part, 1.03*got))/2
		if db := 10 * math.Log10(tone/beside); db < 20 {
			t.Errorf("%g Hz comes back %.0f dB above what is beside it; a tone is 20 or more", hz, db)
		}
	}
}

// toneAt is the power of x at a frequency, in a Hann window.
func toneAt(x []float32, hz float64) float64 {
	var re, im float64
	for i, v := range x {
		w := float64(v) * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(x))))
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / shotRate)
		re, im = re+w*cos, im+w*sin
	}
	return re*re + im*im
}

// TestNoiseHasNoTones: peaks of a noise that does not ring are not taken for tones, nor is the spectrum of a cymbal.
func TestNoiseHasNoTones(t *testing.T) {
	o := newShot(t)
	for name, x := range map[string][]float32{
		"noise": hiss(1, 60, 0.6), "a cymbal": o.mixed(0.9, 0.6, 2), "silence": make([]float32, shotRate/2), "a click": append(make([]float32, 511), 1),
	} {
		if n := len(o.peaksOf(t, x)); n > 0 {
			t.Errorf("%s has %d tones", name, n)
		}
	}
	if n := len(o.peaksOf(t, clank(0, 3100))); n == 0 {
		t.Error("a tone has no peak")
	}
}

func (o *oneShot) peaksOf(t *testing.T, x []float32) []peak {
	t.Helper()
	power, err := o.powers(x)
	if err != nil {
		t.Fatal(err)
	}
	persistence, err := o.persistence(x)
	if err != nil {
		t.Fatal(err)
	}
	amplitude := make([]float32, len(power))
	for i, p := range power {
		amplitude[i] = float32(math.Sqrt(float64(p)))
	}
	return o.findPeaks(amplitude, o.measure(x).start/o.config.Hop, persistence, rand.New(rand.NewPCG(1, 1)))
}

// TestPeaksAreAsLoudAsTheirNoise: a tone has the power of the noise in whose place it is.
func TestPeaksAreAsLoudAsTheirNoise(t *testing.T) {
	o := newShot(t)
	gain := make([]float32, o.high.linear)
	for j := range gain {
		gain[j] = float32(0.01 + math.Exp(-math.Pow(float64(j)-40.3, 2)/6))
	}
	var noise, tone float64
	rng := rand.New(rand.NewPCG(1, 2))
	perBin := float64(shotRate) / float64(o.config.ShortNFFT)
	p := o.newPeak(40.3*perBin, 30*perBin, 50*perBin, 1, rng)
	for range 400 {
		row := make([]complex64, len(gain))
		for j := range row {
			s := math.Sqrt(o.whitePower / 2)
			row[j] = complex(gain[j]*float32(s*rng.NormFloat64()), gain[j]*float32(s*rng.NormFloat64()))
		}
		for _, v := range row[30:50] {
			noise += float64(real(v)*real(v) + imag(v)*imag(v))
		}
		p.sound(row, gain, o.whitePower)
		for _, v := range row[30:50] {
			tone += float64(real(v)*real(v) + imag(v)*imag(v))
		}
	}
	if db := 10 * math.Log10(tone/noise); math.Abs(db) > 0.3 {
		t.Errorf("the tone is %.2f dB louder than the noise was", db)
	}
}

// TestPeaksAtTheEdges: the lowest and highest filters may have a peak beside them, and a flat spectrum has none.
func TestPeaksAtTheEdges(t *testing.T) {
	o := newShot(t)
	c := o.config
	for m := o.lows; m < c.Mels; m++ {
		amplitude := make([]float32, 48*c.Mels)
		for i := range amplitude {
			amplitude[i] = 0.001
			if i%c.Mels == m {
				amplitude[i] = 1
			}
		}
		found := o.findPeaks(amplitude, 2, 1, rand.New(rand.NewPCG(1, 1)))
		if inner := m > o.lows && m < c.Mels-1; inner != (len(found) == 1) {
			t.Errorf("filter %d of %d to %d: %d peaks", m, o.lows, c.Mels-1, len(found))
		}
		row, gain := make([]complex64, o.high.linear), make([]float32, o.high.linear)
		for i := range found {
			o.binGains(gain, amplitude[:c.Mels], 1)
			found[i].sound(row, gain, o.whitePower)
		}
	}
	for _, frames := range []int{0, 1, 5, 6} {
		if found := o.findPeaks(make([]float32, frames*c.Mels), 2, 1, rand.New(rand.NewPCG(1, 1))); found != nil {
			t.Errorf("%d frames of silence have %d peaks", frames, len(found))
		}
	}
}
