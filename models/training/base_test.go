package training_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/modeltest"
	"wavemill/models/training"
	"wavemill/models/transfer"
)

// Every known architecture takes over the weights of a base, of its second phase too: its learner restores them, whatever the
// labels.
func TestBaseOfEveryArchitecture(t *testing.T) {
	fe := modeltest.FrontEnd()
	for _, arch := range architectures.Names() {
		config, err := architectures.WithWidth(arch, nil, 4)
		if err != nil {
			t.Fatal(err)
		}
		learner := func(seed uint64, labels ...string) (models.Learner, models.Checkpoint) {
			l, err := architectures.NewLearner(arch, config, fe, labels, seed)
			if err != nil {
				t.Fatal(err)
			}
			c, err := l.Checkpoint()
			if err != nil {
				t.Fatal(err)
			}
			return l, c
		}
		trained, _ := learner(1, "a", "b", "c")
		clips := modeltest.Clips(12, fe.Frames, fe.Spectrogram.Bins(), 3, 1)
		base, err := (&models.Trainer{Steps: 4, BatchSize: 4, Seed: 5}).Run(t.Context(), trained, clips, models.Batch{})
		if err != nil {
			t.Fatal(err)
		}
		l, fresh := learner(2, "b", "c", "d", "e")
		_, more := learner(2, "b", "c", "d", "e", "f")
		c, r, err := transfer.Start(base, fresh, more)
		if err != nil {
			t.Fatalf("%s: %v", arch, err)
		}
		if err := l.Restore(c); err != nil {
			t.Errorf("%s: %v", arch, err)
		}
		if len(r.Fresh) > 0 || r.Tensors < 20 {
			t.Errorf("%s: %+v", arch, r)
		}
	}
}

// trainedBase trains a model of two labels and keeps it in a file.
func trainedBase(t *testing.T, recordings []dataset.Recording) (path string, c models.Checkpoint) {
	t.Helper()
	var two []dataset.Recording
	for _, r := range recordings {
		if r.Label != "kick" {
			two = append(two, r)
		}
	}
	c, _, err := vae(8).Run(t.Context(), prepare(t, two, training.Options{Holdout: rule()}))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "base.safetensors")
	if err := (models.Rotation{Path: path}).Write(c); err != nil {
		t.Fatal(err)
	}
	return path, c
}

