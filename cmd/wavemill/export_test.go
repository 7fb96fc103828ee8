package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"wavemill/audio/measure"
	"wavemill/audio/wav"
	"wavemill/internal/oracle"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/export"
	"wavemill/models/onnx/onnxtest"
)

// trainedModels are the contents of the models of trainedModel by architecture, which tests share.
var trainedModels sync.Map

// trainedModel is the file of a model that was trained on a few recordings for a few steps. Tests that do not run at the same
// time train it once.
func trainedModel(t *testing.T, arch string) string {
	t.Helper()
	if content, ok := trainedModels.Load(arch); ok {
		path := filepath.Join(t.TempDir(), arch+".safetensors")
		if err := os.WriteFile(path, content.([]byte), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := trainedOn(t, recordingsFolder(t, 6), arch, "")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	trainedModels.Store(arch, content)
	return path
}

// trainedOn trains a model for a few steps, with that configuration if there is one.
func trainedOn(t *testing.T, data, arch, config string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), arch+".safetensors")
	args := []string{"train", "--data", data, "--out", path, "--model", arch, "--steps", "4", "--seed", "5"}
	if config != "" {
		file := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", file)
	}
	mustRun(t, args...)
	return path
}

func TestExport(t *testing.T) {
	model := trainedModel(t, "vaegan")
	out := filepath.Join(t.TempDir(), "deep", "exported")
	stdout, _ := mustRun(t, "export", "--model", model, "--out", out, "--json")
	var names []string
	for _, f := range decodeLines[export.Facts](t, stdout) {
		data, err := os.ReadFile(f.File)
		sum := sha256.Sum256(data)
		if err != nil || len(data) != f.Bytes || hex.EncodeToString(sum[:]) != f.SHA256 {
			t.Errorf("%s: %d bytes, %v; said: %+v", f.File, len(data), err, f)
		}
		names = append(names, filepath.Base(f.File))
	}
	want := []string{"generator.onnx", "encoder.onnx", "discriminator.onnx", export.PriorFile, export.MelFile, export.ManifestFile}
	if !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	if got := keys(t, strings.SplitN(stdout, "\n", 2)[0]); !slices.Equal(got, []string{"bytes", "file", "network", "sha256"}) {
		t.Errorf("JSON fields %v", got)
	}

	c, err := models.Read(model)
	if err != nil {
		t.Fatal(err)
	}
	m := readManifest(t, out)
	digest, _ := c.Digest()
	if m.Model != digest || !slices.Equal(m.Labels, c.Labels) || m.FrontEnd != c.FrontEnd || m.Architecture != "vaegan" || m.Step != 4 {
		t.Errorf("manifest %+v", m)
	}
	if m.Sampling.Latent != 64 || m.Sampling.Prior != "manifold" || m.Tensors[export.PriorFile]["prior/factor"][2] != 64 || len(m.Networks) != 3 {
		t.Errorf("manifest %+v", m)
	}

	// The same again is the same.
	again := t.TempDir()
	mustRun(t, "export", "--model", model, "--out", again)
	for _, name := range want {
		a, _ := os.ReadFile(filepath.Join(out, name))
		b, _ := os.ReadFile(filepath.Join(again, name))
		if len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s: %d bytes, then %d others", name, len(a), len(b))
		}
	}

	// An encoder alone takes no prior along.
	few := t.TempDir()
	mustRun(t, "export", "--model", model, "--out", few, "--only", "encoder")
	entries, _ := os.ReadDir(few)
	if len(entries) != 3 || entries[0].Name() != "encoder.onnx" {
		t.Errorf("--only encoder: %v", entries)
	}
}

