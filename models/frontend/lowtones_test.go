package frontend_test

import (
	"fmt"
	"math"
	"math/cmplx"
	"testing"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models/frontend"
)

// held returns 0.6 s of a vowel-like tone, from which the front end for one-shots is farther than a mel scale, because it loses where
// partials above 1 kHz are.
func held(hz float64, rate int) audio.Clip {
	c := audio.Clip{Samples: make([]float32, rate*6/10), Channels: 1, Rate: rate, Label: fmt.Sprint(hz)}
	for k := 1; hz*float64(k) < 0.4*float64(rate); k++ {
		a := 0.3 * math.Pow(float64(k), -0.7)
		if k == 1 {
			a = 0.5
		}
		phasor, turn := cmplx.Rect(a, float64(k*k)), cmplx.Rect(1, 2*math.Pi*hz*float64(k)/float64(rate))
		for i := range c.Samples {
			t := float64(i) / float64(rate)
			fade := math.Min(1, math.Min(t, 0.6-t)/0.02)
			c.Samples[i] += float32(0.3 * fade * imag(phasor))
			phasor *= turn
		}
	}
	return c
}

// TestPlanKeepsLowTones plans for tones whose pitch Slaney's filters lose, and for tones that they keep.
func TestPlanKeepsLowTones(t *testing.T) {
	for _, test := range []struct {
		name    string
		lowest  float64
		rate    int
		formula string
	}{
		{"bass at 44.1 kHz", 50, 44100, spectrogram.FormulaKnee},
		{"bass at 22.05 kHz", 55, 22050, spectrogram.FormulaKnee},
		{"above the range of low tones", 400, 22050, spectrogram.FormulaSlaney},
	} {
		t.Run(test.name, func(t *testing.T) {
			var clips []audio.Clip
			for i := range 5 {
				clips = append(clips, held(test.lowest*math.Pow(2, float64(i)/7), test.rate))
			}
			fe := frontend.PlanFor(clips)
			if fe.Spectrogram.MelFormula != test.formula || fe.Spectrogram.Scale != spectrogram.ScaleMel {
				t.Fatalf("%s filters of the scale %s, want %s", fe.Spectrogram.MelFormula, fe.Spectrogram.Scale, test.formula)
			}
			if test.formula != spectrogram.FormulaKnee {
				return
			}
			slaney := frontend.Choice{Overrides: frontend.Overrides{MelFormula: spectrogram.FormulaSlaney}}
			other, err := slaney.Plan(clips)
			if err != nil || other.Spectrogram.Mels != fe.Spectrogram.Mels {
				t.Fatal(err, other.Spectrogram)
			}
			off := func(c frontend.Ceiling, err error) (cents, share float64) {
				if err != nil {
					t.Fatal(err)
				}
				return c.Sound.Pairs.CentsError, c.Sound.Pairs.OffPitch
			}
			cents, share := off(frontend.MeasureCeiling(t.Context(), fe, clips, 1))
			before, _ := off(frontend.MeasureCeiling(t.Context(), other, clips, 1))
			if cents > 10 || share > 0.05 || before < 25 {
				t.Errorf("pitches are %.1f cents off (%.0f %% by more than 50), with Slaney's filters %.1f", cents, 100*share, before)
			}
		})
	}
}

// TestKneeOverride asks for the filters by name, with a number of them.
func TestKneeOverride(t *testing.T) {
	clips := []audio.Clip{held(400, 22050), held(500, 22050)}
	choice := frontend.Choice{Overrides: frontend.Overrides{MelFormula: spectrogram.FormulaKnee, Mels: 64}}
	fe, err := choice.Plan(clips)
	if err != nil {
		t.Fatal(err)
	}
	c := fe.Spectrogram
	if c.MelFormula != spectrogram.FormulaKnee || c.Mels != 64 || c.FMin != 0 || !(c.Knee > 0 && c.Knee < c.FMax) {
		t.Errorf("%+v", c)
	}
	if ok, err := choice.Matches(fe); !ok || err != nil {
		t.Error("the front end does not match the choice that made it", err)
	}
	more := frontend.Overrides{Mels: 96}.Apply(fe).Spectrogram
	if more.Knee <= c.Knee {
		t.Errorf("96 filters have a knee at %g Hz, 64 at %g", more.Knee, c.Knee)
	}
	if back := (frontend.Overrides{MelFormula: spectrogram.FormulaHTK}).Apply(fe).Spectrogram; back.Knee != 0 || back.Validate() != nil {
		t.Errorf("with HTK's formula: %+v", back)
	}
}