func TestInit(t *testing.T) {
	all := synthetic(t, 24)
	known, few := all[:60], all[60:]
	path, base := trainedBase(t, known)
	var recordings []dataset.Recording
	for _, r := range append(slices.Clip(known), few...) {
		if r.Label != "kick" || len(recordings) > 60-20 {
			recordings = append(recordings, r)
		}
	}
	spec := training.Spec{Job: vae(2), Out: filepath.Join(t.TempDir(), "new.safetensors"), Init: path, NoCurves: true}
	spec.Job.Config, spec.Job.Arch = nil, ""
	job, release, err := spec.Open(func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = release() }()
	if job.Arch != "vae" || !strings.Contains(string(job.Config), `"latent":4`) {
		t.Errorf("%s %s: not those of the base", job.Arch, job.Config)
	}
	set := prepare(t, recordings, spec.Options(job))
	if !reflect.DeepEqual(set.FrontEnd, base.FrontEnd) || !reflect.DeepEqual(set.Labels, []string{"bell", "hihat", "kick"}) {
		t.Errorf("front end %+v, labels %v", set.FrontEnd, set.Labels)
	}
	// What the base held out stays so, and of the few new ones none is.
	if got, want := digests(set.Data.HeldOut), digests(base.Data.HeldOut); !reflect.DeepEqual(got, want) {
		t.Errorf("%d held out, by the base %d", len(got), len(want))
	}
	run, err := job.Start(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(run.Lines(), "\n"); !strings.Contains(text, "new labels: kick") {
		t.Error(text)
	}
	c, _, err := run.Train(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Two steps leave the weights near those of the base, and far from those of another beginning.
	if d := apart(t, c, base, "model/decoder/conv2/w"); d > 0.2 {
		t.Errorf("the weights are %g of their size from those of the base", d)
	}
	job.Init, job.Seed = nil, 6
	other, _, err := job.Run(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	if d := apart(t, other, base, "model/decoder/conv2/w"); d < 0.5 {
		t.Errorf("without a base the weights are %g of their size from it", d)
	}
}

// apart is the distance of a tensor in two checkpoints, by its norm in the second.
func apart(t *testing.T, a, b models.Checkpoint, name string) float64 {
	t.Helper()
	x, errX := a.Tensor(name)
	y, errY := b.Tensor(name)
	if errX != nil || errY != nil || len(x.Data) != len(y.Data) {
		t.Fatal(errX, errY)
	}
	var d, n float64
	for i := range x.Data {
		d += float64((x.Data[i] - y.Data[i]) * (x.Data[i] - y.Data[i]))
		n += float64(y.Data[i] * y.Data[i])
	}
	return d / n
}

// A checkpoint does not call unseen what its base has seen, and claims nothing where the base has no record.
func TestInitHasSeen(t *testing.T) {
	all := synthetic(t, 12)
	_, base := trainedBase(t, all[:24])
	set := prepare(t, all[24:], training.Options{Holdout: rule(), Init: &base})
	seen := map[string]bool{}
	for _, r := range set.Data.Seen() {
		seen[r.Digest] = true
	}
	for _, r := range base.Data.Seen() {
		if !seen[r.Digest] {
			t.Fatalf("%s was seen by the base and is not in the record", r.Source)
		}
	}
	job := vae(1)
	base.Data, job.Init = nil, &base
	c, _, err := job.Run(t.Context(), prepare(t, all[24:], training.Options{Holdout: rule(), Init: &base}))
	if err != nil || c.Data != nil {
		t.Errorf("%v: a record although the base has none: %v", err, c.Data != nil)
	}
}

func TestInitRefuses(t *testing.T) {
	path, _ := trainedBase(t, synthetic(t, 8))
	for want, change := range map[string]func(*training.Spec){
		"the checkpoint is a vae": func(s *training.Spec) { s.Job.Arch = "gan" },
		"2 channels":              func(s *training.Spec) { s.Width = "7" },
		"front end":               func(s *training.Spec) { s.FrontEnd.Overrides.Hop = 77 },
		"no such file":            func(s *training.Spec) { s.Init = path + "x" },
	} {
		s := training.Spec{Job: vae(2), Out: filepath.Join(t.TempDir(), "x.safetensors"), Init: path}
		s.Job.Config = nil
		change(&s)
		if _, _, err := s.Open(func(string) {}); err == nil || !strings.HasPrefix(err.Error(), "init: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	// Other sizes show when the weights are taken over.
	s := training.Spec{Job: vae(2), Out: filepath.Join(t.TempDir(), "x.safetensors"), Init: path, Latent: 8}
	s.Job.Config = nil
	job, release, err := s.Open(func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = release() }()
	if _, err := job.Start(t.Context(), prepare(t, synthetic(t, 4), s.Options(job))); !errors.Is(err, transfer.ErrMisfit) || !strings.Contains(err.Error(), "posterior") {
		t.Errorf("another size of the latents: %v", err)
	}
}

// A training that started from a base and was interrupted leaves the weights of one that was not, also where a rare label is
// repeated.
func TestInitResumed(t *testing.T) {
	all := synthetic(t, 12)
	path, base := trainedBase(t, all)
	var recordings []dataset.Recording
	for i, r := range all {
		if r.Label != "kick" || i < 6 {
			recordings = append(recordings, r)
		}
	}
	out := filepath.Join(t.TempDir(), "x.safetensors")
	run := func(out string, until int64, resume bool) models.Checkpoint {
		s := training.Spec{Job: vae(8), Out: out, Init: path, Resume: resume, NoCurves: true}
		s.Job.Config, s.Job.EvalEvery = nil, 100
		job, release, err := s.Open(func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = release() }()
		set := prepare(t, recordings, s.Options(job))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		job.OnEvent = func(p models.Progress) {
			if p.Step == until {
				cancel()
			}
		}
		c, _, err := job.Run(ctx, set)
		if (until < 8) != (err != nil) || until < 8 && c.Step != until {
			t.Fatalf("until step %d: ended at %d: %v", until, c.Step, err)
		}
		return c
	}
	whole := run(filepath.Join(t.TempDir(), "whole.safetensors"), 9, false)
	run(out, 4, false)
	if got := run(out, 9, true); !reflect.DeepEqual(got.Tensors, whole.Tensors) {
		t.Error("the resumed training left other weights")
	}
	if digest, err := base.Digest(); err != nil || whole.Base != digest {
		t.Errorf("the base is recorded as %q, its digest is %q (%v)", whole.Base, digest, err)
	}
}

// TestFreeze: frozen parts keep the weights of the base to the last bit, averaged ones and those in training, and the others
// change.
func TestFreeze(t *testing.T) {
	recordings := synthetic(t, 24)[:60]
	path, base := trainedBase(t, recordings)
	frozen := func(part, resume string) models.Checkpoint {
		spec := training.Spec{Job: vae(4), Out: filepath.Join(t.TempDir(), "new.safetensors"), Init: path, NoCurves: true}
		spec.Job.Config, spec.Job.Arch, spec.Job.Freeze = nil, "", []string{part}
		job, release, err := spec.Open(func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = release() }()
		set := prepare(t, recordings, spec.Options(job))
		if resume != "" {
			job.Steps = 2
		}
		c, _ := run(t, job, set)
		if resume != "" {
			job.Steps, job.Resume, job.Init, job.Freeze = 4, &c, nil, nil
			c, _ = run(t, job, set)
		}
		return c
	}
	for _, c := range []struct{ frozen, free, resume string }{{"encoder", "decoder", ""}, {"decoder", "encoder", ""}, {"encoder", "decoder", "resumed"}} {
		got := frozen(c.frozen, c.resume)
		if !slices.Equal(got.Frozen, []string{c.frozen}) {
			t.Errorf("the checkpoint says that %q were frozen", got.Frozen)
		}
		kept, changed := 0, 0
		for _, x := range got.Tensors {
			name := strings.TrimPrefix(strings.TrimPrefix(x.Name, "model/"), models.OptimizerPrefix+"weights/")
			was, err := base.Tensor("model/" + name)
			if err != nil || len(x.Data) != len(was.Data) { // what belongs to labels: there is a new one
				continue
			}
			same := slices.Equal(x.Data, was.Data)
			switch {
			case strings.HasPrefix(name, c.frozen+"/") && !same:
				t.Errorf("%s is frozen, and %s differs", c.frozen, x.Name)
			case strings.HasPrefix(name, c.frozen+"/"):
				kept++
			case !same:
				changed++
			}
		}
		if kept < 20 || changed < 20 {
			t.Errorf("%s frozen: %d tensors kept, %d changed", c.frozen, kept, changed)
		}
	}
}

// TestFreezeRefuses: what cannot be frozen is refused with the parts that can.
func TestFreezeRefuses(t *testing.T) {
	fe := modeltest.FrontEnd()
	for _, c := range []struct {
		arch, parts, says string
	}{
		{"vae", "head", "encoder"},
		{"vae", "encoder decoder", "nothing is left"},
		{"vaegan", "decoder", "encoder"},
		{"flow", "decoder", "encoder"},
		{"gan", "generator", "discriminator"},
	} {
		l, err := architectures.NewLearner(c.arch, nil, fe, []string{"a", "b"}, 1)
		if err != nil {
			t.Fatal(err)
		}
		err = l.(models.PartFreezer).Freeze(strings.Fields(c.parts))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, %s: error %v", c.arch, c.parts, err)
		}
	}
	job := vae(2)
	job.Freeze = []string{"encoder"}
	if err := job.Validate(); err == nil || !strings.Contains(err.Error(), "init") {
		t.Errorf("without a base: error %v", err)
	}
}

// TestFreezeInBothPhases: the second phase of a VAE-GAN and of a flow works on a copy of the weights. Of a GAN, the
// discriminator's first convolutions stay.
func TestFreezeInBothPhases(t *testing.T) {
	fe := modeltest.FrontEnd()
	for _, c := range []struct {
		arch, part string
		kept, not  []string // the beginnings of names within a model
		least      int      // tensors that are kept
	}{
		{"vaegan", "encoder", []string{"encoder/"}, nil, 20},
		{"flow", "encoder", []string{"encoder/"}, nil, 10},
		{"gan", "discriminator", []string{"discriminator/conv1/", "discriminator/conv2/", "discriminator/conv3/"}, []string{"discriminator/conv4/", "discriminator/score/"}, 6},
	} {
		t.Run(c.arch, func(t *testing.T) {
			config, err := architectures.WithWidth(c.arch, nil, 4)
			if err != nil {
				t.Fatal(err)
			}
			l, err := architectures.NewLearner(c.arch, config, fe, []string{"a", "b", "c"}, 1)
			if err != nil {
				t.Fatal(err)
			}
			before, err := l.Checkpoint()
			if err != nil {
				t.Fatal(err)
			}
			was := map[string][]float32{}
			for _, x := range before.Tensors {
				was[x.Name] = x.Data
			}
			if err := l.(models.PartFreezer).Freeze([]string{c.part}); err != nil {
				t.Fatal(err)
			}
			clips := modeltest.Clips(12, fe.Frames, fe.Spectrogram.Bins(), 3, 1)
			after, err := (&models.Trainer{Steps: 8, BatchSize: 4, Seed: 5}).Run(t.Context(), l, clips, models.Batch{})
			if err != nil {
				t.Fatal(err)
			}
			kept, changed := 0, 0
			for _, x := range after.Tensors {
				if strings.Contains(x.Name, "adam") || !strings.HasSuffix(x.Name, "/w") && !strings.HasSuffix(x.Name, "/b") {
					continue
				}
				for _, name := range c.kept {
					if at := strings.Index(x.Name, name); at >= 0 {
						old, known := was[x.Name]
						if !known {
							old, known = was["model/"+x.Name[at:]]
						}
						if !known || !slices.Equal(x.Data, old) {
							t.Errorf("%s is frozen and differs, or was not there: %v", x.Name, known)
						}
						kept++
					}
				}
				for _, name := range c.not {
					if old := was[x.Name]; strings.Contains(x.Name, name) && len(old) > 0 && !slices.Equal(x.Data, old) {
						changed++
					}
				}
			}
			if kept < c.least || changed < len(c.not) {
				t.Errorf("%d tensors are kept, want %d; of what is trained, %d changed", kept, c.least, changed)
			}
		})
	}
}
