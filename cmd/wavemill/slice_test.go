package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/slice"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
)

// A take of four drums becomes four clips, which the other commands take as recordings.
func TestSlice(t *testing.T) {
	dir := t.TempDir()
	x := make([]float32, 4000)
	for i := range 4 {
		c, err := synth.Clip("kick", uint64(i), 8000)
		if err != nil {
			t.Fatal(err)
		}
		x = append(append(x, c.Samples...), make([]float32, 4000)...)
	}
	for i := range x {
		x[i] += 1e-3 * float32(math.Sin(float64(i*i)))
	}
	take, table := filepath.Join(dir, "take.wav"), filepath.Join(dir, "labels.txt")
	if err := wav.WriteFile(take, audio.Clip{Samples: x, Channels: 1, Rate: 8000}, wav.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table, []byte("0.5\t1.0\tkick\n1.7\t2.2\tother\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "clips")
	var s slice.Summary
	summary, _ := mustRun(t, "slice", take, "--out", out, "--label", "kick", "--json")
	if err := json.Unmarshal([]byte(summary), &s); err != nil {
		t.Fatal(err)
	}
	if s.Clips != 4 || s.Labels["kick"] != 4 || s.Seconds == 0 || s.KeptSeconds >= s.Seconds {
		t.Errorf("%+v", s)
	}
	if text, _ := mustRun(t, "slice", take, "--out", filepath.Join(dir, "rows"), "--by", "table", "--table", table); !strings.Contains(text, "2 clips of 1 file (kick 1, other 1)") {
		t.Errorf("by table: %s", text)
	}
	if text, _ := mustRun(t, "slice", take, "--out", filepath.Join(dir, "pieces"), "--by", "length", "--max", "500ms", "--overlap", "100ms", "--label", "x"); !strings.Contains(text, "(100 %)") {
		t.Errorf("by length: %s", text)
	}
	for _, wrong := range [][]string{
		{},
		{take},
		{take, "--out", out, "--by", "luck"},
		{take, "--out", out, "--by", "table"},
		{take, "--out", out, "--table", table},
		{take, "--out", out, "--label", "x", "--labels", "prefix"},
		{take, "--out", out, "--max", "1h"},
		{take, "--out", out, "--bits", "8"},
		{take, "--out", out, "--threshold", "0"},
	} {
		if code, _, stderr := runCLI(t, append([]string{"slice"}, wrong...)...); code != exitUsage {
			t.Errorf("slice %q: exit code %d: %s", wrong, code, stderr)
		}
	}
	if code, _, stderr := runCLI(t, "slice", take, "--out", out, "--label", "snare"); code != exitFailed || !strings.Contains(stderr, "other settings") {
		t.Errorf("another job in the folder: exit code %d: %s", code, stderr)
	}
}
