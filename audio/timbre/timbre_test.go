package timbre_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wavemill/audio"
	"wavemill/audio/timbre"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %v, want %v within %v", what, got, want, tolerance)
	}
}

func TestPitchOfATone(t *testing.T) {
	for _, hz := range []float64{45, 52.3, 60, 87.31, 130, 180} {
		m := timbre.Measure(sound(0.5, func(t float64) float64 { return 0.5 * math.Exp(-3*t) * math.Sin(2*math.Pi*hz*t) }), 86)
		near(t, "cents", timbre.Cents(hz, m.Pitch), 0, 1)
		near(t, "warble", m.Warble, 0, 0.2)
	}
}

// TestModulation checks Flutter, Line and Warble against modulations of known depth: the level of 1 + d sin has a standard
// deviation of about 20 log10(e) d / sqrt(2) dB.
func TestModulation(t *testing.T) {
	const depth, hop = 0.2, 100.0
	want := 20 * math.Log10E * depth / math.Sqrt2
	modulated := func(carrier, by float64) timbre.Measures {
		return timbre.Measure(sound(1, func(t float64) float64 {
			return 0.3 * (1 + depth*math.Sin(2*math.Pi*by*t)) * math.Sin(2*math.Pi*carrier*t)
		}), hop)
	}
	m := modulated(7000, hop)
	smoothed := math.Sin(math.Pi*0.003*hop) / (math.Pi * 0.003 * hop) // What an envelope over 3 ms leaves.
	near(t, "flutter at the hop rate", m.Flutter, want*smoothed, 0.05)
	if m.Line < 30 {
		t.Errorf("the hop line is %.1f dB high, want 30 or more", m.Line)
	}
	if still := modulated(7000, 60); still.Line > 10 {
		t.Errorf("modulation at another rate gives a hop line of %.1f dB", still.Line)
	}
	near(t, "warble", modulated(120, 15).Warble, want, 0.3)
}

func TestFlutterOfNoise(t *testing.T) {
	r := noise(3)
	plain, fluttering := timbre.Measure(hiss(0.8, 1.2, 0, r), 86.13), timbre.Measure(hiss(0.8, 1.2, 0.6, r), 86.13)
	if !(fluttering.Flutter > 2*plain.Flutter && fluttering.Line > plain.Line+15) {
		t.Errorf("plain noise %+v, modulated noise %+v", plain, fluttering)
	}
}

// TestDecay: an exponential decay by 60 dB in t60 has that tail, whatever its level.
func TestDecay(t *testing.T) {
	for _, t60 := range []float64{0.05, 0.3, 1.2} {
		for _, level := range []float64{0.9, 0.01} {
			m := timbre.Measure(sound(2, func(t float64) float64 {
				return level * math.Pow(10, -3*t/t60) * math.Cos(2*math.Pi*3000*t)
			}), 86)
			near(t, "tail", m.Tail, t60, 0.001)
			near(t, "peak", m.Peak, audio.Decibels(level), 0.01)
		}
	}
}

// TestAttack: a linear rise of the amplitude takes 0.8 of its length from 10 to 90 %.
func TestAttack(t *testing.T) {
	for _, ms := range []float64{10, 40} {
		m := timbre.Measure(sound(0.5, func(t float64) float64 {
			return math.Min(1, t*1000/ms) * math.Sin(2*math.Pi*4000*t)
		}), 86)
		near(t, "attack", m.Attack, 0.8*ms, 1)
	}
}

func TestPersistence(t *testing.T) {
	r := noise(7)
	near(t, "noise", timbre.Measure(hiss(2, 3, 0, r), 86).Persistence, 0, 0.025)
	var last float64
	dull := sound(2, func(float64) float64 {
		last += 0.1 * (r.NormFloat64() - last)
		return 0.2 * last
	})
	near(t, "noise with a slope", timbre.Measure(dull, 86).Persistence, 0, 0.025)
	var hz, phase [60]float64
	for k := range hz {
		hz[k], phase[k] = 2000+14000*r.Float64(), 2*math.Pi*r.Float64()
	}
	ringing := timbre.Measure(sound(1, func(t float64) float64 {
		var sum float64
		for k := range hz {
			sum += math.Sin(2*math.Pi*hz[k]*t + phase[k])
		}
		return 0.005 * math.Exp(-2*t) * sum
	}), 86)
	if ringing.Persistence < 0.8 {
		t.Errorf("partials that ring persist by %.2f, want 0.8 or more", ringing.Persistence)
	}
}

