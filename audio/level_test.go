package audio

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %v, want %v within %v", what, got, want, tolerance)
	}
}

func TestLevels(t *testing.T) {
	sine := Clip{Samples: tone(1000, 48000, 48000), Channels: 1, Rate: 48000}
	near(t, "peak", sine.Peak(), 1, 1e-6)
	near(t, "RMS", sine.RMS(), math.Sqrt(0.5), 1e-6)
	near(t, "peak of a negative sample", Clip{Samples: []float32{0.1, -0.7, 0.2}, Channels: 1, Rate: 1}.Peak(), 0.7, 1e-7)
	near(t, "levels of nothing", Clip{Channels: 1, Rate: 1}.Peak()+Clip{Channels: 1, Rate: 1}.RMS(), 0, 0)
	near(t, "decibels", Decibels(0.5), -6.0206, 1e-4)
	near(t, "amplitude", Amplitude(-20), 0.1, 1e-12)
	long := Clip{Samples: make([]float32, 1<<22), Channels: 1, Rate: 48000}
	for i := range long.Samples {
		long.Samples[i] = 0.3
	}
	near(t, "RMS of a long clip", long.RMS(), 0.3, 1e-6)
}

// sequence is stereo 1 kHz tone, alike in both channels, of so many seconds at so many dBFS each.
func sequence(rate int, parts ...[2]float64) Clip {
	c := Clip{Channels: 2, Rate: rate}
	for _, p := range parts {
		for _, v := range tone(1000, rate, int(p[0]*float64(rate))) {
			v *= float32(Amplitude(p[1]))
			c.Samples = append(c.Samples, v, v)
		}
	}
	return c
}

// TestLUFS holds the meter to the compliance signals of EBU Tech 3341 (2016), table 1, which allow
// 0.1 LU, at the standard's rate and at two others.
func TestLUFS(t *testing.T) {
	for _, rate := range []int{48000, 44100, 16000} {
		near(t, "case 1", sequence(rate, [2]float64{20, -23}).LUFS(), -23, 0.1)
		near(t, "case 2", sequence(rate, [2]float64{20, -33}).LUFS(), -33, 0.1)
		near(t, "case 3", sequence(rate, [2]float64{10, -36}, [2]float64{60, -23}, [2]float64{10, -36}).LUFS(), -23, 0.1)
		near(t, "case 4", sequence(rate, [2]float64{10, -72}, [2]float64{10, -36}, [2]float64{60, -23}, [2]float64{10, -36}, [2]float64{10, -72}).LUFS(), -23, 0.1)
		near(t, "case 5", sequence(rate, [2]float64{20, -26}, [2]float64{20.1, -20}, [2]float64{20, -26}).LUFS(), -23, 0.1)
	}
	// Case 6: 5.0 with -28 dBFS in L and R, -24 in C, -30 in both surrounds.
	c := Clip{Channels: 5, Rate: 48000}
	for _, v := range tone(1000, 48000, 20*48000) {
		for _, db := range []float64{-28, -28, -24, -30, -30} {
			c.Samples = append(c.Samples, v*float32(Amplitude(db)))
		}
	}
	near(t, "case 6", c.LUFS(), -23, 0.1)
	// BS.1770-4: a full-scale 997 Hz sine in one channel is -3.01 LUFS.
	near(t, "997 Hz", Clip{Samples: tone(997, 48000, 5*48000), Channels: 1, Rate: 48000}.LUFS(), -3.01, 0.02)
	for _, c := range []Clip{{}, {Channels: 1, Rate: 48000}, sequence(48000, [2]float64{0.3, -20}), sequence(48000, [2]float64{5, -80})} {
		if got := c.LUFS(); !math.IsInf(got, -1) {
			t.Errorf("%v of %d channels: %v LUFS, want -Inf", c.Duration(), c.Channels, got)
		}
	}
	// -3.01 of the sine, -0.69 of the offset, -0.29 of the B curve at 200 Hz (207 before the bilinear
	// transform) and 0.04 of its gain.
	near(t, "2 kHz rate", Clip{Samples: tone(200, 2000, 8000), Channels: 1, Rate: 2000}.LUFS(), -3.95, 0.01)
}

func TestLoudnessInBlocks(t *testing.T) {
	c := sequence(8000, [2]float64{1, -20}, [2]float64{1, -10})
	m := NewLoudness(2, 8000)
	for x := c.Samples; len(x) > 0; {
		n := min(len(x), 2*333)
		m.Write(x[:n])
		x = x[n:]
	}
	near(t, "in blocks", m.Integrated(), c.LUFS(), 1e-12)
}

