package frontend_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/audio/stereo"
	"wavemill/models"
	"wavemill/models/frontend"
)

// placed is half a second of a tone and of noise in two channels: gains of the tone, and how much of the noise is not common.
func placed(rate int, left, right, wide float64, seed uint64) audio.Clip {
	rng := rand.New(rand.NewPCG(seed, 9))
	c := audio.Clip{Channels: 2, Rate: rate}
	for i := range rate / 2 {
		fade := math.Exp(-4 * float64(i) / float64(rate))
		x := fade * (0.1*math.Sin(2*math.Pi*float64(300+10*seed)*float64(i)/float64(rate)) + 0.1*rng.NormFloat64())
		s := fade * 0.2 * wide * rng.NormFloat64()
		c.Samples = append(c.Samples, float32(left*(x+s)), float32(right*(x-s)))
	}
	return c
}

func many(n int, of func(seed uint64) audio.Clip) []audio.Clip {
	out := make([]audio.Clip, n)
	for i := range out {
		out[i] = of(uint64(i))
	}
	return out
}

// Two channels are planned where most recordings have two, and these differ.
func TestPlanChannels(t *testing.T) {
	left := many(8, func(s uint64) audio.Clip { return placed(8000, 1, 0.2, 0, s) })
	equal := many(8, func(s uint64) audio.Clip { return placed(8000, 0.7, 0.7, 0, s) })
	nearly := many(8, func(s uint64) audio.Clip { return placed(8000, 0.7, 0.73, 0.01, s) })
	mono := make([]audio.Clip, 8)
	for i, c := range equal {
		mono[i] = c.Mono()
	}
	opposite := many(8, func(s uint64) audio.Clip { return placed(8000, 0.7, -0.7, 0, s) })
	for name, c := range map[string]struct {
		clips []audio.Clip
		want  int
	}{
		"differ": {left, 2}, "equal": {equal, 0}, "one channel": {mono, 0}, "0.4 dB": {nearly, 0}, "opposite": {opposite, 2},
		"half have two": {slices.Concat(left, mono), 0}, "most have two": {slices.Concat(left, mono[:7]), 2},
		"an eighth differs": {slices.Concat(equal[:7], left[:1]), 2}, "one of twenty differs": {slices.Concat(equal, equal, nearly[:3], left[:1]), 0},
		"nothing": {nil, 0},
	} {
		fe := frontend.PlanFor(c.clips)
		if fe.Spectrogram.Channels != c.want {
			t.Errorf("%s: %d channels, want %d", name, fe.Spectrogram.Channels, c.want)
		}
		alone := frontend.Overrides{Mono: true}
		one, err := frontend.Choice{Overrides: alone}.Plan(c.clips)
		if err != nil || one != alone.Apply(fe) || one.Spectrogram.Channels != 0 {
			t.Errorf("%s: mono: %+v, error %v", name, one, err)
		}
		chosen, err := frontend.Choice{Overrides: frontend.Overrides{Mels: 32}}.Plan(c.clips)
		if err != nil || chosen.Spectrogram.Channels != c.want || chosen.Spectrogram.Bins() != 32+8*c.want {
			t.Errorf("%s: 32 filters: %d channels of %d bins, error %v", name, chosen.Spectrogram.Channels, chosen.Spectrogram.Bins(), err)
		}
	}
	two := frontend.PlanFor(left)
	if same, err := (frontend.Choice{Overrides: frontend.Overrides{Mono: true}}).Matches(two); same || err != nil {
		t.Error("mono matches two channels")
	}
}

// A front end of one channel gives, of two, what it gives of their mix: the same bytes.
func TestOneChannelIsTheMix(t *testing.T) {
	c := placed(8000, 1, 0.3, 0.2, 1)
	fe := frontend.Overrides{Mono: true}.Apply(frontend.PlanFor([]audio.Clip{c}))
	f := open(t, fe)
	a, notes, err := f.Analyze(c)
	if err != nil || notes.Channels != 2 || notes.Inverted {
		t.Fatalf("%+v, error %v", notes, err)
	}
	b, _, err := f.Analyze(c.Mono())
	if err != nil || !slices.Equal(a.Data, b.Data) {
		t.Errorf("another spectrogram than the mix has; error %v", err)
	}
	against := placed(8000, 0.7, -0.7, 0, 1)
	s, notes, err := f.Analyze(against)
	if err != nil || !notes.Inverted || !strings.HasPrefix(notes.String(), "mixed down from 2 channels, one of them inverted, because they cancel") {
		t.Errorf("opposite: %q, error %v", notes, err)
	}
	same, _, err := f.Analyze(against.Channel(0))
	if err != nil || !slices.Equal(s.Data, same.Data) {
		t.Errorf("opposite: not the sound of one channel; error %v", err)
	}
}

