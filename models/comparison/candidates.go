package comparison

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/training"
)

// Candidates returns a candidate for each of the given models: the name of an architecture, which TrainAll trains, or the
// file of a checkpoint, which is read. Their names are those of the architecture or of the file without its extension,
// numbered from the second of the same name on. The checkpoints of architectures belong into the folder dir.
func Candidates(given []string, dir string) ([]*Candidate, error) {
	out := make([]*Candidate, len(given))
	seen := map[string]int{}
	for i, model := range given {
		name := strings.TrimSuffix(filepath.Base(model), filepath.Ext(model))
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s %d", name, seen[name])
		}
		if slices.Contains(architectures.Names(), model) {
			out[i] = &Candidate{Name: name, Arch: model, File: filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".safetensors")}
			continue
		}
		checkpoint, err := models.Read(model)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[i] = &Candidate{Name: name, File: model, Checkpoint: checkpoint}
	}
	return out, nil
}

// Checkpoints returns the checkpoints of the candidates that are not to be trained.
func Checkpoints(candidates []*Candidate) []models.Checkpoint {
	var out []models.Checkpoint
	for _, c := range candidates {
		if c.Arch == "" {
			out = append(out, c.Checkpoint)
		}
	}
	return out
}

// TrainAll trains the candidates that have an Arch, one after the other, on what the split lets them learn from, and
// writes each checkpoint to the candidate's File. job says how; its Arch, Save and OnEvent are replaced. prepare, when not
// nil, completes the options with which the recordings become the Set that all of them share.
func TrainAll(ctx context.Context, candidates []*Candidate, s Split, job training.Job, prepare func(training.Options) training.Options, p training.Progress) error {
	recordings, options, err := s.Training()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(candidates, func(c *Candidate) bool { return c.Arch != "" }) {
		return nil
	}
	if prepare != nil {
		options = prepare(options)
	}
	set, err := training.Prepare(ctx, recordings, options)
	if err != nil {
		return err
	}
	for _, c := range candidates {
		if c.Arch == "" {
			continue
		}
		job.Arch = c.Arch
		checkpoint, result, err := training.TrainCandidate(ctx, job, set, c.File, p)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		c.Checkpoint, c.History, c.Seconds, c.CPUSeconds = checkpoint, result.History, result.Seconds, result.CPUSeconds
	}
	return nil
}
