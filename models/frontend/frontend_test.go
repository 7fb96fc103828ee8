package frontend_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
)

// tone is a decaying harmonic sound with silence around it.
func tone(rate int, hz float64, before, length, after time.Duration) audio.Clip {
	n := func(d time.Duration) int { return int(d.Seconds() * float64(rate)) }
	x := make([]float32, n(before)+n(length)+n(after))
	for i := range n(length) {
		t := float64(i) / float64(rate)
		for k := 1.0; k <= 3; k++ {
			x[n(before)+i] += float32(0.3 / k * math.Exp(-3*t) * math.Sin(2*math.Pi*hz*k*t))
		}
	}
	return audio.Clip{Samples: x, Channels: 1, Rate: rate, Label: "tone"}
}

func open(t testing.TB, fe models.FrontEnd) *frontend.FrontEnd {
	t.Helper()
	f, err := frontend.New(fe)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAnalyzeSaysWhatItDid(t *testing.T) {
	f := open(t, frontend.Plan(nil, nil))
	mono := tone(8000, 300, 0, 500*time.Millisecond, 0)
	stereo := audio.Clip{Channels: 2, Rate: 44100}
	for _, v := range tone(44100, 300, 200*time.Millisecond, 500*time.Millisecond, 100*time.Millisecond).Samples {
		stereo.Samples = append(stereo.Samples, v, v)
	}
	for name, c := range map[string]struct {
		clip audio.Clip
		want string
	}{
		"plain":     {mono, "508ms of silence added"},
		"foreign":   {stereo, "mixed down from 2 channels, resampled from 44100 Hz, 300ms of silence trimmed, 508ms of silence added"},
		"too long":  {tone(8000, 300, 0, 1300*time.Millisecond, 0), "292ms cut off"},
		"one click": {audio.Clip{Samples: []float32{0.5}, Channels: 1, Rate: 8000}, "1.008s of silence added"},
	} {
		s, notes, err := f.Analyze(c.clip)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := notes.String(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if s.Frames != 64 || s.Bins != 64 || len(s.Data) != 4096 {
			t.Errorf("%s: [%d, %d]", name, s.Frames, s.Bins)
		}
		for _, v := range s.Data {
			if !(v >= -1 && v <= 1) {
				t.Fatalf("%s: value %v", name, v)
			}
		}
	}
	// The foreign one is the same sound: its spectrogram is the same but for the resampler's edges.
	a, _, _ := f.Analyze(mono)
	b, _, _ := f.Analyze(stereo)
	var sum float64
	for i := range a.Data {
		sum += math.Abs(float64(a.Data[i] - b.Data[i]))
	}
	if mean := sum / float64(len(a.Data)); mean > 0.01 {
		t.Errorf("mean difference %.4f between a clip and its 44.1 kHz stereo twin", mean)
	}
}

func TestAnalyzeRefuses(t *testing.T) {
	f := open(t, frontend.Plan(nil, nil))
	nan := tone(8000, 300, 0, time.Second, 0)
	nan.Samples[77] = float32(math.NaN())
	for name, c := range map[string]struct {
		clip   audio.Clip
		silent bool
		want   string
	}{
		"empty":    {audio.Clip{Channels: 1, Rate: 8000}, true, "no samples"},
		"zeros":    {audio.Clip{Samples: make([]float32, 8000), Channels: 1, Rate: 8000}, true, "silent"},
		"nan":      {nan, false, "sample 77 is NaN"},
		"zero":     {audio.Clip{}, false, "channels"},
		"bad rate": {audio.Clip{Samples: []float32{1}, Channels: 1, Rate: -1}, false, "rate"},
	} {
		_, _, err := f.Analyze(c.clip)
		if err == nil || errors.Is(err, frontend.ErrSilent) != c.silent || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// There and back, a sound keeps its length, level and spectrum.
func TestRoundTrip(t *testing.T) {
	for _, rate := range []int{8000, 16000, 22050} {
		t.Run(strconv.Itoa(rate), func(t *testing.T) {
			clip := tone(rate, 440, 0, 600*time.Millisecond, 0)
			f := open(t, frontend.PlanFor([]audio.Clip{clip}))
			s, _, err := f.Analyze(clip)
			if err != nil {
				t.Fatal(err)
			}
			b, err := f.Batch([]*spectrogram.Spectrogram{s, s}, []int{0, 0})
			if err != nil {
				t.Fatal(err)
			}
			back, err := f.Synthesize(b, 1, 7)
			if err != nil {
				t.Fatal(err)
			}
			if back.Rate != rate || back.Channels != 1 {
				t.Errorf("%d Hz, %d channels", back.Rate, back.Channels)
			}
			if d := (back.Duration() - clip.Duration()).Seconds(); math.Abs(d) > 0.1 {
				t.Errorf("%v long, was %v", back.Duration(), clip.Duration())
			}
			if d := audio.Decibels(back.RMS() / clip.RMS()); math.Abs(d) > 3 {
				t.Errorf("level changed by %.1f dB", d)
			}
			again, _, err := f.Analyze(back)
			if err != nil {
				t.Fatal(err)
			}
			var sum, spread float64
			for i := range s.Data {
				sum += math.Abs(float64(again.Data[i] - s.Data[i]))
				spread += math.Abs(float64(s.Data[i] + 1))
			}
			if sum > 0.35*spread {
				t.Errorf("the spectrogram changed by %.0f %%", 100*sum/spread)
			}
			twin, err := f.Synthesize(b, 1, 7)
			if err != nil || !slices.Equal(twin.Samples, back.Samples) {
				t.Errorf("the same seed gives other samples (error %v)", err)
			}
		})
	}
}

func TestSynthesizeNeverClipsAndNeverIsSilent(t *testing.T) {
	f := open(t, frontend.Plan(nil, nil))
	frames, bins := f.Shape()
	fill := func(v float32) models.Batch {
		return models.Batch{B: 1, T: frames, F: bins, Data: slices.Repeat([]float32{v}, frames*bins), Labels: []int{0}}
	}
	loud, err := f.Synthesize(fill(5), 0, 1) // a decoder has no limits
	if err != nil {
		t.Fatal(err)
	}
	if p := loud.Peak(); p > 0.9901 || p < 0.5 {
		t.Errorf("peak %.3f", p)
	}
	if _, err := f.Synthesize(fill(-1), 0, 1); !errors.Is(err, frontend.ErrSilent) {
		t.Errorf("silence: error %v", err)
	}
	if _, err := f.Synthesize(fill(float32(math.NaN())), 0, 1); !errors.Is(err, frontend.ErrSilent) {
		t.Errorf("NaN: error %v", err)
	}
	if _, err := f.Synthesize(fill(0), 1, 1); err == nil {
		t.Error("clip 1 of 1: no error")
	}
	wrong := fill(0)
	wrong.T, wrong.F = bins/2, frames*2
	if _, err := f.Synthesize(wrong, 0, 1); err == nil {
		t.Error("wrong shape: no error")
	}
}

func TestNewRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*models.FrontEnd){
		"no frames":   func(fe *models.FrontEnd) { fe.Frames = 0 },
		"huge":        func(fe *models.FrontEnd) { fe.Frames = 1 << 30 },
		"above peak":  func(fe *models.FrontEnd) { fe.TrimDB = 3 },
		"spectrogram": func(fe *models.FrontEnd) { fe.Spectrogram.Hop = 0 },
		"iterations":  func(fe *models.FrontEnd) { fe.Phase.Iterations = 1 << 30 },
		"method":      func(fe *models.FrontEnd) { fe.Phase.Method = "guess" },
	} {
		fe := frontend.Plan(nil, nil)
		spoil(&fe)
		if _, err := frontend.New(fe); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	f := open(t, frontend.Plan(nil, nil))
	want, _, err := f.Analyze(tone(8000, 300, 0, time.Second, 0))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	for range 4 {
		go func() {
			ok := true
			for range 20 {
				s, _, err := f.Analyze(tone(8000, 300, 0, time.Second, 0))
				ok = ok && err == nil && slices.Equal(s.Data, want.Data)
			}
			done <- ok
		}()
	}
	for range 4 {
		if !<-done {
			t.Error("another result than alone")
		}
	}
}

func ExampleFrontEnd() {
	fe := frontend.Plan([]int{8000}, []time.Duration{900 * time.Millisecond})
	f, err := frontend.New(fe)
	if err != nil {
		fmt.Println(err)
		return
	}
	stereo := audio.Clip{Samples: make([]float32, 2*44100), Channels: 2, Rate: 44100}
	for i := range stereo.Samples {
		stereo.Samples[i] = float32(math.Sin(float64(i/2) / 10))
	}
	s, notes, err := f.Analyze(stereo)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Frames, s.Bins, notes)
	// Output: 64 64 mixed down from 2 channels, resampled from 44100 Hz, 8ms of silence added
}
