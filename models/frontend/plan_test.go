package frontend_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
)

func TestPlan(t *testing.T) {
	second := slices.Repeat([]time.Duration{900 * time.Millisecond}, 100)
	long := slices.Clone(second)
	long[0] = time.Minute // one odd clip does not decide
	of := func(d time.Duration) []time.Duration { return []time.Duration{d} }
	for name, c := range map[string]struct {
		rates                       []int
		durations                   []time.Duration
		rate, nfft, hop, bins, frms int
	}{
		"speech":           {[]int{8000}, second, 8000, 512, 128, 64, 64},
		"digits":           {[]int{8000}, of(659 * time.Millisecond), 8000, 512, 128, 64, 48},
		"one odd":          {[]int{8000}, long, 8000, 512, 128, 64, 64},
		"nothing":          {nil, nil, 8000, 512, 128, 64, 64},
		"short":            {[]int{8000}, of(200 * time.Millisecond), 8000, 256, 64, 64, 32},
		"very short":       {[]int{8000}, of(1), 8000, 128, 32, 48, 32},
		"short and wide":   {[]int{44100}, of(100 * time.Millisecond), 44100, 1024, 256, 128, 32},
		"some seconds":     {[]int{8000}, of(6 * time.Second), 8000, 512, 128, 64, 384},
		"very long":        {[]int{8000}, of(time.Hour), 8000, 512, 128, 64, 512},
		"long and wide":    {[]int{22050}, of(10 * time.Second), 22050, 2048, 512, 80, 432},
		"wide band":        {[]int{16000}, second, 16000, 1024, 256, 80, 64},
		"most common":      {[]int{44100, 8000, 22050, 22050}, second, 22050, 1024, 256, 80, 80},
		"tie":              {[]int{44100, 8000}, second, 8000, 512, 128, 64, 64},
		"studio":           {[]int{192000}, second, 48000, 4096, 1024, 128, 48},
		"broken rates":     {[]int{0, -3}, second, 8000, 512, 128, 64, 64},
		"a strange, low 1": {[]int{50}, second, 50, 64, 16, 48, 32},
	} {
		fe := frontend.Plan(c.rates, c.durations)
		s := fe.Spectrogram
		if s.SampleRate != c.rate || s.NFFT != c.nfft || s.Hop != c.hop || s.Bins() != c.bins || fe.Frames != c.frms {
			t.Errorf("%s: %d Hz, n_fft %d, hop %d, %d bins, %d frames; want %d, %d, %d, %d, %d",
				name, s.SampleRate, s.NFFT, s.Hop, s.Bins(), fe.Frames, c.rate, c.nfft, c.hop, c.bins, c.frms)
		}
		if _, err := frontend.New(fe); err != nil && c.rate > 100 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The transform of spoken digits is that of spectrogram.Default, to the last bit: models of before can be compared.
	if got := frontend.Plan([]int{44100}, second).TrimDB; got != -40 {
		t.Errorf("without recordings, silence is trimmed at %g dB: operators of two versions would make different spectrograms", got)
	}
	if got := frontend.Plan([]int{8000}, second).Spectrogram; got != spectrogram.Default(8000) {
		t.Errorf("digits: %+v", got)
	}
}

// No plan has a filter that hears nothing.
func TestPlanHasNoDeafFilters(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, rate := range []int{8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000} {
		for _, d := range []time.Duration{10 * time.Millisecond, 150 * time.Millisecond, time.Second, time.Minute} {
			fe := frontend.Plan([]int{rate}, []time.Duration{d})
			f := open(t, fe)
			noise := audio.Clip{Channels: 1, Rate: fe.Spectrogram.SampleRate, Samples: make([]float32, fe.Spectrogram.Samples(fe.Frames))}
			for i := range noise.Samples {
				noise.Samples[i] = float32(0.2 * rng.NormFloat64())
			}
			s, _, err := f.Analyze(noise)
			if err != nil {
				t.Fatal(err)
			}
			for k := range s.Bins {
				top := float32(-1)
				for i := range s.Frames {
					top = max(top, s.Data[i*s.Bins+k])
				}
				if top < -0.5 {
					t.Errorf("%d Hz, %v: filter %d of %d hears no more than %.2f", rate, d, k, s.Bins, top)
				}
			}
		}
	}
}

// gained returns clips times a factor.
func gained(clips []audio.Clip, gain float64) []audio.Clip {
	out := make([]audio.Clip, len(clips))
	for i, c := range clips {
		x := make([]float32, len(c.Samples))
		for j, v := range c.Samples {
			x[j] = float32(float64(v) * gain)
		}
		c.Samples = x
		out[i] = c
	}
	return out
}

func tones(rate int) []audio.Clip {
	var clips []audio.Clip
	for i := range 12 {
		clips = append(clips, tone(rate, 200+40*float64(i), 0, 700*time.Millisecond, 0))
	}
	return clips
}

// Quiet and loud data become the same values as usual data; usual data leave the scaling as it is.
func TestPlanFitsTheLevel(t *testing.T) {
	clips := tones(8000)
	usual := frontend.PlanFor(clips)
	if usual.Spectrogram != spectrogram.Default(8000) {
		t.Errorf("usual data: %+v", usual.Spectrogram)
	}
	for _, db := range []float64{-6, 3} {
		if got := frontend.PlanFor(gained(clips, audio.Amplitude(db))); got != usual {
			t.Errorf("%g dB: the scaling is %g to %g", db, got.Spectrogram.Min, got.Spectrogram.Max)
		}
	}
	var values [2][]float32
	for i, db := range []float64{-50, 30} {
		other := gained(clips, audio.Amplitude(db))
		fe := frontend.PlanFor(other)
		a, b := fe.Spectrogram, usual.Spectrogram
		if a.NFFT != b.NFFT || a.Hop != b.Hop || a.Mels != b.Mels || fe.Frames != usual.Frames {
			t.Errorf("%g dB: another geometry", db)
		}
		if a.Min != math.Log(a.Floor) || math.Abs((a.Max-a.Min)-(b.Max-b.Min)) > 1e-9 {
			t.Errorf("%g dB: floor %g, %g to %g", db, a.Floor, a.Min, a.Max)
		}
		s, _, err := open(t, fe).Analyze(other[0])
		if err != nil {
			t.Fatal(err)
		}
		values[i] = s.Data
		if top := slices.Max(s.Data); top >= 1 || top < 0.2 {
			t.Errorf("%g dB: the loudest value is %.2f", db, top)
		}
	}
	for i := range values[0] {
		if d := math.Abs(float64(values[0][i] - values[1][i])); d > 0.01 {
			t.Fatalf("value %d differs by %.3f between quiet and loud data", i, d)
		}
	}
	silent := []audio.Clip{{Samples: make([]float32, 8000), Channels: 1, Rate: 8000}}
	if got := frontend.PlanFor(silent); got.Spectrogram != usual.Spectrogram {
		t.Errorf("silence: %+v", got.Spectrogram)
	}
}

// hiss is a second of white noise.
func hiss(rate int, level float64, seed uint64) audio.Clip {
	rng := rand.New(rand.NewPCG(seed, 3))
	c := audio.Clip{Channels: 1, Rate: rate, Samples: make([]float32, rate)}
	for i := range c.Samples {
		c.Samples[i] = float32(level * rng.NormFloat64())
	}
	return c
}

// The filters of recordings that were resampled from 8 kHz lie in what is there; one label that is wide keeps them all.
func TestPlanFindsTheBand(t *testing.T) {
	var clips []audio.Clip
	for i := range 8 {
		c, err := audio.Resample(hiss(8000, 0.1, uint64(i)), 44100)
		if err != nil {
			t.Fatal(err)
		}
		c.Label = "narrow"
		clips = append(clips, c)
	}
	s := frontend.PlanFor(clips).Spectrogram
	if s.SampleRate != 44100 || s.FMax != 4000 || s.Mels != 64 || s.NFFT != 2048 {
		t.Errorf("narrow: %d Hz, n_fft %d, %d filters to %g Hz (band %.0f Hz)", s.SampleRate, s.NFFT, s.Mels, s.FMax, frontend.SurveyOf(clips).Band)
	}
	wide := hiss(44100, 0.1, 9)
	wide.Label = "wide"
	if s := frontend.PlanFor(append(clips, wide)).Spectrogram; s.FMax != 22050 || s.Mels != 128 {
		t.Errorf("with a wide label: %d filters to %g Hz", s.Mels, s.FMax)
	}
}

// Noise before and after the sound is trimmed; a sound that begins at once is not.
func TestPlanTrimsAboveTheNoise(t *testing.T) {
	var noisy, sudden []audio.Clip
	for i := range 8 {
		c := tone(8000, 300, 300*time.Millisecond, 400*time.Millisecond, 300*time.Millisecond)
		for j, v := range hiss(8000, 0.003, uint64(i)).Samples {
			c.Samples[j] += v
		}
		noisy = append(noisy, c)
		sudden = append(sudden, hiss(8000, 0.1, uint64(i)))
	}
	fe := frontend.PlanFor(noisy)
	if fe.TrimDB <= -40 || fe.TrimDB > -15 {
		t.Errorf("noisy: trimmed at %.1f dB", fe.TrimDB)
	}
	_, notes, err := open(t, fe).Analyze(noisy[0])
	if err != nil || notes.Trimmed < 450*time.Millisecond {
		t.Errorf("noisy: %v, error %v", notes, err)
	}
	if fe.Frames != 48 && fe.Frames != 32 {
		t.Errorf("noisy: %d frames", fe.Frames)
	}
	if fe := frontend.PlanFor(sudden); fe.TrimDB != -40 {
		t.Errorf("sudden: trimmed at %.1f dB", fe.TrimDB)
	}
}

func TestOverrides(t *testing.T) {
	fe := frontend.Plan(nil, nil)
	if got := (frontend.Overrides{}).Apply(fe); got != fe {
		t.Errorf("nothing: %+v", got)
	}
	got := frontend.Overrides{NFFT: 1024, Mels: 96, Frames: 32}.Apply(fe)
	if s := got.Spectrogram; s.NFFT != 1024 || s.Hop != 256 || s.Mels != 96 || got.Frames != 32 || s.Max <= fe.Spectrogram.Max {
		t.Errorf("%+v", got)
	}
	if got := (frontend.Overrides{Hop: 64}).Apply(fe); got.Spectrogram.Hop != 64 || got.Spectrogram.Max != fe.Spectrogram.Max {
		t.Errorf("%+v", got)
	}
	got = frontend.Overrides{MelFormula: spectrogram.FormulaHTK, MelNorm: spectrogram.NormNone, Pad: spectrogram.PadReflect}.Apply(fe)
	if s := got.Spectrogram; s.MelFormula != spectrogram.FormulaHTK || s.MelNorm != spectrogram.NormNone || s.Pad != spectrogram.PadReflect || s != s.Scaled() {
		t.Errorf("%+v", got)
	}
	for _, o := range []frontend.Overrides{{MelFormula: "bark"}, {MelNorm: "area"}, {Pad: "wrap"}} {
		if o.Validate() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	htk := frontend.Choice{Overrides: frontend.Overrides{MelFormula: spectrogram.FormulaHTK}}
	usual := frontend.Choice{Overrides: frontend.Overrides{MelFormula: spectrogram.FormulaSlaney, Pad: spectrogram.PadZero}}
	for _, c := range []struct {
		choice frontend.Choice
		fe     models.FrontEnd
		want   bool
	}{{htk, got, true}, {htk, fe, false}, {usual, fe, true}, {usual, got, false}} {
		if same, err := c.choice.Matches(c.fe); err != nil || same != c.want {
			t.Errorf("%+v matches %+v: %v, %v", c.choice, c.fe, same, err)
		}
	}
}

func TestTally(t *testing.T) {
	f := open(t, frontend.Plan(nil, nil))
	stereo := audio.Clip{Samples: slices.Repeat([]float32{0.5, -0.5, 0.5, 0.5}, 22050), Channels: 2, Rate: 44100}
	nan := tone(8000, 300, 0, time.Second, 0)
	nan.Samples[3] = float32(math.NaN())
	got := f.Tally([]audio.Clip{
		tone(8000, 300, 0, 500*time.Millisecond, 0),
		tone(8000, 300, 100*time.Millisecond, 1300*time.Millisecond, 0),
		stereo,
		{Samples: make([]float32, 8000), Channels: 1, Rate: 8000},
		nan,
		{},
	})
	want := frontend.Tally{Clips: 6, Cut: 1, Padded: 1, Trimmed: got.Trimmed, Resampled: 1, MixedDown: 1, Stereo: 1, Two: 1, Silent: 1, Unusable: 2}
	if got != want || got.Trimmed < 1 {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A finer transform has a higher ceiling, a coarser one a lower; what is cut and clamped is counted.
func TestCeiling(t *testing.T) {
	clips := tones(8000)
	fe := frontend.PlanFor(clips)
	measure := func(o frontend.Overrides, clips []audio.Clip) frontend.Ceiling {
		t.Helper()
		c, err := frontend.MeasureCeiling(t.Context(), o.Apply(fe), clips, 1)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	usual, fine, coarse := measure(frontend.Overrides{}, clips), measure(frontend.Overrides{Mels: 192}, clips), measure(frontend.Overrides{Mels: 16}, clips)
	if !(fine.LogSpectral < usual.LogSpectral && usual.LogSpectral < coarse.LogSpectral) || !(fine.SpectralSNR > usual.SpectralSNR && usual.SpectralSNR > coarse.SpectralSNR) {
		t.Errorf("192 filters %+v\n 64 %+v\n 16 %+v", fine, usual, coarse)
	}
	if usual.Cut != 0 || usual.Clamped != 0 || usual.Clips != len(clips) {
		t.Errorf("%+v", usual)
	}
	if c := measure(frontend.Overrides{Frames: 16}, clips); c.Cut != 1 || c.Lost < 0.05 || c.Lost > 0.9 {
		t.Errorf("16 frames: %+v", c)
	}
	if c := measure(frontend.Overrides{}, gained(clips, 100)); c.Clamped == 0 {
		t.Errorf("40 dB louder: %+v", c)
	}
	if again, was := asJSON(t, measure(frontend.Overrides{}, clips)), asJSON(t, usual); again != was {
		t.Errorf("the same seed gives %s and %s", was, again)
	}
	silent := []audio.Clip{{Samples: make([]float32, 8000), Channels: 1, Rate: 8000}}
	if _, err := frontend.MeasureCeiling(t.Context(), fe, silent, 1); err == nil {
		t.Error("silence alone: no error")
	}
	if _, err := frontend.MeasureCeiling(t.Context(), models.FrontEnd{}, clips, 1); err == nil {
		t.Error("no front end: no error")
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
