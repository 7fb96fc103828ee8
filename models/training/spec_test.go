package training_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

// text writes a file with that content.
func text(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// opened opens a Spec, releases its file, and returns the job and the notes.
func opened(t testing.TB, s training.Spec) (training.Job, []string) {
	t.Helper()
	var notes []string
	j, release, err := s.Open(func(line string) { notes = append(notes, line) })
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	return j, notes
}

func TestSpecValidate(t *testing.T) {
	good := training.Spec{Out: "m", Job: training.Job{Arch: "vae", Steps: 1}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*training.Spec){
		"out is missing":                           func(s *training.Spec) { s.Out = "" },
		"keep and latent must not be negative":     func(s *training.Spec) { s.Keep = -1 },
		"resume and overwrite exclude":             func(s *training.Spec) { s.Resume, s.Overwrite = true, true },
		"latent is for vae and vaegan":             func(s *training.Spec) { s.Job.Arch, s.Latent = "gan", 2 },
		"channels is auto or a positive":           func(s *training.Spec) { s.Width = "many" },
		"mels and frames must be multiples":        func(s *training.Spec) { s.FrontEnd.Overrides.Mels = 20 },
		"budget -1s: must not":                     func(s *training.Spec) { s.Job.Budget = -time.Second },
		"steps -1: must not":                       func(s *training.Spec) { s.Job.Steps = -1 },
		"batch -1: must not":                       func(s *training.Spec) { s.Job.BatchSize = -1 },
		"batch 4097: at most 4096":                 func(s *training.Spec) { s.Job.BatchSize = training.MaxBatchSize + 1 },
		"eval-every -1: must not":                  func(s *training.Spec) { s.Job.EvalEvery = -1 },
		"save-every -1ns: must":                    func(s *training.Spec) { s.Job.SaveEvery = -1 },
		"patience -1: must not":                    func(s *training.Spec) { s.Job.Patience = -1 },
		`best-by "accuracy" is none of preview/`:   func(s *training.Spec) { s.Job.BestBy = "accuracy" },
		"patience needs a figure":                  func(s *training.Spec) { s.Job.BestBy, s.Job.Patience = training.BestByLast, 3 },
		`model "wavenet" is unknown; there are: `:  func(s *training.Spec) { s.Job.Arch = "wavenet" },
		`model "" is unknown; there are: `:         func(s *training.Spec) { s.Job.Arch = "" },
		"n-fft, hop, mels and frames must not be ": func(s *training.Spec) { s.FrontEnd.Overrides.Hop = -1 },
	} {
		s := good
		change(&s)
		if err := s.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	resumed := training.Spec{Out: "m", Resume: true}
	if err := resumed.Validate(); err != nil {
		t.Errorf("the checkpoint's architecture: %v", err)
	}
}

// Open turns the settings into a job: configuration, width, budget, files.
func TestSpecOpen(t *testing.T) {
	for arch, want := range map[string]string{"vae": `{"channels":4,"latent":2}`, "vaegan": `{"channels":4,"vae":{"latent":2}}`, training.ArchAuto: `{"channels":4,"vae":{"latent":2}}`} {
		s := training.Spec{Job: training.Job{Arch: arch}, Out: filepath.Join(t.TempDir(), "m"), ConfigFile: text(t, `{"channels":4}`), Latent: 2}
		if j, _ := opened(t, s); string(j.Config) != want {
			t.Errorf("%s: %s", arch, j.Config)
		}
	}
	dir := t.TempDir()
	s := training.Spec{Job: training.Job{Arch: "vae", Seed: 4}, Out: filepath.Join(dir, "m.safetensors"), Width: "8", Runs: "runs", NoCurves: true, Group: "kit", HoldOut: []string{"kit=a"}}
	j, _ := opened(t, s)
	if j.Budget != training.DefaultBudget || j.TimeBudget() != j.Budget || j.Channels != 8 || j.Config != nil || j.Save == nil || j.Resume != nil {
		t.Errorf("%+v", j)
	}
	if f := j.Files; f.Tensorboard != filepath.Join("runs", "m") || f.Curves != filepath.Join(dir, "m.curves") {
		t.Errorf("%+v", f)
	}
	if o := s.Options(j); o.Group() != "kit" || o.Holdout.Seed != 4 || o.Holdout.Share != 0.1 || len(o.Holdout.Out) != 1 {
		t.Errorf("%+v", o)
	}
	s.Runs, s.Job.Steps = "", 5
	if j, _ := opened(t, s); j.Files != (training.Files{}) || j.Budget != 0 || j.TimeBudget() != 0 {
		t.Errorf("%+v", j)
	}
}

// What is wrong with the files is an error before the training.
func TestSpecOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := (models.Checkpoint{Format: models.Format, Arch: "vae"}).Write(there); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(dir, "locked")
	release, err := training.LockOutput(locked)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	}()
	for name, c := range map[string]struct {
		spec training.Spec
		is   error
		want string
	}{
		"exists":       {training.Spec{Out: there}, training.ErrExists, "out: "},
		"locked":       {training.Spec{Out: locked}, training.ErrLocked, "out: "},
		"folder":       {training.Spec{Out: dir, Overwrite: true}, training.ErrOutput, "out: "},
		"no resume":    {training.Spec{Out: filepath.Join(dir, "none"), Resume: true}, nil, "resume: there is no checkpoint"},
		"no config":    {training.Spec{Out: filepath.Join(dir, "a"), ConfigFile: filepath.Join(dir, "none.json")}, os.ErrNotExist, "config: "},
		"wrong config": {training.Spec{Out: filepath.Join(dir, "a"), Job: training.Job{Arch: "vae"}, ConfigFile: text(t, `{"`), Latent: 2}, nil, "config: "},
		"previews":     {training.Spec{Out: filepath.Join(dir, "a"), Job: training.Job{Files: training.Files{Previews: there}}}, training.ErrFolder, "previews: " + there},
		"tensorboard":  {training.Spec{Out: filepath.Join(dir, "a"), Runs: filepath.Join(there, "runs")}, training.ErrFolder, "tensorboard: " + there},
		"width":        {training.Spec{Out: filepath.Join(dir, "a"), Width: "x"}, nil, "channels "},
	} {
		_, release, err := c.spec.Open(func(string) {})
		if err == nil || release != nil || !strings.HasPrefix(err.Error(), c.want) || (c.is != nil && !errors.Is(err, c.is)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	// A file that was refused is not locked.
	opened(t, training.Spec{Out: filepath.Join(dir, "a")})
}

// A resumed training takes the settings of the first one, or none, and refuses others.
func TestSpecResume(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m.safetensors")
	fe := frontend.Overrides{Mels: 32, Frames: 32}.Apply(frontend.PlanFor(nil))
	c := models.Checkpoint{
		Format: models.Format, Arch: "vae", Config: json.RawMessage(`{"channels":8,"latent":4,"embedding":4,"vary":{"pace":1}}`), Step: 7, FrontEnd: fe,
		Data: &models.TrainingData{Group: "kit", HoldOut: []string{"kit=a"}},
	}
	if err := c.Write(out); err != nil {
		t.Fatal(err)
	}
	base := training.Spec{Out: out, Resume: true}
	first := training.Spec{
		Job: training.Job{Arch: "vae"}, Out: out, Resume: true, ConfigFile: text(t, `{"embedding":4,"vary":{"pace":1}}`), Latent: 4, Width: "8",
		FrontEnd: frontend.Choice{Overrides: frontend.Overrides{Mels: 32}}, Group: "kit", HoldOut: []string{"kit=a"},
	}
	for _, s := range []training.Spec{base, first} {
		if j, notes := opened(t, s); j.Resume == nil || j.Resume.Step != 7 || len(notes) != 0 || s.Options(j).Group() != "kit" {
			t.Errorf("%+v, %q", j, notes)
		}
	}
	for want, change := range map[string]func(*training.Spec){
		"the checkpoint is a vae, not a gan":                                       func(s *training.Spec) { s.Job.Arch = "gan" },
		"the network of the checkpoint, 8 channels":                                func(s *training.Spec) { s.Width = "4" },
		"latent is another one":                                                    func(s *training.Spec) { s.Latent = 2 },
		"vary.pace is another one":                                                 func(s *training.Spec) { s.ConfigFile = text(t, `{"vary":{"pace":2}}`) },
		"size is another one":                                                      func(s *training.Spec) { s.ConfigFile = text(t, `{"size":2}`) },
		"channels is another one":                                                  func(s *training.Spec) { s.ConfigFile = text(t, `{"channels":{"of":2}}`) },
		"mels 32, frames 32, one channel)":                                         func(s *training.Spec) { s.FrontEnd.Overrides.Frames = 64 },
		"keeps the front end of the checkpoint (n-fft":                             func(s *training.Spec) { s.FrontEnd.Overrides.NFFT = 128 },
		`keeps the split of the checkpoint (group "kit", hold-out "kit=a"): other`: func(s *training.Spec) { s.HoldOut = []string{"kit=b"} },
	} {
		s := base
		change(&s)
		if _, _, err := s.Open(func(string) {}); !errors.Is(err, training.ErrMismatch) || !strings.HasPrefix(err.Error(), "resume: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	s := base
	s.ConfigFile = text(t, `{`)
	if _, _, err := s.Open(func(string) {}); err == nil || errors.Is(err, training.ErrMismatch) {
		t.Errorf("a broken configuration: %v", err)
	}
	// The checkpoint before a damaged one, and one without a record, are noted.
	c.Data = nil
	if err := c.Write(out + ".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(out, 50); err != nil {
		t.Fatal(err)
	}
	s = base
	s.Keep = 1
	_, notes := opened(t, s)
	if len(notes) != 2 || !strings.Contains(notes[0], "going on from the one before, "+out+".1, at step 7") || !strings.Contains(notes[1], "does not record") {
		t.Errorf("%q", notes)
	}
}

func TestParseChannels(t *testing.T) {
	for in, want := range map[string]int{"": 0, "auto": 0, "1": 1, "32": 32} {
		if got, err := training.ParseChannels(in); got != want || err != nil {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"0", "-1", "1.5", "wide", " 8"} {
		if _, err := training.ParseChannels(in); err == nil {
			t.Errorf("%q: no error", in)
		}
	}
}

// The classifier is in the ceiling where it is asked for, or where a twentieth of the budget is enough for it.
func TestCeilingMode(t *testing.T) {
	for name, c := range map[string]struct {
		mode       training.CeilingMode
		budget     time.Duration
		ceiling    bool
		classifier time.Duration
	}{
		"a short budget": {training.CeilingAuto, 2 * time.Minute, true, 0},
		"a long one":     {training.CeilingAuto, 10 * time.Minute, true, 30 * time.Second},
		"none":           {training.CeilingAuto, 0, true, 0},
		"fast":           {training.CeilingFast, 10 * time.Minute, true, 0},
		"full":           {training.CeilingFull, 0, true, -1},
		"off":            {training.CeilingOff, 10 * time.Minute, false, 0},
	} {
		if o := c.mode.PlanOptions(c.budget); o.Ceiling != c.ceiling || o.Classifier != c.classifier || c.mode.Validate() != nil {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if err := training.CeilingMode("high").Validate(); err == nil || !strings.Contains(err.Error(), "auto, full, fast, off") {
		t.Error(err)
	}
}
