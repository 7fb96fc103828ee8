package sampling_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"wavemill/audio/stereo"
	"wavemill/audio/timbre"
	"wavemill/audio/wav"
	"wavemill/models/sampling"
)

// TestLongClips: a held sound is continued to the length that is asked for, and where its segments are joined it moves no
// more than elsewhere.
func TestLongClips(t *testing.T) {
	s := organSampler(t)
	for _, label := range []string{"tone", "wind"} {
		p := sampling.Provenance{Label: label, Seed: 5, Shape: sampling.Shape{Duration: 8}}
		c, file := generated(t, s, p)
		if n := c.Audio.Frames(); n != 8*c.Audio.Rate {
			t.Errorf("%s: %d samples, want 8 s", label, n)
		}
		seams, fade, err := s.Seams(t.Context(), p)
		if err != nil || len(seams) < 8 {
			t.Fatalf("%s: %d seams, %v", label, len(seams), err)
		}
		// The beginning and the end of the sound are no part of its interior.
		change, at := flux(c.Audio.Samples[:len(c.Audio.Samples)*9/10], c.Audio.Rate)
		change, at = change[25:], at[25:]
		seam, interior := near(change, at, seams, fade/2)
		limit := valueAt(interior, 0.95)
		over := 0
		for _, v := range seam {
			if v > limit {
				over++
			}
		}
		share := float64(over) / float64(len(seam))
		t.Logf("%s: %d seams, median flux %.2f dB, in the interior %.2f, its 95th percentile %.2f; %.0f %% of the seams' flux lies above", label, len(seams), valueAt(seam, 0.5), valueAt(interior, 0.5), limit, 100*share)
		if valueAt(seam, 0.9) > limit {
			t.Errorf("%s: seams are heard", label)
		}
		// The same request, the same bytes; and the file tells how.
		_, again := generated(t, s, p)
		got, _, err := sampling.ReadProvenance(file)
		if string(file) != string(again) || err != nil || got.Duration != 8 {
			t.Errorf("%s: %+v, %v", label, got, err)
		}
	}
}

// TestHardJoinIsHeard: the measure of TestLongClips tells a seam without a fade.
func TestHardJoinIsHeard(t *testing.T) {
	s := organSampler(t)
	var x []float32
	var seams []int
	for seed := range uint64(8) {
		c, _ := generated(t, s, sampling.Provenance{Label: "tone", Seed: seed})
		if seed > 0 {
			seams = append(seams, len(x))
		}
		x = append(x, c.Audio.Samples[2000:9000]...)
	}
	change, at := flux(x, 16000)
	seam, interior := near(change, at, seams, 128)
	if valueAt(seam, 0.5) <= valueAt(interior, 0.95) {
		t.Errorf("the flux at hard joins is %.2f dB, within the interior's %.2f", valueAt(seam, 0.5), valueAt(interior, 0.95))
	}
}

// TestShortClips: a shorter clip is cut with a fade, whatever it is.
func TestShortClips(t *testing.T) {
	s := organSampler(t)
	for _, label := range organLabels {
		c, _ := generated(t, s, sampling.Provenance{Label: label, Seed: 1, Shape: sampling.Shape{Duration: 0.25}})
		if n := c.Audio.Frames(); n != 4000 || math.Abs(float64(c.Audio.Samples[n-1])) > 1e-3 {
			t.Errorf("%s: %d samples, the last is %g", label, n, c.Audio.Samples[n-1])
		}
	}
}

// TestLoops: the end of a loop goes on as its beginning, and the file says so.
func TestLoops(t *testing.T) {
	s := organSampler(t)
	for _, tc := range []struct {
		label   string
		seconds float64
	}{{"tone", 0}, {"tone", 3}, {"wind", 2}, {"wind", 0}} {
		c, file := generated(t, s, sampling.Provenance{Label: tc.label, Seed: 9, Shape: sampling.Shape{Duration: tc.seconds, Loop: true}})
		x, rate := c.Audio.Samples, c.Audio.Rate
		if d := c.Audio.Duration().Seconds(); tc.seconds > 0 && math.Abs(d-tc.seconds) > 0.02 || d < 0.1 {
			t.Errorf("%s: %g s, want %g", tc.label, d, tc.seconds)
		}
		twice := append(append([]float32{}, x...), x...)
		change, at := flux(twice, rate)
		wrapped, interior := near(change, at, []int{len(x) + rate/40}, rate/30) // the fade of 50 ms begins at the wrap
		if got, limit := valueAt(wrapped, 0.5), valueAt(interior, 0.95); got > limit {
			t.Errorf("%s of %g s: flux at the wrap %.2f dB, 95 %% of the interior below %.2f", tc.label, tc.seconds, got, limit)
		}
		steps := make([]float64, len(x)-1)
		for i := range steps {
			steps[i] = math.Abs(float64(x[i+1]) - float64(x[i]))
		}
		if step := math.Abs(float64(x[0]) - float64(x[len(x)-1])); step > valueAt(steps, 1) {
			t.Errorf("%s: a step of %g at the wrap", tc.label, step)
		}
		_, h, err := wav.Decode(file)
		if err != nil || h.Sampler == nil || len(h.Sampler.Loops) != 1 || h.Sampler.Loops[0] != (wav.Loop{Start: 0, End: int64(len(x))}) {
			t.Errorf("%s: the file says %+v, %v", tc.label, h.Sampler, err)
		}
		if tone := tc.label == "tone"; tone != (c.Tone > 0) || tone && h.Sampler != nil && h.Sampler.Note != 57 && h.Sampler.Note != 56 {
			t.Errorf("%s: pitch %g Hz, note %+v", tc.label, c.Tone, h.Sampler)
		}
	}
}

