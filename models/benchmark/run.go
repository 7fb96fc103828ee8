package benchmark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/internal/atomicfile"
	"wavemill/models"
	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/models/sampling"
	"wavemill/models/training"
)

// A bench is one run of a Quality.
type bench struct {
	Quality
	fold
	evaluator Evaluator // nil until it is needed
}

// run evaluates what has not been evaluated yet.
func (b *bench) run(ctx context.Context, r *Result) error {
	for _, kind := range references() {
		run, err := b.kept(kind, func(run *Run) error { return b.reference(ctx, kind, run) })
		if err != nil {
			return err
		}
		r.Reference = append(r.Reference, run)
	}
	for _, arch := range b.Models {
		run, err := b.kept(arch, func(run *Run) error { return b.model(ctx, arch, run) })
		if err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		r.Models = append(r.Models, run)
	}
	return nil
}

// settings is everything but the names in the files' names that results depend on.
func (b *bench) settings() string {
	s := fmt.Sprintf("3: clips %d, shares %v, held out %g, validation %g, group %q, left out %q, quick %t",
		b.Clips, b.Shares, b.rule.Share, b.rule.Validation, b.Group, b.rule.Out, b.Quick)
	if b.Epochs != 0 {
		s += fmt.Sprintf(", epochs of the filter %d", b.Epochs)
	}
	return s
}

// file is the name of what is kept of a model.
func (b *bench) file(model, extension string) string {
	length := fmt.Sprint(b.Budget)
	if b.Steps > 0 {
		length = fmt.Sprintf("%dsteps", b.Steps)
	}
	name := fmt.Sprintf("%s-%.8s-%s-seed%d", model, b.DataHash, length, b.seed)
	if b.leftOut != "" {
		name += "-without-" + dataset.FileSlug(b.leftOut)
	} else if b.Group != "" {
		name += "-by-" + dataset.FileSlug(b.Group)
	}
	return filepath.Join(b.Keep, name+extension)
}

// kept returns the result that is there already, or makes and keeps it.
func (b *bench) kept(model string, fresh func(*Run) error) (Run, error) {
	path := b.file(model, ".json")
	var r Run
	text, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(text, &r); err != nil {
			return r, fmt.Errorf("%s: %w; remove the file to evaluate again", path, err)
		}
		if r.Settings != b.settings() {
			return r, fmt.Errorf("%s was made with other settings (%s); use another folder, or remove the file to evaluate again", path, r.Settings)
		}
		if r.Row.Kind != "model" || b.Few == 0 || r.Few != nil && r.Few.Share == b.Few {
			return r, nil
		}
	}
	r = Run{Model: model, Seed: b.seed, LeftOut: b.leftOut, Settings: b.settings()}
	if err := fresh(&r); err != nil {
		return r, err
	}
	if text, err = json.Marshal(r); err != nil {
		return r, err
	}
	if err := atomicfile.Write(path, text, atomicfile.Options{}); err != nil {
		return r, err
	}
	// What is kept has fewer digits and details. The result is the same whether it was made now or earlier.
	var again Run
	return again, json.Unmarshal(text, &again)
}

// evaluate returns the evaluator of this run.
func (b *bench) evaluate(ctx context.Context) (Evaluator, error) {
	if b.evaluator == nil {
		shares := b.Shares
		if shares == nil {
			shares = []float64{}
		}
		e, err := b.NewEvaluator(ctx, b.data(), comparison.Options{
			Seed: b.seed, Clips: b.Clips, Useful: true, Quick: b.Quick, Shares: shares, Candidates: len(b.Models), Progress: b.Progress,
		})
		if err != nil {
			return nil, err
		}
		b.evaluator = e
	}
	return b.evaluator, nil
}

// reference evaluates recordings, the ceiling or noise.
func (b *bench) reference(ctx context.Context, kind string, r *Run) error {
	e, err := b.evaluate(ctx)
	if err != nil {
		return err
	}
	r.Judge, r.HeldOut = e.Accuracy(), b.data().Sources
	switch kind {
	case "real":
		r.Row = e.Real()
	case "ceiling":
		r.Row, err = e.Ceiling(ctx, frontend.PlanFor(dataset.Clips(b.learnable())))
	default:
		r.Row, err = e.Noise(ctx)
	}
	return err
}

// model trains, unless its checkpoint is there, and evaluates.
func (b *bench) model(ctx context.Context, arch string, r *Run) error {
	cp, took, err := b.trained(ctx, arch, b.recordings, b.rule, b.file(arch, ".safetensors"))
	if err != nil {
		return err
	}
	e, err := b.evaluate(ctx)
	if err != nil {
		return err
	}
	c := &comparison.Candidate{Name: arch, Checkpoint: cp, Seconds: took.Seconds, CPUSeconds: took.CPUSeconds}
	if err := e.Model(ctx, c); err != nil {
		return err
	}
	r.Judge, r.Row, r.HeldOut = e.Accuracy(), c.Row, b.data().Sources
	if err := b.sheet(ctx, c); err != nil {
		return err
	}
	if b.Few > 0 {
		r.Few, err = b.onFew(ctx, arch)
	}
	return err
}

