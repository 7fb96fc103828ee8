package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio/synth"
	"wavemill/audio/wav"
)

func TestSynth(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	var out, errOut bytes.Buffer
	if code := execute(context.Background(), []string{"synth", "--out", dir, "--n", "2", "--seed", "9", "--rate", "16000", "--json"}, nil, &out, &errOut); code != exitOK {
		t.Fatalf("exit %d: %s", code, errOut.String())
	}
	if want := `"recordings":12`; !strings.Contains(out.String(), want) {
		t.Errorf("%s lacks %s", out.String(), want)
	}
	for _, class := range synth.Classes() {
		names, err := filepath.Glob(filepath.Join(dir, class, class+"_*.wav"))
		if err != nil || len(names) != 2 {
			t.Fatalf("%s: %d recordings, error %v", class, len(names), err)
		}
		data, err := os.ReadFile(names[1])
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := wav.Decode(data)
		if err != nil || c.Rate != 16000 || c.Channels != 1 || c.Peak() < 0.4 {
			t.Errorf("%s: %d Hz, %d channels, peak %.2f, error %v", names[1], c.Rate, c.Channels, c.Peak(), err)
		}
	}
}

func TestSynthRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine.wav"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no folder": {nil, exitUsage, "--out is missing"},
		"none":      {[]string{"--out", t.TempDir(), "--n", "0"}, exitUsage, "--n"},
		"rate":      {[]string{"--out", t.TempDir(), "--rate", "1"}, exitUsage, "8000"},
		"not empty": {[]string{"--out", full}, exitFailed, "not empty"},
	} {
		var out, errOut bytes.Buffer
		code := execute(context.Background(), append([]string{"synth"}, c.args...), nil, &out, &errOut)
		if code != c.code || !strings.Contains(errOut.String(), c.want) {
			t.Errorf("%s: exit %d, %q; want %d and %q", name, code, errOut.String(), c.code, c.want)
		}
	}
}
