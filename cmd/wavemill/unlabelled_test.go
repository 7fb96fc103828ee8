package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// train learns from recordings without labels, and from a base; the checkpoint says so.
func TestTrainUnlabelledAndInit(t *testing.T) {
	data, dir := recordingsFolder(t, 8), t.TempDir()
	few, many := filepath.Join(dir, "few"), filepath.Join(dir, "many")
	moved := 0
	err := filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		label := filepath.Base(filepath.Dir(path))
		to := filepath.Join(few, label, d.Name())
		if entries, _ := os.ReadDir(filepath.Join(few, label)); len(entries) == 2 {
			to = filepath.Join(many, strings.ReplaceAll(label+d.Name(), "_", "")) // one folder, no labels
			moved++
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.Rename(path, to)
	})
	if err != nil || moved < 8 {
		t.Fatalf("%d recordings without a label: %v", moved, err)
	}
	model, next := filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "b.safetensors")
	small := []string{"--steps", "2", "--batch", "4", "--no-curves", "--ceiling", "off"}
	_, text := mustRun(t, append([]string{"train", "--model", "vae", "--config", smallModel(t), "--data", few, "--unlabelled", many, "--out", model}, small...)...)
	if !strings.Contains(text, "unlabelled recordings are used") || !strings.Contains(text, "check:") {
		t.Error(text)
	}
	if out, _ := mustRun(t, "inspect", model); !strings.Contains(out, "without a label, of which") {
		t.Error(out)
	}
	_, text = mustRun(t, append([]string{"train", "--init", model, "--data", few, "--out", next}, small...)...)
	if !strings.Contains(text, "new labels: none") {
		t.Error(text)
	}
	code, _, text := runCLI(t, append([]string{"train", "--init", model, "--model", "gan", "--data", few, "--out", filepath.Join(dir, "c.safetensors")}, small...)...)
	if code != exitUsage || !strings.Contains(text, "--init: the checkpoint is a vae") {
		t.Errorf("exit status %d: %s", code, text)
	}
}
