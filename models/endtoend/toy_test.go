package endtoend_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/architecture"
	"wavemill/models/architectures"
	"wavemill/models/comparison"
	"wavemill/models/export"
	"wavemill/models/modeltest"
	"wavemill/models/nn"
	"wavemill/models/sampling"
	"wavemill/models/training"
)

// withToy is the table of a program that adds an architecture: the last line is all that it takes.
func withToy() architectures.Table {
	return append(architectures.Known(),
		modeltest.Toy())
}

// recordings returns n synthetic recordings of each of two labels, cut to a fifth of a second: the evaluator learns faster
// from short ones.
func recordings(t *testing.T, n int) []dataset.Recording {
	t.Helper()
	var out []dataset.Recording
	for i := range n {
		for _, label := range []string{"bell", "kick"} {
			clip, err := synth.Clip(label, uint64(i), 8000)
			if err != nil {
				t.Fatal(err)
			}
			clip.Samples = clip.Samples[:min(len(clip.Samples), 1600)]
			name := fmt.Sprintf("%s/%03d.wav", label, i)
			clip.Label, clip.Source = label, name
			out = append(out, dataset.Recording{
				Item: dataset.Item{Path: name, Name: name, Label: label}, Clip: clip,
				Digest: fingerprint.Digest(clip), Print: fingerprint.Of(clip),
			})
		}
	}
	return out
}

// rule holds a fifth of the recordings out.
func rule() dataset.Holdout { return dataset.Holdout{Share: 0.2, Validation: 0.1, Seed: 1} }