// TestShapesOfTwoChannels: long clips and loops of two channels have the length that was asked for, stay where the sound is, and go
// on at the wrap in both channels; a struck sound is refused as in one channel.
func TestShapesOfTwoChannels(t *testing.T) {
	s := organOf(t, 2)
	for _, label := range []string{"tone", "wind"} {
		for _, shape := range []sampling.Shape{{Duration: 3}, {Duration: 1.5, Loop: true}, {Loop: true}} {
			c, file := generated(t, s, sampling.Provenance{Label: label, Seed: 9, Shape: shape})
			frames, rate := c.Audio.Frames(), c.Audio.Rate
			if c.Audio.Channels != 2 || len(c.Audio.Samples) != 2*frames {
				t.Fatalf("%s %+v: %d channels", label, shape, c.Audio.Channels)
			}
			if off := float64(frames)/float64(rate) - shape.Duration; shape.Duration > 0 && math.Abs(off) > 0.02 || !shape.Loop && off != 0 {
				t.Errorf("%s %+v: %d frames", label, shape, frames)
			}
			// Each segment stands at its own place, a dB or two about the mean; where they are joined, in between.
			if place := stereo.PlaceOf(c.Audio); math.Abs(place.Pan+organPan) > 2.5 {
				t.Errorf("%s %+v: pan %.2f dB", label, shape, place.Pan)
			}
			if !shape.Loop {
				continue
			}
			for channel := range 2 {
				x := make([]float32, frames)
				most := 0.0
				for i := range x {
					x[i] = c.Audio.Samples[2*i+channel]
					if i > 0 {
						most = max(most, math.Abs(float64(x[i])-float64(x[i-1])))
					}
				}
				if step := math.Abs(float64(x[0]) - float64(x[frames-1])); step > most {
					t.Errorf("%s %+v: a step of %g at the wrap of channel %d, at most %g elsewhere", label, shape, step, channel, most)
				}
				change, at := flux(append(append([]float32{}, x...), x...), rate)
				wrapped, interior := near(change, at, []int{frames + rate/40}, rate/30)
				if got, limit := valueAt(wrapped, 0.5), valueAt(interior, 0.95); got > limit {
					t.Errorf("%s %+v: flux at the wrap %.2f dB, 95 %% of the interior below %.2f", label, shape, got, limit)
				}
			}
			if _, h, err := wav.Decode(file); err != nil || h.Sampler == nil || h.Sampler.Loops[0].End != int64(frames) {
				t.Errorf("%s %+v: the file says %+v, %v", label, shape, h.Sampler, err)
			}
		}
	}
	for _, shape := range []sampling.Shape{{Duration: 4}, {Loop: true}} {
		if _, err := s.Generate(t.Context(), sampling.Provenance{Label: "pluck", Seed: 2, Shape: shape}); !errors.Is(err, sampling.ErrUnreachable) {
			t.Errorf("pluck %+v: %v", shape, err)
		}
	}
}