// cost is what a training took, as it is kept beside its checkpoint.
type cost struct {
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"`
}

// trained reads a checkpoint or makes it.
func (b *bench) trained(ctx context.Context, arch string, recordings []dataset.Recording, rule dataset.Holdout, file string) (models.Checkpoint, cost, error) {
	done := file + ".done"
	text, err := os.ReadFile(done)
	if err == nil {
		var took cost
		if err := json.Unmarshal(text, &took); err != nil {
			return models.Checkpoint{}, took, fmt.Errorf("%s: %w; remove the file to train again", done, err)
		}
		cp, err := models.Read(file)
		if err == nil {
			err = b.unseen(cp, file)
		}
		return cp, took, err
	}
	if !errors.Is(err, os.ErrNotExist) {
		return models.Checkpoint{}, cost{}, err
	}
	b.Progress.Note("training %s, %s", arch, b.fold.name())
	job := training.Job{Arch: arch, Seed: b.seed, Steps: b.Steps}
	if b.Steps == 0 {
		job.Budget = b.Budget
	}
	cp, result, err := b.Trainer.Train(ctx, job, recordings, rule, file)
	if err != nil {
		return cp, cost{}, err
	}
	if err := b.unseen(cp, file); err != nil {
		return cp, cost{}, err
	}
	took := cost{result.Seconds, result.CPUSeconds}
	if text, err = json.Marshal(took); err != nil {
		return cp, took, err
	}
	return cp, took, atomicfile.Write(done, append(text, '\n'), atomicfile.Options{})
}

// unseen reports a checkpoint that has seen recordings which this run holds out.
func (b *bench) unseen(cp models.Checkpoint, file string) error {
	if cp.Data == nil {
		return fmt.Errorf("%s does not record what it was trained on; remove it to train again", file)
	}
	p, err := training.Unseen([]models.Checkpoint{cp}, b.recordings, b.rule)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, i := range b.parts.HeldOut {
		if !slices.Contains(p.Unseen, i) {
			return fmt.Errorf("%s was trained on %s, which is held out here; remove it to train again", file, b.recordings[i].Name)
		}
	}
	return nil
}

// onFew trains on a few recordings alone, generates clips, filters them and measures what they add to a classifier that
// has no other recordings either.
func (b *bench) onFew(ctx context.Context, arch string) (*eval.Gain, error) {
	some := b.few(b.Few)
	rule := dataset.Holdout{Validation: dataset.DefaultHoldout(b.seed).Validation, Seed: b.seed}
	cp, _, err := b.trained(ctx, arch, some, rule, b.file(fmt.Sprintf("%s-few%g", arch, b.Few), ".safetensors"))
	if err != nil {
		return nil, err
	}
	recorded := dataset.Clips(some)
	generated, err := accepted(ctx, cp, recorded, len(b.parts.Learnable()), eval.Options{Seed: b.seed, Epochs: b.Epochs})
	if err != nil {
		return nil, err
	}
	trial := eval.Trial{}
	if b.Quick {
		trial = eval.Trial{Seeds: []uint64{1}, Steps: quickSteps, Policies: eval.Policies()[2:3]}
	}
	gain, err := trial.Run(ctx, recorded, generated, dataset.Clips(b.heldOut()))
	gain.Share = b.Few
	return &gain, err
}

// quickSteps are those of a classifier where Quick.
const quickSteps = 100

// How long the search for clips that pass the filter goes on.
const (
	triesPerClip = 10 // for each clip wanted, at most
	patience     = 50 // it ends where fewer than one try in so many passes
)

// accepted generates about n clips, equally many of each label, that pass a filter made from the recordings alone, with a
// classifier of these options. There are fewer where few clips pass.
func accepted(ctx context.Context, cp models.Checkpoint, recorded []audio.Clip, n int, o eval.Options) ([]audio.Clip, error) {
	classifier, err := eval.Train(ctx, recorded, o)
	if err != nil {
		return nil, err
	}
	filter, err := eval.NewFilter(ctx, classifier, recorded, 0)
	if err != nil {
		return nil, err
	}
	sampler, err := sampling.Open(cp)
	if err != nil {
		return nil, err
	}
	each := (n + len(cp.Labels) - 1) / len(cp.Labels)
	policy := sampling.Policy{N: each, Seed: o.Seed, MaxTotal: triesPerClip * each, Patience: patience, Least: patience}
	var out []audio.Clip
	for _, kind := range sampling.Labels(cp.Labels, 0) {
		_, err := sampler.Accept(ctx, kind, filter.WithReliableLabels(), policy, func(a sampling.Attempt) error {
			if !a.Kept {
				return nil
			}
			clip, err := a.Decoded()
			out = append(out, clip)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
