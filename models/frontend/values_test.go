package frontend_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/npy"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
)

// kinds are front ends of every scale and value, scaled or not, of one channel and of two.
func kinds() map[string]spectrogram.Config {
	all := map[string]spectrogram.Config{"planned": spectrogram.Default(8000), "one-shot": spectrogram.OneShot(44100)}
	for _, scale := range []string{spectrogram.ScaleLinear, spectrogram.ScaleMel} {
		for _, value := range []string{spectrogram.ValueMagnitude, spectrogram.ValuePower, spectrogram.ValueLog, spectrogram.ValueLogPower} {
			c := spectrogram.Config{SampleRate: 8000, NFFT: 256, Hop: 64, Window: spectrogram.WindowHann, Scale: scale, FMax: 4000, Value: value}
			if scale == spectrogram.ScaleMel {
				c.Mels, c.MelNorm = 32, spectrogram.NormNone
			}
			if strings.HasPrefix(value, "log") {
				c.Floor = 1e-5
				all[scale+" "+value+" scaled"] = c.Scaled()
			}
			all[scale+" "+value] = c
		}
	}
	for _, name := range []string{"planned", "one-shot", "linear power", "mel log"} {
		c := all[name]
		c.Channels = 2
		all[name+" in two channels"] = c
	}
	return all
}

// extremes are the clips at the bounds of what is usable: 40 dB above full scale, hardly audible, in one bin, in all of them.
func extremes(rate, channels int) map[string]audio.Clip {
	rng := rand.New(rand.NewPCG(1, 1))
	wave := func(of func(i int) float64) audio.Clip {
		c := audio.Clip{Channels: channels, Rate: rate}
		for i := range rate / 2 * channels {
			c.Samples = append(c.Samples, float32(of(i)))
		}
		return c
	}
	return map[string]audio.Clip{
		"constant": wave(func(int) float64 { return 100 }),
		"square":   wave(func(i int) float64 { return 100 - 200*float64(i/channels/4%2) }),
		"opposite": wave(func(i int) float64 {
			return 100*math.Sin(float64(i/channels)) - 200*math.Sin(float64(i/channels))*float64(i%channels)
		}),
		"noise": wave(func(int) float64 { return 200*rng.Float64() - 100 }),
		"click": wave(func(i int) float64 { return 100 * max(0, float64(1001-i)) * min(1, float64(i/1000)) }),
		"faint": wave(func(i int) float64 { return 2e-4 * math.Sin(float64(i/channels)) }),
	}
}

// decoded is what DecodeArray says to values.
func decoded(t *testing.T, fe models.FrontEnd, data []float32) error {
	t.Helper()
	whole, err := json.Marshal(fe)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = frontend.DecodeArray(npy.Encode([]int{fe.Frames, fe.Spectrogram.Bins()}, data), string(whole), "")
	return err
}

// Whatever a front end makes of a clip that it can take is a spectrogram, and so is what a network makes of it.
func TestValuesOfFrontEnds(t *testing.T) {
	for name, c := range kinds() {
		f, err := frontend.New(models.FrontEnd{Spectrogram: c, Frames: 40})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for what, clip := range extremes(c.SampleRate, max(1, c.Channels)) {
			s, _, err := f.Analyze(clip)
			if errors.Is(err, frontend.ErrSilent) {
				continue
			}
			if err != nil {
				t.Fatalf("%s, %s: %v", name, what, err)
			}
			if err := decoded(t, f.Config(), s.Data); err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			for i, v := range s.Data {
				s.Data[i] = v * 1.3
				if v < 0 && c.Min == c.Max {
					s.Data[i] = v // A logarithm below that of the floor.
				}
			}
			if err := decoded(t, f.Config(), s.Data); err != nil && (c.Min < c.Max || what == "faint") {
				t.Errorf("%s, %s, of a network: %v", name, what, err)
			}
		}
	}
}

// A finite value that no front end gives is refused, with its place, wherever it is: one is enough to spoil a training.
func TestImpossibleValues(t *testing.T) {
	for name, c := range kinds() {
		fe := models.FrontEnd{Spectrogram: c, Frames: 3}
		bins := c.Bins()
		values := []float32{3e38, -3e38, 1e20, -1e6, float32(math.NaN()), float32(math.Inf(-1))}
		if c.Min < c.Max {
			values = append(values, 1e6, 50, 2.5, -2.5)
		}
		for _, v := range values {
			for _, bin := range []int{0, c.Levels() - 1, bins - 1} {
				data := make([]float32, fe.Frames*bins)
				if err := decoded(t, fe, data); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				data[2*bins+bin] = v
				err := decoded(t, fe, data)
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("frame 2, bin %d has the value %v", bin, v)) {
					t.Errorf("%s, bin %d of %d is %v: %v", name, bin, bins, v, err)
				}
			}
		}
		if c.Channels == 2 {
			data := make([]float32, fe.Frames*bins)
			data[bins-1] = 50
			if err := decoded(t, fe, data); err == nil || !strings.Contains(err.Error(), "stereo image") {
				t.Errorf("%s: a width of 50: %v", name, err)
			}
		}
	}
}