// TestScale: only the peak depends on the level, to levels that no recording has.
func TestScale(t *testing.T) {
	c := drum(60, 0.4, noise(5))
	want := timbre.Measure(c, 86.13)
	for _, by := range []float32{1e-20, 1e-3, 1e30} {
		got := timbre.Measure(scaled(c, by), 86.13)
		near(t, "peak", got.Peak, want.Peak+audio.Decibels(float64(by)), 0.01)
		got.Peak = want.Peak
		got.Warble = want.Warble // Its floor is an absolute level.
		if d := cmp.Diff(want, got, cmpopts.EquateApprox(1e-3, 1e-3), cmpopts.EquateNaNs()); d != "" {
			t.Errorf("scaled by %g: %s", by, d)
		}
	}
}

func TestUndefined(t *testing.T) {
	bad := map[string]audio.Clip{
		"empty":       {},
		"no samples":  {Channels: 1, Rate: rate},
		"silence":     sound(1, func(float64) float64 { return 0 }),
		"NaN":         sound(1, func(t float64) float64 { return math.Sqrt(0.5 - t) }),
		"infinite":    sound(1, func(t float64) float64 { return 1 / math.Max(0, t-0.5) }),
		"odd frames":  {Samples: make([]float32, 3), Channels: 2, Rate: rate},
		"no rate":     {Samples: []float32{1}, Channels: 1},
		"absurd rate": {Samples: []float32{1}, Channels: 1, Rate: math.MaxInt},
	}
	for name, c := range bad {
		if d := cmp.Diff(timbre.Undefined(), timbre.Measure(c, 86), cmpopts.EquateNaNs()); d != "" {
			t.Errorf("%s has measures: %s", name, d)
		}
	}
	one := timbre.Measure(audio.Clip{Samples: []float32{0.5}, Channels: 1, Rate: rate}, 86)
	want := timbre.Undefined()
	want.Attack, want.Tail, want.Peak = 0, 1.0/rate, audio.Decibels(0.5)
	if d := cmp.Diff(want, one, cmpopts.EquateNaNs()); d != "" {
		t.Errorf("one sample: %s", d)
	}
	for _, hop := range []float64{math.NaN(), -1, 0, 1e9} {
		if m := timbre.Measure(hiss(1, 1, 0, noise(1)), hop); !math.IsNaN(m.Line) || math.IsNaN(m.Flutter) {
			t.Errorf("a hop rate of %v Hz: line %v, flutter %v", hop, m.Line, m.Flutter)
		}
	}
}

func TestAll(t *testing.T) {
	r := noise(4)
	clips := []audio.Clip{drum(50, 0.4, r), hiss(0.3, 0.6, 0, r), {}, drum(90, 0.2, r), hiss(0.1, 0.2, 0, r)}
	got := timbre.All(clips, 86)
	for i, c := range clips {
		if d := cmp.Diff(timbre.Measure(c, 86), got[i], cmpopts.EquateNaNs()); d != "" {
			t.Errorf("clip %d: %s", i, d)
		}
	}
	if len(got) != len(clips) || len(timbre.All(nil, 86)) != 0 {
		t.Errorf("%d measures of %d clips", len(got), len(clips))
	}
}

// TestLowRates: a clip below 8 kHz has no band whose flutter could be heard, and its pitch.
func TestLowRates(t *testing.T) {
	m := timbre.Measure(resampled(drum(60, 0.5, noise(2)), 4000), 86)
	if !math.IsNaN(m.Flutter) || !math.IsNaN(m.Line) || !math.IsNaN(m.Persistence) {
		t.Errorf("at 4 kHz %+v", m)
	}
	near(t, "cents", timbre.Cents(60, m.Pitch), 0, 20)
}

