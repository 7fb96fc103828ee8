package training

import (
	"math"
	"strings"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/audio/timbre"
	"wavemill/models"
	"wavemill/models/frontend"
)

// TestSoundWarnings checks what is advised for each fault of a round trip, and that a good one is not warned of.
func TestSoundWarnings(t *testing.T) {
	measures := func(attack, flutter float64) timbre.Measures {
		m := timbre.Undefined()
		m.Attack, m.Flutter = attack, flutter
		return m
	}
	good := frontend.Sound{
		Pairs:  timbre.Pairs{Pitched: 20, CentsError: 3, OffPitch: 0.05, Attack: 0.2, Tail: 1.01, Level: 0.3},
		Before: measures(4, 1.2), After: measures(4.2, 1.3),
	}
	mel := models.FrontEnd{Spectrogram: spectrogram.Default(22050), Frames: 64}
	narrow := frontend.Overrides{MelFormula: spectrogram.FormulaKnee}.Apply(mel)
	shot := models.FrontEnd{Spectrogram: spectrogram.OneShot(44100), Frames: 64}
	with := func(change func(*frontend.Sound)) frontend.Sound {
		s := good
		change(&s)
		return s
	}
	flat := with(func(s *frontend.Sound) { s.Pairs.CentsError, s.Pairs.OffPitch = 90, 0.6 })
	for _, test := range []struct {
		name string
		fe   models.FrontEnd
		s    frontend.Sound
		want string
	}{
		{"nothing to warn of", mel, good, ""},
		{"nothing that is defined", mel, with(func(s *frontend.Sound) {
			s.Pairs = timbre.Pairs{CentsError: math.NaN(), OffPitch: math.NaN(), Attack: math.NaN(), Tail: math.NaN(), Level: math.NaN()}
			s.Before, s.After = timbre.Undefined(), timbre.Undefined()
		}), ""},
		{"too few low tones", mel, with(func(s *frontend.Sound) { s.Pairs.CentsError, s.Pairs.OffPitch, s.Pairs.Pitched = 600, 1, 4 }), ""},
		{"some low tones", mel, with(func(s *frontend.Sound) { s.Pairs.CentsError, s.Pairs.OffPitch, s.Pairs.Pitched = 600, 1, 5 }), "--mel-formula knee"},
		{"low tones, mel scale", mel, flat, "--mel-formula knee"},
		{"low tones, narrow filters", narrow, flat, "--mels 160"},
		{"low tones, one-shots", shot, flat, "--n-fft 4096 for a mel scale"},
		{"attacks", mel, with(func(s *frontend.Sound) { s.Pairs.Attack = 9 }), "--n-fft 512"},
		{"noise", mel, with(func(s *frontend.Sound) { s.After.Flutter = 3 }), "flutters"},
		{"tails", mel, with(func(s *frontend.Sound) { s.Pairs.Tail = 0.5 }), "--frames 128"},
		{"levels", mel, with(func(s *frontend.Sound) { s.Pairs.Level = -5 }), "-5.0 dB"},
	} {
		got := soundWarnings(test.fe, test.s)
		if test.want == "" {
			if len(got) != 0 {
				t.Errorf("%s: %q", test.name, got)
			}
			continue
		}
		if len(got) != 1 || !strings.Contains(got[0], test.want) {
			t.Errorf("%s: %q, want one warning with %q", test.name, got, test.want)
		}
	}
}
