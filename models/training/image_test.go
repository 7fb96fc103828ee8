package training

import (
	"strings"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
)

func two() models.FrontEnd {
	fe := models.FrontEnd{Spectrogram: spectrogram.Default(8000), Frames: 32}
	fe.Spectrogram.Channels = 2
	return fe
}

// A plan says how many channels there are and why, and nothing where there is nothing to say.
func TestChannelLines(t *testing.T) {
	for want, p := range map[string]Plan{
		"channels  2: 1,200 of 1,500 recordings have two, and in 900 these differ; 280 of one channel stand in the middle; 20 of more than two are mixed down and stand in the middle\n" +
			"          16 of the 80 bins hold pan and width; --mono mixes down instead": {FrontEnd: two(), Clips: frontend.Tally{Clips: 1500, Two: 1200, Stereo: 900, Middle: 280, MixedDown: 20}},
		"channels  1: 3 of 9 recordings have two, and in 2 these differ; recordings are mixed down, 1 with one channel inverted, because they cancel": {
			FrontEnd: frontend.Overrides{Mono: true}.Apply(two()), Clips: frontend.Tally{Clips: 9, Two: 3, Stereo: 2, Inverted: 1, MixedDown: 3},
		},
		"": {FrontEnd: frontend.Overrides{Mono: true}.Apply(two()), Clips: frontend.Tally{Clips: 9}},
	} {
		if got := strings.Join(p.channelLines(), "\n"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := imageLines(&frontend.Image{Clips: 7, Pan: 0.06, PanMost: 0.24, Width: 0.2, WidthMost: 0.9}); len(got) != 1 || got[0] != "          place: pan 0.06 dB off (a tenth by more than 0.2), width 0.20 dB off (0.9), of 7 recordings" {
		t.Errorf("%q", got)
	}
	if imageLines(nil) != nil || imageWarnings(two(), nil) != nil || imageWarnings(two(), &frontend.Image{Pan: 1, Width: 1}) != nil {
		t.Error("something is said where there is nothing to say")
	}
	if got := imageWarnings(two(), &frontend.Image{Pan: 0.2, Width: 1.4}); len(got) != 1 || !strings.Contains(got[0], "width 1.4 dB") {
		t.Errorf("%q", got)
	}
}

// Labels that a classifier does not tell apart are named before a training; --mono is, where panning may be the reason.
func TestLabelWarning(t *testing.T) {
	mono := frontend.Overrides{Mono: true}.Apply(two())
	for _, c := range []struct {
		real    float64
		fe      models.FrontEnd
		stereo  int
		warn    bool
		panning bool
	}{
		{0.5, mono, 10, true, true}, {0.62, mono, 0, true, false}, {0.5, two(), 10, true, false}, {0.7, mono, 10, false, false}, {1, two(), 10, false, false},
	} {
		got := strings.Join(Ceiling{Classifier: &CeilingLabels{Clips: 40, Real: c.real}}.labelWarning(c.fe, 2, c.stereo), "\n")
		if (got != "") != c.warn || strings.Contains(got, "leave --mono out") != c.panning {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if got := (Ceiling{}).labelWarning(mono, 2, 10); got != nil {
		t.Errorf("no classifier: %q", got)
	}
}

// The first line of a plan says where filters are narrower than those of the mel scale.
func TestPlanSaysWhereFiltersAreNarrow(t *testing.T) {
	fe := frontend.Overrides{MelFormula: spectrogram.FormulaKnee, Mels: 48}.Apply(models.FrontEnd{Spectrogram: spectrogram.Default(22050), Frames: 32})
	if got := (Plan{FrontEnd: fe}).Lines()[0]; !strings.Contains(got, "48 mel bins up to 11025 Hz, one per bin of the transform below 2") {
		t.Error(got)
	}
	if got := (Plan{FrontEnd: two()}).Lines()[0]; !strings.HasSuffix(got, "80 mel bins up to 4000 Hz") {
		t.Error(got)
	}
}