// Clips of both kinds of front ends come back in two channels and at their place, within 1 dB.
func TestPlaceSurvives(t *testing.T) {
	if testing.Short() {
		t.Skip("it computes; MeasureCeiling has goroutines in TestCeiling")
	}
	for _, rate := range []int{8000, 44100} {
		clips := []audio.Clip{placed(rate, 1, 0, 0, 1), placed(rate, 0.3, 1, 0, 2), placed(rate, 0.7, 0.7, 0.5, 3), placed(rate, 0.5, 0.9, 0.2, 4)}
		mel := frontend.Overrides{Mels: 48, Frames: 64}.Apply(frontend.PlanFor(clips))
		both := []models.FrontEnd{mel}
		if rate == 44100 {
			shot := models.FrontEnd{Spectrogram: spectrogram.OneShot(rate), Frames: 96, TrimDB: -60}
			shot.Spectrogram.Channels = 2
			both = append(both, shot)
		}
		for _, fe := range both {
			f := open(t, fe)
			if f.Channels() != 2 {
				t.Fatalf("%d channels", f.Channels())
			}
			b, err := f.BatchOf(t.Context(), append(slices.Clone(clips), clips[2].Channel(0)))
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range clips {
				got, err := f.Synthesize(b, i, 1)
				if err != nil || got.Channels != 2 || got.Validate() != nil {
					t.Fatalf("%d channels, error %v", got.Channels, err)
				}
				was, is := stereo.PlaceOf(c), stereo.PlaceOf(got)
				if math.Abs(was.Pan-is.Pan) > 1 || math.Abs(was.Width-is.Width) > 1 {
					t.Errorf("%d Hz, %s, clip %d: %+v, was %+v", rate, fe.Spectrogram.Scale, i, is, was)
				}
			}
			got, err := f.Synthesize(b, len(clips), 1)
			if err != nil {
				t.Fatal(err)
			}
			if p := stereo.PlaceOf(got); math.Abs(p.Pan) > 0.01 || p.Width > -29 {
				t.Errorf("one channel comes back at %+v", p)
			}
			c, err := frontend.MeasureCeiling(t.Context(), fe, clips, 1)
			if err != nil || c.Image == nil || c.Image.Clips != 4 || c.Image.Pan > 1 || c.Image.Width > 1 {
				t.Errorf("ceiling: %+v, error %v", c.Image, err)
			}
		}
	}
}

func TestStereoSilence(t *testing.T) {
	fe := frontend.PlanFor([]audio.Clip{placed(8000, 1, 0.2, 0, 1)})
	f := open(t, fe)
	s := f.Silence()
	for i, v := range s.Data {
		bin := i % s.Bins
		middle := bin >= s.Bins-spectrogram.StereoBins && bin < s.Bins-spectrogram.StereoBands
		if want := float32(-1); middle && v != 0 || !middle && v != want {
			t.Fatalf("bin %d is %g", bin, v)
		}
	}
	b, err := f.Batch([]*spectrogram.Spectrogram{s}, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Synthesize(b, 0, 1); !errors.Is(err, frontend.ErrSilent) {
		t.Errorf("error %v", err)
	}
}

func TestTallyOfChannels(t *testing.T) {
	clips := []audio.Clip{placed(8000, 1, 0.2, 0, 1), placed(8000, 0.7, 0.7, 0, 2), placed(8000, 0.7, -0.7, 0, 3), placed(8000, 1, 1, 0, 4).Mono()}
	four := audio.Clip{Channels: 4, Rate: 8000}
	for _, v := range clips[3].Samples {
		four.Samples = append(four.Samples, v, v, v, v)
	}
	clips = append(clips, four)
	two := models.FrontEnd{Spectrogram: spectrogram.Default(8000), Frames: 64, TrimDB: -40}
	two.Spectrogram.Channels = 2
	for _, c := range []struct {
		fe   models.FrontEnd
		want frontend.Tally
	}{
		{two, frontend.Tally{Clips: 5, MixedDown: 1, Stereo: 2, Two: 3, Middle: 1}},
		{frontend.Overrides{Mono: true}.Apply(two), frontend.Tally{Clips: 5, MixedDown: 4, Inverted: 1, Stereo: 2, Two: 3}},
	} {
		got := open(t, c.fe).Tally(clips)
		got.Padded, got.Trimmed = 0, 0
		if got != c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}

func TestHeard(t *testing.T) {
	clips := []audio.Clip{placed(8000, 1, 0.2, 0, 1), placed(8000, 1, 1, 0, 4).Mono()}
	one := frontend.Plan(nil, nil)
	two := one
	two.Spectrogram.Channels = 2
	if got := frontend.InChannelsOf(clips, one, two); &got[0] != &clips[0] {
		t.Error("one model of two channels: mixed down")
	}
	got := frontend.InChannelsOf(clips, one, one)
	if got[0].Channels != 1 || clips[0].Channels != 2 || &got[1].Samples[0] != &clips[1].Samples[0] {
		t.Errorf("models of one channel: %d channels", got[0].Channels)
	}
	if got := frontend.InChannelsOf(clips[1:], one); &got[0] != &clips[1] {
		t.Error("one channel already: copied")
	}
}
