package measure_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"wavemill/audio"
	"wavemill/audio/measure"
	"wavemill/audio/wav"
)

// A file is measured block by block as its clip is at once, also beyond what is kept for the bandwidth.
func TestFile(t *testing.T) {
	for _, frames := range []int{1, 1000, 1 << 14, 3 << 19} {
		clip := audio.Clip{Channels: 2, Rate: 44100}
		for i := range frames {
			v := float32(0.3 * math.Sin(float64(i)*0.1*(1+float64(i)/float64(3<<19))))
			clip.Samples = append(clip.Samples, v, v/2)
		}
		path := filepath.Join(t.TempDir(), "x.wav")
		if err := wav.WriteFile(path, clip, wav.Options{Encoding: wav.Float32}); err != nil {
			t.Fatal(err)
		}
		got, err := measure.File(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if want := audio.Bandwidth(clip); got.Bandwidth != want {
			t.Errorf("%d frames: bandwidth %v, of the whole clip %v", frames, got.Bandwidth, want)
		}
		if got.Peak != clip.Peak() || math.Abs(got.RMS-clip.RMS()) > 1e-6 || got.Frames != int64(frames) || got.Channels != 2 || got.SampleRate != 44100 {
			t.Errorf("%d frames: %+v, the clip has peak %v, RMS %v", frames, got, clip.Peak(), clip.RMS())
		}
	}
}

func TestFileRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.wav")
	if err := os.WriteFile(text, []byte("no sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{text, filepath.Join(dir, "missing.wav")} {
		if _, err := measure.File(t.Context(), path); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
	sound := filepath.Join(dir, "sound.wav")
	if err := wav.WriteFile(sound, audio.Clip{Samples: make([]float32, 100), Channels: 1, Rate: 8000}, wav.Options{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := measure.File(ctx, sound); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func ExampleFile() {
	dir, err := os.MkdirTemp("", "measure")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "half.wav")
	clip := audio.Clip{Samples: []float32{0.5, -0.5, 0.5, -0.5}, Channels: 1, Rate: 8000}
	if err := wav.WriteFile(path, clip, wav.Options{Encoding: wav.Float32}); err != nil {
		fmt.Println(err)
		return
	}
	r, err := measure.File(context.Background(), path)
	fmt.Println(r.Format, r.SampleRate, "Hz,", r.Frames, "frames, peak", r.Peak, err)
	// Output:
	// wav 8000 Hz, 4 frames, peak 0.5 <nil>
}