func TestMono(t *testing.T) {
	c := Clip{Samples: []float32{1, 1, 0.5, -0.5, 1, 0}, Channels: 2, Rate: 8000, Label: "x"}
	if got := c.Mono(); !slices.Equal(got.Samples, []float32{1, 0, 0.5}) || got.Channels != 1 || got.Label != "x" {
		t.Errorf("stereo: %+v", got)
	}
	c.Channels = 3
	if got := c.Mono(); !slices.Equal(got.Samples, []float32{2.5 / 3, 0.5 / 3}) {
		t.Errorf("three channels: %+v", got)
	}
	c.Channels = 1
	if got := c.Mono(); &got.Samples[0] != &c.Samples[0] {
		t.Error("a mono clip was copied")
	}
	rapid.Check(t, func(t *rapid.T) { // Equal channels keep their level, whatever their number.
		n := rapid.IntRange(1, 64).Draw(t, "channels")
		v := rapid.Float32Range(-1, 1).Draw(t, "value")
		c := Clip{Samples: slices.Repeat([]float32{v}, n), Channels: n, Rate: 1}
		if got := c.Mono().Samples[0]; math.Abs(float64(got-v)) > 1e-7 {
			t.Fatalf("%d channels of %v have the mean %v", n, v, got)
		}
	})
}

func TestClip(t *testing.T) {
	c := Clip{Samples: make([]float32, 6), Channels: 2, Rate: 4}
	if c.Frames() != 3 || c.Duration() != 750*time.Millisecond || (Clip{}).Frames() != 0 || (Clip{}).Duration() != 0 {
		t.Errorf("%d frames, %v", c.Frames(), c.Duration())
	}
	if got := FramesDuration(48000*3600*24*365, 48000); got != 365*24*time.Hour {
		t.Errorf("a year of 48 kHz is %v", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("channel 2 of 2 was given")
		}
	}()
	c.Channel(2)
}

func TestTrimSilence(t *testing.T) {
	c := Clip{Samples: []float32{0, 0, 0.001, 0, 0.5, 0, 0, -1, 0.002, 0.009, 0, 0}, Channels: 2, Rate: 8000, Label: "x"}
	for _, tc := range []struct {
		db   float64
		want []float32
	}{
		{-80, c.Samples[2:10]},
		{-40, c.Samples[4:8]},
		{-1, c.Samples[6:8]},
		{0, c.Samples},
		{3, c.Samples},
	} {
		got := TrimSilence(c, tc.db)
		if !slices.Equal(got.Samples, tc.want) || got.Label != "x" || got.Rate != 8000 {
			t.Errorf("%v dB: %v, want %v", tc.db, got.Samples, tc.want)
		}
	}
	if got := TrimSilence(Clip{Samples: make([]float32, 8), Channels: 2, Rate: 1}, -40); len(got.Samples) != 0 {
		t.Errorf("silence became %v", got.Samples)
	}
	if got := TrimSilence(Clip{Channels: 1, Rate: 1}, -40); len(got.Samples) != 0 {
		t.Errorf("nothing became %v", got.Samples)
	}
}

func TestFade(t *testing.T) {
	c := Clip{Samples: slices.Repeat([]float32{1}, 20), Channels: 2, Rate: 10}
	got := Fade(c, 400*time.Millisecond, 500*time.Millisecond)
	// 0.5-0.5*cos(pi*k/4) for k = 0..3, and of fifths backwards.
	want := []float32{0, 0.14644662, 0.5, 0.8535534, 1, 0.9045085, 0.6545085, 0.3454915, 0.0954915, 0}
	for i, w := range want {
		near(t, "left", float64(got.Samples[2*i]), float64(w), 1e-6)
		near(t, "right", float64(got.Samples[2*i+1]), float64(w), 1e-6)
	}
	if c.Samples[0] != 1 {
		t.Error("the clip itself was faded")
	}
	if got := Fade(c, 0, 0); &got.Samples[0] != &c.Samples[0] {
		t.Error("no fade makes a copy")
	}
	if got := Fade(c, time.Hour, time.Hour); got.Samples[0] != 0 || got.Samples[19] != 0 || got.Peak() >= 1 {
		t.Errorf("fades longer than the clip: %v", got.Samples)
	}
	if got := Fade(Clip{Channels: 1, Rate: 1}, time.Second, time.Second); got.Frames() != 0 {
		t.Errorf("an empty clip: %v", got)
	}
}
