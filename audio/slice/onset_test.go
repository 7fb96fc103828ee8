package slice_test

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
	"wavemill/audio/slice"
	"wavemill/audio/wav"
)

var (
	update = flag.Bool("update", false, "write testdata/golden.json anew with librosa")
	python = flag.String("python", "python3", "a Python with librosa")
)

const goldenFile = "testdata/golden.json"

// tolerance is that of the MIREX evaluation of onsets, in seconds.
const tolerance = 0.05

// takes are those of the golden file.
func takes(t testing.TB) map[string]take {
	return map[string]take{
		"drums":     newTake(t, 3, 22050, 30, 0.25, -50, "kick", "hihat"),
		"plucked":   newTake(t, 4, 22050, 30, 0.3, -60, "pluck"),
		"sparse":    newTake(t, 5, 8000, 12, 1.2, -50, "kick", "hihat", "pluck", "bell"),
		"telephone": newTake(t, 6, 8000, 30, 0.25, -45, "kick", "hihat", "pluck"),
	}
}

// matched counts the times of a that have one of b within the tolerance, each used once.
func matched(a, b []float64) (hits int) {
	used := make([]bool, len(b))
	for _, x := range a {
		for i, y := range b {
			if !used[i] && math.Abs(x-y) <= tolerance {
				used[i] = true
				hits++
				break
			}
		}
	}
	return hits
}

// score is the F-measure of times against a reference.
func score(times, reference []float64) float64 {
	return 2 * float64(matched(times, reference)) / float64(len(times)+len(reference))
}

// onsets are the beginnings of clips, without the pre-roll.
func onsets(t testing.TB, k take) (times []float64) {
	t.Helper()
	c := slice.Defaults(slice.Onset)
	cuts, _ := sliced(t, c, k.samples, k.rate, 1, whole)
	for _, x := range cuts {
		times = append(times, float64(x.start)/float64(k.rate)+c.PreRoll.Seconds())
	}
	return times
}

func TestOnsetsAgainstLibrosa(t *testing.T) {
	all := takes(t)
	if *update {
		writeGolden(t, all)
	}
	data, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Onsets map[string][]float64 `json:"onsets"`
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	for name, k := range all {
		times, theirs := onsets(t, k), golden.Onsets[name]
		ours, librosas, both := score(times, k.onsets), score(theirs, k.onsets), score(times, theirs)
		t.Logf("%s: %d onsets, %d found; F-measure %.3f, librosa's %.3f, of one against the other %.3f", name, len(k.onsets), len(times), ours, librosas, both)
		if ours < 0.97 || ours < librosas-0.02 {
			t.Errorf("%s: the F-measure is %.3f, that of librosa %.3f", name, ours, librosas)
		}
		if librosas < 0.9 || both < 0.9 {
			t.Errorf("%s: librosa's F-measure is %.3f, against ours %.3f: the golden file is of other takes", name, librosas, both)
		}
	}
}

// writeGolden runs librosa on the takes.
func writeGolden(t *testing.T, all map[string]take) {
	t.Helper()
	dir := t.TempDir()
	args := []string{"testdata/onsets.py"}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		file := filepath.Join(dir, name+".wav")
		c := audio.Clip{Samples: all[name].samples, Channels: 1, Rate: all[name].rate}
		if err := wav.WriteFile(file, c, wav.Options{Encoding: wav.Float32}); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	cmd := exec.CommandContext(t.Context(), *python, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goldenFile, out, 0o600); err != nil {
		t.Fatal(err)
	}
}