func prepare(t *testing.T, of []dataset.Recording, resume *models.Checkpoint) training.Set {
	t.Helper()
	set, err := training.Prepare(t.Context(), of, training.Options{Holdout: rule(), Resume: resume})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func run(t *testing.T, j training.Job, set training.Set) (models.Checkpoint, training.Result) {
	t.Helper()
	c, result, err := j.Run(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	return c, result
}

// job trains the toy in batches of 8.
func job(steps int64) training.Job {
	return training.Job{Arch: modeltest.ToyArch, Architectures: withToy(), Seed: 5, Steps: steps, BatchSize: 8, EvalEvery: 10}
}

func digest(t *testing.T, c models.Checkpoint) string {
	t.Helper()
	d, err := c.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestToy takes an architecture that is in the table of this test alone from recordings through a training in two parts to
// clips, their evaluation and an export.
func TestToy(t *testing.T) {
	of := recordings(t, 40)
	whole, result := run(t, job(20), prepare(t, of, nil))
	if whole.Arch != modeltest.ToyArch || whole.Step != 20 || result.EndedBy != models.EndedBySteps || result.Settings.Size != nil {
		t.Fatalf("%s at step %d, ended by %s, settings %+v", whole.Arch, whole.Step, result.EndedBy, result.Settings)
	}
	if whole.Best == nil || whole.Best.Metric != training.BestByDistance {
		t.Errorf("the best weights are %+v: the monitor did not choose them", whole.Best)
	}
	if resumed := inTwoParts(t, of); digest(t, resumed) != digest(t, whole) {
		t.Error("10 steps and 10 more differ from 20")
	}
	sampler, err := sampling.OpenWith(whole, withToy().Open)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("clips", func(t *testing.T) { checkClips(t, sampler) })
	t.Run("comparison", func(t *testing.T) { checkComparison(t, of, whole, sampler) })
	t.Run("export", func(t *testing.T) { checkExport(t, whole) })
	t.Run("unknown elsewhere", func(t *testing.T) { checkUnknown(t, of, whole) })
}

// inTwoParts trains 10 steps into a file and 10 more from it.
func inTwoParts(t *testing.T, of []dataset.Recording) models.Checkpoint {
	t.Helper()
	spec := training.Spec{Job: job(10), Out: filepath.Join(t.TempDir(), "toy.safetensors"), NoCurves: true}
	for _, resume := range []bool{false, true} {
		if spec.Resume = resume; resume {
			spec.Job = training.Job{Architectures: withToy(), Steps: 20, EvalEvery: 10} // the rest is in the checkpoint
		}
		if err := spec.Validate(); err != nil {
			t.Fatal(err)
		}
		j, release, err := spec.Open(func(line string) { t.Error(line) })
		if err != nil {
			t.Fatal(err)
		}
		run(t, j, prepare(t, of, j.Resume))
		if err := release(); err != nil {
			t.Error(err)
		}
	}
	spec.Width = "4"
	if _, _, err := spec.Open(func(string) {}); !errors.Is(err, training.ErrMismatch) || !strings.Contains(err.Error(), "8 channels") {
		t.Errorf("resumed with another width: %v", err)
	}
	c, err := models.Read(spec.Out)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestToyBudget trains for a time: the size search chooses the width and the batch size.
func TestToyBudget(t *testing.T) {
	set := prepare(t, recordings(t, 24), nil)
	c, result := run(t, training.Job{Arch: modeltest.ToyArch, Architectures: withToy(), Budget: time.Second, Seed: 5}, set)
	s := result.Settings
	if s.Size == nil || result.EndedBy != models.EndedByBudget || c.BatchSize != s.Size.Batch {
		t.Fatalf("ended by %s, batches of %d, settings %+v", result.EndedBy, c.BatchSize, s)
	}
	if width, set, err := withToy().Width(c.Arch, c.Config); width != s.Size.Channels || !set || err != nil {
		t.Errorf("the checkpoint has %d channels, the search chose %d, error %v", width, s.Size.Channels, err)
	}
}

// TestToyFew has a toy that needs another configuration for few recordings, and a width that the job sets.
func TestToyFew(t *testing.T) {
	toy := modeltest.Toy()
	toy.Few = func(json.RawMessage) (json.RawMessage, bool, error) {
		return json.RawMessage(`{"channels":2}`), true, nil
	}
	set := prepare(t, recordings(t, 6), nil)
	j := job(1)
	j.Architectures = architectures.Table{toy}
	if c, result := run(t, j, set); !result.Settings.Varied || string(c.Config) != `{"channels":2}` {
		t.Errorf("few recordings: configuration %s, settings %+v", c.Config, result.Settings)
	}
	j.Channels = 3
	if c, _ := run(t, j, set); string(c.Config) != `{"channels":3}` {
		t.Errorf("3 channels: configuration %s", c.Config)
	}
	j.Architectures = architectures.Table{toy, toy}
	if _, err := j.Start(t.Context(), set); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("two architectures of one name: %v", err)
	}
}

// checkClips generates clips as WAV files and makes each again from the provenance in its file.
func checkClips(t *testing.T, s *sampling.Sampler) {
	requests := sampling.BySeed(sampling.Labels(s.Labels, 0), 7, 2)
	clips, err := s.Series(t.Context(), requests, nil)
	if err != nil || len(clips) != 4 {
		t.Fatalf("%d clips, error %v", len(clips), err)
	}
	for i, c := range clips {
		file, err := c.WAV(wav.PCM16)
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := sampling.ReadProvenance(file)
		if err != nil || p.Model != s.Digest || p.Label != s.Labels[i%2] {
			t.Fatalf("provenance %+v, error %v", p, err)
		}
		again, err := s.Generate(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if other, err := again.WAV(wav.PCM16); err != nil || !slices.Equal(file, other) {
			t.Errorf("clip %d made again has other bytes (error %v)", i, err)
		}
	}
	if slices.Equal(clips[0].Audio.Samples, clips[2].Audio.Samples) {
		t.Error("two seeds give the same clip")
	}
}

// checkComparison evaluates the toy on the recordings that its checkpoint records as held out.
func checkComparison(t *testing.T, of []dataset.Recording, c models.Checkpoint, s *sampling.Sampler) {
	if testing.Short() {
		t.Skip("trains an evaluator")
	}
	split, err := comparison.Recordings{All: of, Rule: rule()}.Split([]models.Checkpoint{c})
	if err != nil {
		t.Fatal(err)
	}
	data := comparison.Data{Learn: dataset.Clips(split.Learn), HeldOut: dataset.Clips(split.HeldOut), Untrusted: split.Untrusted}
	e, err := comparison.Open(t.Context(), data, comparison.Options{Seed: 3, Epochs: 50, Clips: 24, Quick: true, Candidates: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Model(t.Context(), &comparison.Candidate{Name: "toy", Checkpoint: c}); err == nil || !strings.Contains(err.Error(), `"toy" is unknown`) {
		t.Errorf("a candidate without a sampler: %v", err)
	}
	report, err := e.Run(t.Context(), []*comparison.Candidate{{Name: "toy", Checkpoint: c, Sampler: s}})
	if err != nil {
		t.Fatal(err)
	}
	row := report.Rows[len(report.Rows)-1]
	if row.Name != "toy" || row.Clips != 24 || row.Training == nil || row.Training.Arch != modeltest.ToyArch || !report.Trusted {
		t.Fatalf("row %+v, trusted %v", row, report.Trusted)
	}
	if noise := report.Rows[len(report.Rows)-2]; row.LabelAccuracy < 0.75 || row.Frechet >= noise.Frechet {
		t.Errorf("the toy has a label accuracy of %g and a Fréchet distance of %g, noise of %g", row.LabelAccuracy, row.Frechet, noise.Frechet)
	}
}

// checkExport exports the toy, which has no networks, and a toy with the network of its means.
func checkExport(t *testing.T, c models.Checkpoint) {
	_, err := export.Files(c, export.Options{Architectures: withToy()})
	if !errors.Is(err, architecture.ErrNoNetworks) || !strings.Contains(err.Error(), modeltest.ToyArch) {
		t.Errorf("without networks: %v", err)
	}
	toy := modeltest.Toy()
	toy.Networks = means
	toy.Sampling = func(models.Checkpoint) (architecture.Sampling, error) {
		return architecture.Sampling{Prior: "none"}, nil
	}
	files, err := export.Files(c, export.Options{Architectures: architectures.Table{toy}, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if files[0].Name != "generator.onnx" || len(files[0].Data) < 4*len(c.Labels)*c.FrontEnd.Frames*c.FrontEnd.Spectrogram.Bins() {
		t.Errorf("the first file is %s with %d bytes", files[0].Name, len(files[0].Data))
	}
	var m export.Manifest
	if err := json.Unmarshal(files[len(files)-1].Data, &m); err != nil {
		t.Fatal(err)
	}
	if m.Architecture != modeltest.ToyArch || m.Sampling.Prior != "none" || len(m.Networks["generator"].Outputs) != 1 {
		t.Errorf("manifest %+v", m)
	}
}

// means returns the network that gives the mean spectrogram of each label.
func means(c models.Checkpoint) ([]nn.Network, error) {
	mean, err := c.Tensor("model/mean")
	if err != nil {
		return nil, err
	}
	frames, bins := c.FrontEnd.Frames, c.FrontEnd.Spectrogram.Bins()
	params := nn.NewParams(0)
	weights := nn.Array{Name: "mean/w", Shape: []int{len(c.Labels), frames * bins}, Data: mean.Data}
	if err := params.Import("", []nn.Array{weights}); err != nil {
		return nil, err
	}
	return []nn.Network{{
		Name: "generator", Doc: "The mean spectrogram of each label.", Params: params.Seal(),
		Build: func(n *nn.Graph, batch int) {
			rows := n.Embedding("mean", n.Input("labels", batch), len(c.Labels), frames*bins)
			n.Output("spectrograms", n.Reshape(rows, batch, frames, bins, 1))
		},
		Inputs:  []nn.Port{{Graph: "labels", Name: "labels", Doc: "Indices into the labels of the metadata.", Labels: true}},
		Outputs: []nn.Port{{Graph: "spectrograms", Name: "spectrograms", Doc: "Frames by bins.", Squeeze: true, Min: -1, Max: 1}},
	}}, nil
}

// checkUnknown uses the toy without its table: every package names the architecture that it does not know.
func checkUnknown(t *testing.T, of []dataset.Recording, c models.Checkpoint) {
	for name, use := range map[string]func() error{
		"train": func() error {
			j := job(1)
			j.Architectures = nil
			_, err := j.Start(t.Context(), prepare(t, of, nil))
			return err
		},
		"resume": func() error {
			_, err := training.Job{Resume: &c, Steps: 40}.Start(t.Context(), prepare(t, of, &c))
			return err
		},
		"sampling": func() error { _, err := sampling.Open(c); return err },
		"export":   func() error { _, err := export.Files(c, export.Options{}); return err },
	} {
		if err := use(); err == nil || !strings.Contains(err.Error(), `"toy" is unknown; there are: flow, gan, vae, vaegan`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
