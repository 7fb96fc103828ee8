package inspect_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/inspect"
	"wavemill/audio/wav"
)

// TestBlocks compares what is measured block by block with the clip at once, beyond what is kept for the bandwidth.
func TestBlocks(t *testing.T) {
	clip := audio.Clip{Channels: 2, Rate: 44100}
	for i := range 3 << 19 {
		v := float32(0.3 * math.Sin(float64(i)*0.1*(1+float64(i)/(3<<19))))
		clip.Samples = append(clip.Samples, v, v/2)
	}
	path := filepath.Join(t.TempDir(), "x.wav")
	if err := wav.WriteFile(path, clip, wav.Options{Encoding: wav.Float32}); err != nil {
		t.Fatal(err)
	}
	got, err := inspect.File(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if want := audio.Bandwidth(clip); got.Bandwidth != want || want == 0 {
		t.Errorf("bandwidth %v, of the whole clip %v", got.Bandwidth, want)
	}
	if got.Peak != clip.Peak() || math.Abs(got.RMS-clip.RMS()) > 1e-6 || got.Frames != 3<<19 {
		t.Errorf("%+v, the clip has peak %v, RMS %v", got, clip.Peak(), clip.RMS())
	}
}

// TestSilence: a file without a signal, and one without a sample, have finite facts.
func TestSilence(t *testing.T) {
	for _, n := range []int{0, 100} {
		path := filepath.Join(t.TempDir(), "x.wav")
		if err := wav.WriteFile(path, audio.Clip{Samples: make([]float32, n), Channels: 1, Rate: 8000}, wav.Options{NoDither: true}); err != nil {
			t.Fatal(err)
		}
		got, err := inspect.File(t.Context(), path)
		if err != nil || got.Peak != 0 || got.RMS != 0 || got.Bandwidth != 0 || got.Frames != int64(n) {
			t.Errorf("%d samples: %+v (%v)", n, got, err)
		}
		if text := got.String(); !strings.Contains(text, "peak 0.0000 (silent), rms 0.0000 (silent), bandwidth 0 Hz") {
			t.Errorf("%s", text)
		}
	}
}

func TestFileRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.wav")
	if err := os.WriteFile(text, []byte("not a recording, and long enough to be one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "is a folder", text: "text.wav", filepath.Join(dir, "absent.wav"): "no such file"} {
		if _, err := inspect.File(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	whole := filepath.Join(dir, "x.wav")
	if err := wav.WriteFile(whole, audio.Clip{Samples: make([]float32, 100), Channels: 1, Rate: 8000}, wav.Options{}); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := inspect.File(ended, whole); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

func ExampleFile() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	clip := audio.Clip{Channels: 1, Rate: 8000}
	for i := range 8000 {
		clip.Samples = append(clip.Samples, float32(0.5*math.Sin(2*math.Pi*440*float64(i)/8000)))
	}
	path := filepath.Join(dir, "a4.wav")
	if err := wav.WriteFile(path, clip, wav.Options{NoDither: true}); err != nil {
		fmt.Println(err)
		return
	}
	facts, err := inspect.File(context.Background(), path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, %d Hz, %.1f s, peak %.2f, RMS %.3f\n", facts.Format, facts.SampleRate, facts.Duration, facts.Peak, facts.RMS)
	// Output: wav, 8000 Hz, 1.0 s, peak 0.50, RMS 0.354
}
