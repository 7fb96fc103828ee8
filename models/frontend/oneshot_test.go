package frontend

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/audio/synth"
	"wavemill/audio/timbre"
	"wavemill/models"
)

// burst is noise that sets in after a silence and decays by a factor of e in each decay seconds.
func burst(seed uint64, silence, decay, seconds float64) audio.Clip {
	const rate = 44100
	rng := rand.New(rand.NewPCG(seed, 0))
	c := audio.Clip{Channels: 1, Rate: rate, Label: "burst", Samples: make([]float32, int(seconds*rate))}
	for i := int(silence * rate); i < len(c.Samples); i++ {
		t := float64(i)/rate - silence
		c.Samples[i] = float32(0.3 * math.Exp(-t/decay) * min(max(rng.NormFloat64(), -3), 3))
	}
	return c
}

func bursts() []audio.Clip {
	var clips []audio.Clip
	for i := range uint64(12) {
		clips = append(clips, burst(i, 0.02*float64(i%3), 0.05+0.02*float64(i%4), 0.8))
	}
	return clips
}

// TestPlanForOneShots: noise that is struck is planned in two resolutions, sung vowels and low rates are not.
func TestPlanForOneShots(t *testing.T) {
	if testing.Short() {
		t.Skip("it sends dozens of clips through two front ends")
	}
	fe := PlanFor(bursts())
	if fe.Spectrogram.Scale != spectrogram.ScaleOneShot || fe.TrimDB != trimDecay {
		t.Errorf("bursts of noise are planned as %+v", fe)
	}
	if _, err := New(fe); err != nil {
		t.Error(err)
	}
	if fe := PlanFor(append(sounds(t, "kick"), sounds(t, "hihat")...)); fe.Spectrogram.Scale != spectrogram.ScaleOneShot {
		t.Errorf("kicks and hi-hats are planned as %+v", fe)
	}
	vowels := sounds(t, "vowel")
	var low []audio.Clip
	for _, c := range bursts() {
		x, err := audio.Resample(c, 8000)
		if err != nil {
			t.Fatal(err)
		}
		low = append(low, x)
	}
	// Bells and plucked strings are struck once, and are their partials.
	for name, clips := range map[string][]audio.Clip{"vowels": vowels, "8 kHz": low, "bells": sounds(t, "bell"), "strings": sounds(t, "pluck")} {
		if fe := PlanFor(clips); fe.Spectrogram.Scale != spectrogram.ScaleMel {
			t.Errorf("%s are planned as %+v", name, fe)
		}
	}
	if fe := (Choice{Overrides: Overrides{Mels: 64}}).plan(bursts()); fe.Spectrogram.Scale != spectrogram.ScaleMel || fe.Spectrogram.Mels != 64 {
		t.Errorf("with --mels 64 bursts are planned as %+v", fe)
	}
	if fe := (Choice{Overrides: Overrides{Frames: 64}}).plan(bursts()); fe.Spectrogram.Scale != spectrogram.ScaleOneShot || fe.Frames != 64 {
		t.Errorf("with --frames 64 bursts are planned as %+v", fe)
	}
}