func readManifest(t *testing.T, dir string) export.Manifest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, export.ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	var m export.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// The metadata reach a runtime.
func TestExportedMetadata(t *testing.T) {
	model := trainedModel(t, "gan")
	out := t.TempDir()
	mustRun(t, "export", "--model", model, "--out", out)
	m := readManifest(t, out)
	r := onnxtest.Run(t, onnxtest.Python, []onnxtest.Job{{Model: filepath.Join(out, "generator.onnx")}})[0]
	var labels []string
	var front models.FrontEnd
	for key, v := range map[string]any{"wavemill.labels": &labels, "wavemill.front_end": &front} {
		if err := json.Unmarshal([]byte(r.Meta[key]), v); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	if !slices.Equal(labels, m.Labels) || front != m.FrontEnd || r.Meta["wavemill.model"] != m.Model || r.Meta["wavemill.architecture"] != "gan" {
		t.Errorf("metadata %v", r.Meta)
	}
	if r.Ports["latents"] != "tensor(float) ['N', 64]" || r.Ports["labels"] != "tensor(int64) ['N']" {
		t.Errorf("ports %v", r.Ports)
	}
}

func TestExportRefuses(t *testing.T) {
	model := trainedModel(t, "gan")
	broken := filepath.Join(t.TempDir(), "broken.safetensors")
	if err := os.WriteFile(broken, []byte("not a checkpoint"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no model":       {[]string{"--out", "x"}, exitUsage, "--model is missing"},
		"no folder":      {[]string{"--model", model}, exitUsage, "--out is missing"},
		"other format":   {[]string{"--model", model, "--out", "x", "--format", "tflite"}, exitUsage, "there is: onnx"},
		"no encoder":     {[]string{"--model", model, "--out", "x", "--only", "generator,encoder"}, exitUsage, "it has generator, discriminator"},
		"not there":      {[]string{"--model", "nowhere.safetensors", "--out", "x"}, exitFailed, "nowhere.safetensors"},
		"no checkpoint":  {[]string{"--model", broken, "--out", "x"}, exitFailed, "broken.safetensors"},
		"folder is file": {[]string{"--model", model, "--out", broken}, exitFailed, "broken.safetensors"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			code, stdout, stderr := runCLI(t, append([]string{"export"}, c.args...)...)
			if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d, %s", code, stderr)
			}
			if entries, _ := os.ReadDir("."); len(entries) != 0 {
				t.Errorf("left %v behind", entries)
			}
		})
	}
}

