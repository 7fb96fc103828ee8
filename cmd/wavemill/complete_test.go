package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completions returns what a shell would offer behind args, without descriptions, and the directive.
func completions(t *testing.T, args ...string) (words []string, directive string) {
	t.Helper()
	stdout, _ := mustRun(t, append([]string{"__complete"}, args...)...)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		words = append(words, word)
	}
	return words, lines[len(lines)-1]
}

// The directives of cobra that matter here.
const (
	noSpaceNoFiles = ":6"
	noFiles        = ":4"
	filesOfExt     = ":8"
)

func TestCompleteModel(t *testing.T) {
	fixture, err := filepath.Abs(filepath.Join("testdata", "compat", "vae.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, name := range []string{"vase.safetensors", "notes.txt", ".hidden.safetensors"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("deep", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args      []string
		want      []string
		directive string
	}{
		{[]string{"train", "--model", ""}, []string{"flow", "gan", "vae", "vaegan"}, noFiles},
		{[]string{"train", "--model", "va"}, []string{"vae", "vaegan"}, noFiles},
		{[]string{"generate", "--model", ""}, []string{"safetensors"}, filesOfExt},
		{[]string{"compare", "--model", "va"}, []string{"vae", "vaegan", "vase.safetensors"}, noFiles},
		{[]string{"compare", "--model", "d"}, []string{"deep/"}, noSpaceNoFiles},
		{[]string{"compare", "--model", "nowhere/"}, nil, noFiles},
		{[]string{"generate", "--model", fixture, "--label", ""}, []string{"0", "1", "3", "all"}, noFiles},
		{[]string{"generate", "--model", fixture, "--label", "a"}, []string{"all"}, noFiles},
		{[]string{"latents", "--model", fixture, "--label", ""}, []string{"0", "1", "3", "all"}, noFiles},
		{[]string{"bench", "generate", "--model", fixture, "--label", ""}, []string{"0", "1", "3", "all"}, noFiles},
		{[]string{"generate", "--label", ""}, nil, noFiles},
		{[]string{"generate", "--model", "notes.txt", "--label", ""}, nil, noFiles},
		{[]string{"help", "tra"}, []string{"train"}, noFiles},
		{[]string{"help", "bench", "q"}, []string{"quality"}, noFiles},
	} {
		words, directive := completions(t, c.args...)
		slices.Sort(words)
		if !slices.Equal(words, c.want) || directive != c.directive {
			t.Errorf("wavemill %v: %v %s, want %v %s", c.args, words, directive, c.want, c.directive)
		}
	}
}