// sounds are a dozen of the synthetic sounds of a kind at 44.1 kHz.
func sounds(t *testing.T, kind string) []audio.Clip {
	t.Helper()
	var out []audio.Clip
	for seed := range uint64(12) {
		c, err := synth.Clip(kind, seed, 44100)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// TestStruckOnce tells one stroke from what swells, goes on, or begins again.
func TestStruckOnce(t *testing.T) {
	stroke := burst(1, 0, 0.1, 1)
	twice := stroke
	twice.Samples = append(slices.Clone(stroke.Samples[:stroke.Rate*3/10]), stroke.Samples...)
	flam := stroke // as a clap: 15 ms apart
	flam.Samples = append(slices.Clone(stroke.Samples[:stroke.Rate*15/1000]), stroke.Samples...)
	late := stroke
	late.Samples = append(make([]float32, stroke.Rate/2), stroke.Samples...)
	swell := stroke
	swell.Samples = slices.Clone(stroke.Samples)
	slices.Reverse(swell.Samples)
	for name, c := range map[string]struct {
		clip audio.Clip
		want bool
	}{
		"a stroke": {stroke, true}, "after silence": {late, true}, "a clap": {flam, true}, "two strokes": {twice, false}, "backwards": {swell, false},
		"a vowel": {sounds(t, "vowel")[0], false}, "nothing": {audio.Clip{Samples: make([]float32, 4410), Channels: 1, Rate: 44100}, false},
		"few samples": {audio.Clip{Samples: []float32{1}, Channels: 1, Rate: 44100}, true}, "a rate of 8 Hz": {audio.Clip{Samples: []float32{1, 0}, Channels: 1, Rate: 8}, false},
	} {
		if got := struckOnce(c.clip); got != c.want {
			t.Errorf("%s: struck once is %v", name, got)
		}
	}
}

func TestAlign(t *testing.T) {
	const hop = 100
	x := make([]float32, 2000)
	x[700], x[720] = 0.5, 1
	for name, c := range map[string]struct {
		before     int // where something louder than prerollDB is
		attack     int
		start, len int // of the result, in x
	}{
		"quiet before":   {-1, 700, 500, 1500},
		"at the start":   {-1, 60, -140, 2140},
		"something loud": {250, 700, 200, 1800},
	} {
		y := slices.Clone(x)
		if c.before >= 0 {
			y[c.before] = 0.1
		}
		got := from(audio.Clip{Samples: y, Channels: 1, Rate: 8000}, aligned(y, c.attack, hop)).Samples
		if len(got) != c.len || (c.attack-c.start)%hop != 0 {
			t.Errorf("%s: %d samples, want %d", name, len(got), c.len)
		}
		if at := slices.Index(got, 1); at != 720-c.start {
			t.Errorf("%s: the peak is at %d, want %d", name, at, 720-c.start)
		}
	}
}

// TestOneShotRoundTrip goes the whole way of a clip, trimming and alignment included.
func TestOneShotRoundTrip(t *testing.T) {
	if testing.Short() {
		t.Skip("it computes; goroutines meet in TestCeiling and TestConcurrentUse")
	}
	clips := bursts()
	f, err := New(PlanFor(clips))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range clips {
		s, _, err := f.Analyze(c)
		if err != nil {
			t.Fatal(err)
		}
		b, err := f.Batch([]*spectrogram.Spectrogram{s}, []int{0})
		if err != nil {
			t.Fatal(err)
		}
		back, err := f.Synthesize(b, 0, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		was, is := timbre.Measure(c, 172), timbre.Measure(back, 172)
		if d := is.Attack - was.Attack; math.Abs(d) > 8 {
			t.Errorf("clip %d: attack %.1f ms, was %.1f", i, is.Attack, was.Attack)
		}
		if r := is.Flutter / was.Flutter; r > 1.4 {
			t.Errorf("clip %d: flutter %.2f dB, was %.2f", i, is.Flutter, was.Flutter)
		}
		tail := audio.TrimSilence(c, trimDecay).Duration()
		if r := back.Duration().Seconds() / tail.Seconds(); math.Abs(r-1) > 0.1 {
			t.Errorf("clip %d: %v long, was %v", i, back.Duration(), tail)
		}
		if db := audio.Decibels(back.Peak() / c.Peak()); math.Abs(db) > 0.5 {
			t.Errorf("clip %d: peak %+.1f dB off", i, db)
		}
	}
}

// TestCutOneShotsFade: a recording that is longer than the model's clips ends in a fade.
func TestCutOneShotsFade(t *testing.T) {
	f, err := New(models.FrontEnd{Spectrogram: spectrogram.OneShot(44100), Frames: 64, TrimDB: trimDecay})
	if err != nil {
		t.Fatal(err)
	}
	x, notes, err := f.prepare(burst(1, 0, 5, 2))
	if err != nil {
		t.Fatal(err)
	}
	if end := (audio.Clip{Samples: x[len(x)-200:], Channels: 1, Rate: 44100}).Peak(); notes.Cut < time.Second || end > 0.02 {
		t.Errorf("%v cut, and the end is as loud as %.3f", notes.Cut, end)
	}
}

// TestUsable: what would decide the plan for all other clips is refused, with the figure.
func TestUsable(t *testing.T) {
	good := burst(1, 0, 0.1, 0.3)
	for want, change := range map[string]func(*audio.Clip){
		"":                      func(*audio.Clip) {},
		"sample rate of 1 Hz":   func(c *audio.Clip) { c.Rate = 1 },
		"sample rate of 900000": func(c *audio.Clip) { c.Rate = 900_000 },
		"times full scale":      func(c *audio.Clip) { c.Samples[1000] = 1e29 },
		"integers":              func(c *audio.Clip) { c.Samples[1000] = -32768 },
		"sample 7 is NaN":       func(c *audio.Clip) { c.Samples[7] = float32(math.NaN()) },
		"silent":                func(c *audio.Clip) { clear(c.Samples) },
	} {
		c := good
		c.Samples = slices.Clone(good.Samples)
		change(&c)
		err := Usable(c)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
