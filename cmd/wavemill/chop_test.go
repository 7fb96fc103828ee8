package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// longRecordings is a folder of two labels with six recordings each, of 4 s.
func longRecordings(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "long")
	for l, label := range []string{"low", "high"} {
		for n := range 6 {
			rng := rand.New(rand.NewPCG(uint64(l), uint64(n)))
			var x []float32
			for len(x) < 32000 {
				c, err := synth.Clip([]string{"kick", "hihat"}[l], rng.Uint64(), 8000)
				if err != nil {
					t.Fatal(err)
				}
				x = append(x, c.Samples...)
			}
			if err := os.MkdirAll(filepath.Join(dir, label), 0o755); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, label, fmt.Sprintf("ann%d_take.wav", n))
			if err := wav.WriteFile(file, audio.Clip{Samples: x[:32000], Channels: 1, Rate: 8000}, wav.Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// recordingOf is the recording that a piece comes from.
func recordingOf(piece string) string {
	name, _, _ := strings.Cut(piece, "_0")
	return name
}

// Long recordings are cut for plan, convert, train and publish; pieces of one recording stay on one side of the split.
func TestChop(t *testing.T) {
	dir := longRecordings(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	_, notes := mustRun(t, "plan", "--data", dir, "--chop", "1s", "--ceiling", "off")
	if !strings.Contains(notes, "chop: 48 pieces of at most 1s of 12 recordings") || !strings.Contains(notes, "48.0 of 48.0 s are in clips (100 %)") {
		t.Errorf("plan says %s", notes)
	}
	out, _ := mustRun(t, "convert", dir, "--chop", "1s", "--chop-overlap", "500ms", "--out", filepath.Join(t.TempDir(), "shards"), "--json")
	var converted struct {
		Converted int
		Labels    map[string]int
	}
	if err := json.Unmarshal([]byte(out), &converted); err != nil || converted.Converted != 12*7 || converted.Labels["low"] != 42 {
		t.Errorf("convert: %s: %v", out, err)
	}
	model := filepath.Join(t.TempDir(), "m.safetensors")
	mustRun(t, "train", "--data", dir, "--chop", "1s", "--model", "vae", "--steps", "1", "--batch", "4", "--channels", "4", "--ceiling", "off", "--out", model)
	out, _ = mustRun(t, "inspect", model, "--held-out", "--json")
	var inspected struct {
		HeldOut []struct{ Source string } `json:"held_out"`
	}
	if err := json.Unmarshal([]byte(out), &inspected); err != nil || len(inspected.HeldOut) == 0 {
		t.Fatalf("inspect: %s: %v", out, err)
	}
	pieces := map[string]int{}
	for _, h := range inspected.HeldOut {
		pieces[recordingOf(h.Source)]++
	}
	for recording, n := range pieces {
		if n != 4 {
			t.Errorf("%d of 4 pieces of %s are held out", n, recording)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the folder for temporary files: %v, %v", left, err)
	}
	for _, wrong := range [][]string{
		{"plan", "--data", dir, "--chop", "1ms"},
		{"plan", "--data", dir, "--chop-overlap", "1s"},
		{"convert", dir, "--out", "x", "--chop", "1s", "--chop-by", "luck"},
		{"train", "--data", dir, "--out", "x", "--chop", "1s", "--unlabelled", dir},
		{"publish", dir, "--chop", "1h"},
	} {
		if code, _, stderr := runCLI(t, wrong...); code != exitUsage {
			t.Errorf("%q: exit code %d: %s", wrong, code, stderr)
		}
	}
}

// What publish cuts has the recording, or the group that the labels name, as its group.
func TestChopAndPublish(t *testing.T) {
	dir := longRecordings(t)
	bus, err := pipeline.Open(t.Context(), pipeline.Spec{DataDir: t.TempDir(), Listen: "127.0.0.1:0"}, pipeline.BusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close(context.WithoutCancel(t.Context())) })
	mustRun(t, "publish", dir, "--chop", "2s", "--nats", bus.URL())
	groups := map[string]int{}
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeAudio, From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		groups[m.Label+" "+m.Header[header.Group]]++
	}
	if len(groups) != 12 || groups["low low/ann3_take.wav"] != 2 {
		t.Errorf("%v", groups)
	}
}
