package spectrogram

import (
	"math"
	"math/rand/v2"
	"testing"
)

// mixed is a noise of so many seconds of which a share of the power is partials, made as the way back makes it.
func (o *oneShot) mixed(share, seconds float64, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	white := make([]float32, int(seconds*shotRate))
	for i := range white {
		white[i] = float32(rng.NormFloat64())
	}
	spectrum, bins := o.made.STFT(nil, white), o.made.linear
	p := o.newPartials(rng)
	for at := 0; at < len(spectrum); at += bins {
		p.mix(spectrum[at:at+bins], float32(math.Sqrt(1-share)), float32(math.Sqrt(share)))
	}
	return o.made.ISTFT(nil, spectrum, len(white))
}

func newShot(t *testing.T) *oneShot {
	t.Helper()
	o, err := newOneShot(OneShot(shotRate))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestPartialsPersist holds the table that turns a persistence into a share of partials against noises with that share.
func TestPartialsPersist(t *testing.T) {
	o := newShot(t)
	const seeds = 6
	for i, want := range persistences {
		share := float64(i) / float64(len(persistences)-1)
		var mean float64
		for seed := range uint64(seeds) {
			p, err := o.persistence(o.mixed(share, 2, seed))
			if err != nil {
				t.Fatal(err)
			}
			mean += p / seeds
		}
		t.Logf("%.3f of the power: persistence %.3f", share, mean)
		if math.Abs(mean-want) > 0.02 {
			t.Errorf("%.3f of the power: persistence %.3f, the table says %.3f", share, mean, want)
		}
		if got := partialShare(want); want >= leastPersistence && math.Abs(got-share) > 1e-9 {
			t.Errorf("persistence %.2f needs a share of %.3f, not %.3f", want, share, got)
		}
	}
	if a, b := partialShare(-0.1), partialShare(1); a != 0 || b != 1 {
		t.Errorf("persistence outside the table: shares %g and %g, want 0 and 1", a, b)
	}
}

// TestPartialsAreAsLoudAsNoise: an octave of partials has the power of the noise in whose place they are.
func TestPartialsAreAsLoudAsNoise(t *testing.T) {
	o := newShot(t)
	noise, lines := o.octaves(o.mixed(0, 4, 1)), o.octaves(o.mixed(1, 4, 1))
	for i := range noise {
		if db := 10 * math.Log10(lines[i]/noise[i]); math.Abs(db) > 0.5 {
			t.Errorf("from %d Hz: partials are %.2f dB louder than noise", 1250<<i, db)
		}
	}
}

// octaves is the power of the octaves from 1.25, 2.5, 5 and 10 kHz.
func (o *oneShot) octaves(x []float32) [4]float64 {
	s, err := o.long.Forward(nil, x)
	if err != nil {
		panic(err)
	}
	var p [4]float64
	for i, v := range s.Data {
		hz := float64(i%s.Bins) * shotRate / float64(o.config.NFFT)
		if k := math.Floor(math.Log2(hz / 1250)); k >= 0 && k < 4 {
			p[int(k)] += float64(v)
		}
	}
	return p
}

// TestOneShotKeepsPersistence sends a snare, a hat and a cymbal there and back: noises that decay, with more and more partials.
func TestOneShotKeepsPersistence(t *testing.T) {
	o := newShot(t)
	for _, share := range []float64{0, 0.5, 0.75, 0.9} {
		x := o.mixed(share, 1.4, 7)
		for i := range x {
			x[i] *= float32(0.1 * math.Exp(-float64(i)/(0.4*shotRate)))
		}
		want, err := o.persistence(x)
		if err != nil {
			t.Fatal(err)
		}
		got, err := o.persistence(roundTrip(t, x, 112))
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got-want) > 0.06 {
			t.Errorf("%g of the power in partials: persistence %.2f comes back as %.2f", share, want, got)
		}
	}
}

func TestPersistenceOfShortSounds(t *testing.T) {
	o := newShot(t)
	for _, n := range []int{0, 1, 2047, 2048, 3000} {
		if p, err := o.persistence(o.mixed(1, 1, 1)[:n]); err != nil || p != 0 {
			t.Errorf("%d samples: persistence %g, %v; want 0", n, p, err)
		}
	}
}

// TestOldMarks: a configuration of before has three marks and no partials, and its clips stay as they were.
func TestOldMarks(t *testing.T) {
	c := OneShot(shotRate)
	c.Persistence, c.Mels = false, 61
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if c.Marks() != 3 || c.Bins() != 64 || tr.shot.long != nil {
		t.Errorf("%d marks, %d bins", c.Marks(), c.Bins())
	}
	c.Persistence, c.Window = true, WindowHamming
	if err := c.Validate(); err == nil {
		t.Error("persistence with a Hamming window is accepted")
	}
	mel := Default(shotRate)
	mel.Persistence = true
	if err := mel.Validate(); err == nil {
		t.Error("persistence with a mel scale is accepted")
	}
}