// example writes the program in that language from docs/formats/onnx.md into a folder.
func example(t *testing.T, language, path string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "formats", "onnx.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n```"+language+"\n")
	code, _, closed := strings.Cut(rest, "\n```\n")
	if !ok || !closed {
		t.Fatalf("docs/formats/onnx.md has no program in %s", language)
	}
	if err := os.WriteFile(path, []byte(code+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// program runs a command in dir, or skips the test where it cannot be run.
func program(t *testing.T, dir string, probe []string, args ...string) {
	t.Helper()
	if err := exec.CommandContext(t.Context(), probe[0], probe[1:]...).Run(); err != nil {
		oracle.Missing(t, "%s: %v", strings.Join(probe, " "), err)
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

var (
	python = []string{"python3", "-c", "import numpy, onnxruntime, safetensors"}
	node   = []string{"node", "-e", "require('onnxruntime-node')"}
)

// The documentation's program in Python makes WAV files.
func TestExportedModelInPython(t *testing.T) {
	model, dir := trainedModel(t, "vae"), t.TempDir()
	mustRun(t, "export", "--model", model, "--out", filepath.Join(dir, "exported"))
	example(t, "python", filepath.Join(dir, "generate.py"))
	m := readManifest(t, filepath.Join(dir, "exported"))
	label := m.Labels[1]
	program(t, dir, python, "python3", "generate.py", "exported", label, "2", "7")
	stdout, _ := mustRun(t, "inspect", "--json", filepath.Join(dir, label+"_0.wav"), filepath.Join(dir, label+"_1.wav"))
	for _, f := range decodeLines[measure.Report](t, stdout) {
		s := m.FrontEnd.Spectrogram
		if f.SampleRate != s.SampleRate || int(f.Frames) != s.Samples(m.Frames) || f.Peak < 1e-3 {
			t.Errorf("%+v", f)
		}
	}

	// Its spectrograms are as rough as this program's.
	program(t, dir, python, "python3", "-c", `
import numpy, generate
model, rng = generate.Model("exported"), numpy.random.default_rng(1)
model.spectrograms(model.about["labels"][1], 600, rng).astype("<f4").tofile("spectrograms")
`)
	spectrograms := floats(t, filepath.Join(dir, "spectrograms"))
	c, err := models.Read(model)
	if err != nil {
		t.Fatal(err)
	}
	for scale, differ := range map[float64]bool{1: false, 0: true, 1.6: true} {
		made := generateWith(t, c, scale, 600)
		if d := apart(spectrograms, made.Data, made.T*made.F); d > 0.12 != differ {
			t.Errorf("spectrograms differ by %.3f deviations from those with %g of the model's texture", d, scale)
		}
	}
}

// The documentation's program in Python draws the latents that this program draws, from every prior.
func TestExportedPriorsInPython(t *testing.T) {
	data := t.TempDir() // with enough of each label for neighbourhoods and mixtures
	for _, class := range []string{"chirp", "hihat"} {
		for seed := range uint64(64) {
			if err := wav.WriteFile(filepath.Join(data, fmt.Sprintf("%s_%d.wav", class, seed)), shortClip(t, class, seed), wav.Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, prior := range []string{"manifold", "kde", "gmm", "flow", "modes"} {
		t.Run(prior, func(t *testing.T) {
			arch, config := "vae", `{"channels":4,"latent":8,"prior":"`+prior+`"}`
			if prior == "modes" {
				arch, config = "gan", `{"channels":8,"latent":8,"modes":3,"temperature":1}`
			}
			model, dir := trainedOn(t, data, arch, config), t.TempDir()
			mustRun(t, "export", "--model", model, "--out", filepath.Join(dir, "exported"))
			example(t, "python", filepath.Join(dir, "generate.py"))
			program(t, dir, python, "python3", "-c", `
import numpy, generate
model, rng = generate.Model("exported"), numpy.random.default_rng(1)
model.draw(1, 4000, rng).astype("<f4").tofile("latents")
`)
			latents := floats(t, filepath.Join(dir, "latents"))
			c, err := models.Read(model)
			if err != nil {
				t.Fatal(err)
			}
			g, err := architectures.Open(c)
			if err != nil {
				t.Fatal(err)
			}
			blender, ok := g.(models.Blender)
			if !ok {
				t.Fatalf("a %T draws no latents", g)
			}
			draw := func(label int, temperature float64) []float32 {
				z, err := blender.Draw(models.Series(slices.Repeat([]int{label}, 4000), 9, temperature))
				if err != nil {
					t.Fatal(err)
				}
				return z
			}
			if d := apart(latents, draw(1, 1), blender.Latent()); d > 0.08 {
				t.Errorf("latents differ by %.3f deviations", d)
			}
			if prior == "flow" { // which has not learned labels in four steps
				if d := apart(latents, draw(1, 0.8), blender.Latent()); d < 0.1 {
					t.Errorf("latents at another temperature differ by %.3f deviations only", d)
				}
			} else if d := apart(latents, draw(0, 1), blender.Latent()); d < 0.2 {
				t.Errorf("latents of another label differ by %.3f deviations only", d)
			}
		})
	}
}

// generateWith makes clips of label 1 with the model's texture times scale.
func generateWith(t *testing.T, c models.Checkpoint, scale float64, n int) models.Batch {
	t.Helper()
	var config map[string]any
	if err := json.Unmarshal(c.Config, &config); err != nil {
		t.Fatal(err)
	}
	texture, ok := config["texture"].(float64)
	if !ok {
		t.Fatalf("texture %v", config["texture"])
	}
	config["texture"] = texture * scale
	c.Config, _ = json.Marshal(config)
	g, err := architectures.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	made, err := g.Generate(t.Context(), models.Series(slices.Repeat([]int{1}, n), 9, 0))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// floats reads a file of float32.
func floats(t *testing.T, path string) []float32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, len(b)/4)
	if _, err := binary.Decode(b, binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
	return x
}

// apart compares the moments of two samples [n, width]: the root mean square over the columns of how far means and
// deviations lie apart, in deviations.
func apart(a, b []float32, width int) float64 {
	meanA, deviationA := moments(a, width)
	meanB, deviationB := moments(b, width)
	total := 0.0
	for c := range width {
		if s := max(deviationA[c], deviationB[c]); s > 0 {
			total += math.Pow(math.Hypot(meanA[c]-meanB[c], deviationA[c]-deviationB[c])/s, 2)
		}
	}
	return math.Sqrt(total / float64(width))
}

// moments returns mean and deviation of the columns of x [n, width].
func moments(x []float32, width int) (mean, deviation []float64) {
	n := float64(len(x) / width)
	mean, deviation = make([]float64, width), make([]float64, width)
	for i, v := range x {
		mean[i%width] += float64(v) / n
	}
	for i, v := range x {
		deviation[i%width] += math.Pow(float64(v)-mean[i%width], 2) / n
	}
	for c, v := range deviation {
		deviation[c] = math.Sqrt(v)
	}
	return mean, deviation
}

// The documentation's program in JavaScript makes magnitudes.
func TestExportedModelInJavaScript(t *testing.T) {
	model, dir := trainedModel(t, "vae"), t.TempDir()
	mustRun(t, "export", "--model", model, "--out", filepath.Join(dir, "exported"))
	example(t, "js", filepath.Join(dir, "generate.js"))
	m := readManifest(t, filepath.Join(dir, "exported"))
	program(t, dir, node, "node", "generate.js", "exported", m.Labels[0], "3")
	var made struct {
		Shape      []int
		Magnitudes []float64
	}
	text, err := os.ReadFile(filepath.Join(dir, m.Labels[0]+".json"))
	if err != nil || json.Unmarshal(text, &made) != nil {
		t.Fatalf("%v, %d bytes", err, len(text))
	}
	if !slices.Equal(made.Shape, []int{3, m.Frames, m.Bins}) || len(made.Magnitudes) != 3*m.Frames*m.Bins || slices.Max(made.Magnitudes) < 1e-3 {
		t.Errorf("shape %v, %d values up to %g", made.Shape, len(made.Magnitudes), slices.Max(made.Magnitudes))
	}
}
