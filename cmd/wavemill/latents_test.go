package main

import (
	"encoding/csv"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"wavemill/models/latentmap"
)

// modelWith trains a few steps of an architecture with a config and returns the checkpoint's file.
func modelWith(t *testing.T, data, arch, config string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(dir, "model.safetensors")
	mustRun(t, "train", "--data", data, "--model", arch, "--config", file, "--out", model, "--steps", "3", "--batch", "8", "--seed", "2", "--best-by", "last", "--eval-every", "3", "--no-curves")
	return model
}

func TestLatentsDrawsTheSpace(t *testing.T) {
	data := recordingsFolder(t, 4)
	for _, c := range []struct {
		arch, config, axes string
		latent             int
	}{
		{"vae", `{"channels":4,"latent":2}`, "latents", 2},
		{"vae", `{"channels":4,"latent":5,"prior":"flow","encoders":2}`, "principal", 5},
		{"vaegan", `{"vae":{"channels":4,"latent":3,"unconditional":true},"discriminator_channels":4}`, "principal", 3},
	} {
		t.Run(c.arch+strconv.Itoa(c.latent), func(t *testing.T) {
			model, out := modelWith(t, data, c.arch, c.config), filepath.Join(t.TempDir(), "deep", "map")
			stdout, _ := mustRun(t, "latents", "--model", model, "--data", data, "--out", out, "--grid", "3", "--json")
			var r latentmap.Report
			if err := json.Unmarshal([]byte(stdout), &r); err != nil {
				t.Fatal(err)
			}
			if r.Model != c.arch || r.Latent != c.latent || r.Axes != c.axes || r.Clips != 12 || len(r.Labels) != 3 || !(r.Explained[0]+r.Explained[1] <= 1.0001) {
				t.Errorf("%s", stdout)
			}
			for _, name := range []string{r.Plane, r.Scatter} {
				f, err := os.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if img, err := png.Decode(f); err != nil || img.Bounds().Dx() < 300 {
					t.Errorf("%s: %v", name, err)
				}
			}
			checkTables(t, r)
			first := contents(t, out)
			mustRun(t, "latents", "--model", model, "--data", data, "--out", out, "--grid", "3")
			for name, text := range contents(t, out) {
				if first[name] != text {
					t.Errorf("%s differs when it is written again", name)
				}
			}
		})
	}
}

// checkTables compares the two tables with each other.
func checkTables(t *testing.T, r latentmap.Report) {
	t.Helper()
	file, err := os.Open(r.CSV)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.JSONL)
	if err != nil {
		t.Fatal(err)
	}
	lines := decodeLines[latentmap.Line](t, string(text))
	if len(rows) != r.Clips+1 || len(lines) != r.Clips || len(rows[0]) != 4+r.Latent || !slices.Equal(rows[0][:5], []string{"file", "label", "x", "y", "z1"}) {
		t.Fatalf("%d rows of %v, %d lines", len(rows), rows[0], len(lines))
	}
	for i, line := range lines {
		row := rows[i+1]
		if row[0] != line.File || row[1] != line.Label || !strings.HasSuffix(line.File, ".wav") {
			t.Errorf("row %v, line %+v", row, line)
		}
		for j, v := range append([]float32{line.X, line.Y}, line.Latents...) {
			if got, err := strconv.ParseFloat(row[2+j], 32); err != nil || float32(got) != v {
				t.Errorf("row %d, column %d: %s and %v", i, 2+j, row[2+j], v)
			}
		}
		if r.Axes == "latents" && (line.X != line.Latents[0] || line.Y != line.Latents[1]) {
			t.Errorf("row %d: at %g, %g, latents %v", i, line.X, line.Y, line.Latents)
		}
	}
}

// contents returns the files of a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	return files
}

// TestLatentsWithoutData draws a plane alone, of the labels asked for.
func TestLatentsWithoutData(t *testing.T) {
	data, out := recordingsFolder(t, 4), t.TempDir()
	model := modelWith(t, data, "vae", `{"channels":4,"latent":4}`)
	stdout, _ := mustRun(t, "latents", "--model", model, "--out", out, "--grid", "2", "--label", oddLabel, "--json")
	var r latentmap.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Clips != 0 || r.Scatter != "" || r.CSV != "" || !slices.Equal(r.Labels, []string{oddLabel}) {
		t.Errorf("%s", stdout)
	}
	if files := contents(t, out); len(files) != 1 || files["plane.png"] == "" {
		t.Errorf("%d files", len(files))
	}
}

func TestLatentsRefuses(t *testing.T) {
	data, out := recordingsFolder(t, 4), filepath.Join(t.TempDir(), "map")
	two := modelWith(t, data, "vae", `{"channels":4,"latent":2}`)
	one := modelWith(t, data, "vae", `{"channels":4,"latent":1}`)
	gan := modelWith(t, data, "gan", `{"channels":4,"latent":4}`)
	strange := filepath.Join(t.TempDir(), "other")
	if err := os.MkdirAll(strange, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "--model is missing", []string{"--out", out}},
		{exitUsage, "--out is missing", []string{"--model", two}},
		{exitUsage, "--grid 1", []string{"--model", two, "--out", out, "--grid", "1"}},
		{exitUsage, "--label", []string{"--model", two, "--out", out, "--label", "nobody says this"}},
		{exitFailed, "no such file", []string{"--model", filepath.Join(strange, "none"), "--out", out}},
		{exitFailed, "one latent variable, which spans no plane", []string{"--model", one, "--out", out}},
		{exitFailed, "a gan has no encoder", []string{"--model", gan, "--out", out}},
		{exitFailed, "", []string{"--model", two, "--out", out, "--data", strange}},
	} {
		code, _, stderr := runCLI(t, append([]string{"latents"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d, want %d with %q:\n%s", c.args, code, c.code, c.want, stderr)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a folder was made although nothing could be written")
	}
}