// TestPitches: clips with a pitch get the one that is asked for, within 10 cents.
func TestPitches(t *testing.T) {
	s := organSampler(t)
	for _, tc := range []struct {
		hz    float64
		shape sampling.Shape
	}{{220, sampling.Shape{}}, {130.81, sampling.Shape{}}, {392, sampling.Shape{Duration: 2}}, {261.63, sampling.Shape{Duration: 1.5, Loop: true}}} {
		tc.shape.Pitch = tc.hz
		c, _ := generated(t, s, sampling.Provenance{Label: "tone", Seed: 4, Shape: tc.shape})
		// Counted by another measure: the strongest of many harmonic series.
		if hz := strongest(c.Audio.Samples, c.Audio.Rate, tc.hz); math.Abs(timbre.Cents(tc.hz, hz)) > 10 {
			t.Errorf("%+v: %.2f Hz, %.1f cents off", tc.shape, hz, timbre.Cents(tc.hz, hz))
		}
		if facts := c.Facts(); facts.Cents == nil || math.Abs(*facts.Cents) > 10 || facts.Tone != c.Tone {
			t.Errorf("%+v: %+v", tc.shape, facts)
		}
		if d := c.Audio.Duration().Seconds(); tc.shape.Duration > 0 && math.Abs(d-tc.shape.Duration) > 0.02 {
			t.Errorf("%+v: %g s long", tc.shape, d)
		}
	}
}

// strongest is the frequency near hz whose first partials have the most of a signal.
func strongest(x []float32, rate int, hz float64) float64 {
	best, most := 0.0, -1.0
	for cents := -60.0; cents <= 60; cents += 2 {
		f := hz * math.Exp2(cents/1200)
		sum := 0.0
		for partial := 1.0; partial <= 5; partial++ {
			var re, im float64
			step := 2 * math.Pi * f * partial / float64(rate)
			turn := complex(math.Cos(step), math.Sin(step))
			at := complex(1, 0)
			for i, v := range x {
				w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(x)))
				re, im = re+w*float64(v)*real(at), im+w*float64(v)*imag(at)
				at *= turn
			}
			sum += math.Hypot(re, im) * partial
		}
		if sum > most {
			best, most = f, sum
		}
	}
	return best
}

// TestUnreachable: what a sound cannot have is refused, with what it can.
func TestUnreachable(t *testing.T) {
	s := organSampler(t)
	for name, tc := range map[string]struct {
		label string
		shape sampling.Shape
		want  string
	}{
		"a long pluck":    {"pluck", sampling.Shape{Duration: 4}, "ends after 0."},
		"a looped pluck":  {"pluck", sampling.Shape{Loop: true}, "no part of it is held"},
		"pitched wind":    {"wind", sampling.Shape{Pitch: 200}, "no pitch"},
		"three octaves":   {"tone", sampling.Shape{Pitch: 1760}, "can be reached, not 1760.0 Hz"},
		"five minutes":    {"tone", sampling.Shape{Duration: 301}, "duration 301 s"},
		"no pitch at all": {"tone", sampling.Shape{Pitch: math.NaN()}, "pitch NaN Hz"},
	} {
		_, err := s.Generate(t.Context(), sampling.Provenance{Label: tc.label, Seed: 2, Shape: tc.shape})
		if err == nil || !strings.Contains(err.Error(), tc.want) || tc.shape.Validate() == nil && !errors.Is(err, sampling.ErrUnreachable) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestParseNote(t *testing.T) {
	for text, want := range map[string]float64{"A4": 440, "69": 440, "C4": 261.6256, "c#3": 138.5913, "Bb2": 116.5409, "C-1": 8.1758, "0": 8.1758, "G9": 12543.85} {
		if hz, err := sampling.ParseNote(text); err != nil || math.Abs(hz/want-1) > 1e-6 {
			t.Errorf("%s is %g Hz, %v", text, hz, err)
		}
	}
	for _, text := range []string{"", "H4", "A", "128", "-1", "A10", "G#9", "A4 "} {
		if hz, err := sampling.ParseNote(text); err == nil {
			t.Errorf("%q is %g Hz", text, hz)
		}
	}
}

// TestShapeFlags: fields of a plan become the shape, and the names of files.
func TestShapeFlags(t *testing.T) {
	seconds, zero := 2.5, 0.0
	p := sampling.Plan{Labels: []string{"tone"}, Duration: &seconds, Loop: true, NoteName: "A3"}
	kinds, err := p.Kinds([]string{"tone"}, nil)
	if err != nil || kinds[0].FileName(7) != "tone_2.5s-loop-220Hz_7.wav" || kinds[0].Shape != (sampling.Shape{Duration: 2.5, Loop: true, Pitch: 220}) {
		t.Errorf("%+v, %v", kinds, err)
	}
	for want, p := range map[string]sampling.Plan{
		"duration 0": {Duration: &zero}, "pitch 0": {Pitch: &zero}, "contradict": {Pitch: &seconds, NoteName: "A4"}, "note \"x\"": {NoteName: "x"}, "pitch 2.5": {Pitch: &seconds},
	} {
		p.Labels = []string{"tone"}
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