func TestLongClip(t *testing.T) {
	long := sound(70, func(t float64) float64 { return 0.5 * math.Sin(2*math.Pi*60*t) })
	near(t, "tail", timbre.Measure(long, 86).Tail, 60, 0.01)
}

func TestCompare(t *testing.T) {
	low, high := timbre.Undefined(), timbre.Undefined()
	low.Pitch, low.Tail, low.Peak = 50, 0.4, -3
	high.Pitch, high.Tail, high.Peak, high.Attack = 53, 0.2, -9, 4
	nothing := timbre.Undefined()
	got := timbre.Compare(
		map[string][]timbre.Measures{"snare": {low}, "kick": {low, low, nothing}, "hat": {nothing}},
		map[string][]timbre.Measures{"kick": {high, nothing}, "hat": {nothing}, "tom": {high}},
	)
	if len(got) != 2 || got[0].Label != "hat" || got[1].Label != "kick" || got[1].ReferenceClips != 3 || got[1].OtherClips != 2 {
		t.Fatalf("compared %+v", got)
	}
	kick := got[1]
	near(t, "ratio of pitches", kick.Ratio().Pitch, 1.06, 1e-9)
	near(t, "ratio of tails", kick.Ratio().Tail, 0.5, 1e-9)
	near(t, "difference of peaks", kick.Difference().Peak, -6, 1e-9)
	if !math.IsNaN(kick.Difference().Attack) || !math.IsNaN(got[0].Ratio().Pitch) {
		t.Errorf("undefined measures are compared: %+v", got)
	}
}

func TestPairs(t *testing.T) {
	before, after := timbre.Undefined(), timbre.Undefined()
	before.Pitch, before.Attack, before.Tail, before.Peak = 50, 2, 0.5, -1
	after.Pitch, after.Attack, after.Tail, after.Peak = 50*math.Pow(2, -1.0/12), 5, 0.4, -4
	flat := timbre.NewPair(before, after)
	near(t, "cents", flat.Cents, -100, 1e-9)
	s := timbre.Summarise([]timbre.Pair{flat, timbre.NewPair(before, before), flat, timbre.NewPair(before, timbre.Undefined())})
	near(t, "median of cents", s.Cents, -100, 1e-9)
	near(t, "error in cents", s.CentsError, 100, 1e-9)
	near(t, "share off", s.OffPitch, 2.0/3, 1e-9)
	near(t, "attack", s.Attack, 3, 1e-9)
	near(t, "tail", s.Tail, 0.8, 1e-9)
	near(t, "level", s.Level, -3, 1e-9)
	if s.Count != 4 || s.Pitched != 3 {
		t.Errorf("%d pairs, %d with a pitch, want 4 and 3", s.Count, s.Pitched)
	}
}

func TestJSON(t *testing.T) {
	m := timbre.Undefined()
	m.Pitch, m.Tail = 51.5, 0.25
	b, err := json.Marshal(m)
	if err != nil || string(b) != `{"pitch_hz":51.5,"tail_s":0.25}` {
		t.Fatalf("%s, %v", b, err)
	}
	var back timbre.Measures
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, back, cmpopts.EquateNaNs()); d != "" {
		t.Error(d)
	}
	pairs := timbre.Summarise([]timbre.Pair{timbre.NewPair(m, m)})
	if b, err = json.Marshal(pairs); err != nil || string(b) != `{"pairs":1,"pitched":1,"cents":0,"cents_error":0,"off_pitch":0,"tail_ratio":1}` {
		t.Fatalf("%s, %v", b, err)
	}
	var again timbre.Pairs
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(pairs, again, cmpopts.EquateNaNs()); d != "" {
		t.Error(d)
	}
	if err := json.Unmarshal([]byte(`{"pitch_hz":"low"}`), &back); err == nil {
		t.Error("a pitch that is not a number is accepted")
	}
}

func BenchmarkMeasure(b *testing.B) {
	c := hiss(0.8, 1, 0, noise(1))
	for i, v := range drum(52, 0.9, noise(1)).Samples {
		c.Samples[i] += v
	}
	meter := timbre.NewMeter(86)
	for b.Loop() {
		meter.Measure(c)
	}
}
