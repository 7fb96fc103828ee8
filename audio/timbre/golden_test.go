package timbre_test

import (
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"wavemill/audio"
	"wavemill/audio/timbre"
	"wavemill/audio/wav"
	"wavemill/internal/oracle"
)

var (
	update = flag.Bool("update", false, "write testdata/golden.json anew with the reference script")
	python = flag.String("python", "python3", "a Python with numpy, scipy and soundfile")
	script = flag.String("script", "../../../shared/peers/sound_measures.py", "the reference script")
)

const goldenFile = "testdata/golden.json"

// golden are the clips that the reference script has measured: all kinds of one-shots.
func golden() map[string]audio.Clip {
	r := noise(1)
	low := resampled(drum(60, 0.4, r), 22050)
	return map[string]audio.Clip{
		"kick":         drum(52, 0.5, r),
		"tom":          drum(140, 0.3, r),
		"short-kick":   crop(drum(71, 0.2, r), 0.1513), // A prime number of samples in the window of the tone.
		"hat":          hiss(0.06, 0.4, 0, r),
		"open-hat":     hiss(0.4, 1.2, 0, r),
		"fluttering":   hiss(0.8, 1.5, 0.7, r),
		"long":         hiss(8, 9, 0.1, r),
		"click":        {Samples: []float32{0, 0, 0.5, -0.2, 0}, Channels: 1, Rate: rate},
		"swell":        swell(r),
		"stereo":       stereo(drum(90, 0.3, r), hiss(0.2, 0.5, 0, r)),
		"rate-22050":   low,
		"rate-8000":    resampled(drum(100, 0.4, r), 8000),
		"loud":         scaled(drum(52, 0.5, r), 40),
		"almost-quiet": scaled(hiss(0.1, 0.5, 0, r), 1e-4),
	}
}

// tolerance is how far a figure may be from the reference's: the rounding of float32 files and, where the rate is another,
// the different filters of the resamplers.
func tolerance(clip, key string, want float64) float64 {
	resampled := clip == "rate-22050" || clip == "rate-8000"
	switch {
	case key == "pitch_hz":
		return 0.5 * 44100 / (1 << 16) // The reference gives the nearest line, not what lies between.
	case key == "tail_s" && resampled:
		return 0.01
	case key == "hop_line_db" && resampled:
		return 0.3
	case key == "flutter_db" && resampled, key == "warble_db" && resampled:
		return 0.1
	case key == "attack_ms" || key == "tail_s":
		return 1.01 / 44.1
	case key == "peak_db" && resampled:
		return 0.05
	}
	return 1e-3 * max(1, math.Abs(want))
}

func TestGolden(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	b, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, b)
}

// TestReference measures with the reference script itself where it is at hand.
func TestReference(t *testing.T) {
	if out, err := exec.Command(*python, "-c", "import numpy, scipy, soundfile").CombinedOutput(); err != nil {
		oracle.Missing(t, "%s has no numpy, scipy and soundfile, testdata/golden.json stands for them: %s", *python, out)
	}
	checkGolden(t, reference(t))
}

func checkGolden(t *testing.T, figures []byte) {
	t.Helper()
	var want map[string]map[string]float64
	if err := json.Unmarshal(figures, &want); err != nil {
		t.Fatal(err)
	}
	clips := golden()
	if !slices.Equal(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(clips))) {
		t.Fatalf("the figures are of other clips than the test's: run with -update")
	}
	meter := timbre.NewMeter(44100.0 / 512)
	for name, c := range clips {
		got := meter.Measure(c)
		for _, q := range timbre.Quantities() {
			if q.Key == "persistence" || q.Key == "pan_db" || q.Key == "width_db" { // not in the reference; package stereo tests the last two
				continue
			}
			v, defined := want[name][q.Key]
			switch g := *q.Of(&got); {
			case defined == math.IsNaN(g):
				t.Errorf("%s: %s is %v, the reference has %v (defined: %v)", name, q.Key, g, v, defined)
			case defined && math.Abs(g-v) > tolerance(name, q.Key, v):
				t.Errorf("%s: %s is %v, want %v", name, q.Key, g, v)
			}
		}
	}
}

func writeGolden(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(goldenFile, reference(t), 0o644); err != nil {
		t.Fatal(err)
	}
}

// reference has the script measure the clips.
func reference(t *testing.T) []byte {
	t.Helper()
	if _, err := os.Stat(*script); err != nil {
		oracle.Missing(t, "no reference script: %v", err)
	}
	folder := t.TempDir()
	for name, c := range golden() {
		if err := wav.WriteFile(filepath.Join(folder, name+".wav"), c, wav.Options{Encoding: wav.Float32}); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(*python, "testdata/golden.py", *script, folder).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return out
}
