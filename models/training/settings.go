package training

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"wavemill/models/architectures"
)

// Settings are what Job.Start decided.
type Settings struct {
	Arch      string
	Config    json.RawMessage // of the architecture, with all that was decided
	BatchSize int             // 0: models.Trainer's default
	Resumed   bool            // from a checkpoint: nothing was decided

	Clips, Labels int                       // to train on
	Varied        bool                      // the clips are few, and varied while training
	Channels      int                       // that the job asked for; 0: none
	Size          *architectures.SizeResult // of the size search; nil: there was none
	Base          []string                  // what was taken over from Job.Init, for a person
}

// Lines describe the decisions for a person; there are none for a resumed training.
func (s Settings) Lines() []string {
	var lines []string
	if s.Varied {
		lines = append(lines, fmt.Sprintf("few       %d recordings of %d labels: they are varied in pace, formants and tilt (\"vary\": 1; 0 turns that off)", s.Clips, s.Labels))
	}
	if s.Channels > 0 {
		lines = append(lines, fmt.Sprintf("network   %s of %d channels", s.Arch, s.Channels))
	}
	if s.Size != nil {
		lines = append(lines, fmt.Sprintf("network   %s of %s", s.Arch, s.Size))
	}
	return append(lines, s.Base...)
}

// settle decides the settings of a new training: what few recordings need, and with a budget of time the size of the
// network. With Steps nothing is measured, so that the same job gives the same weights on every machine.
func (r *Run) settle(ctx context.Context) error {
	j := r.job
	s := Settings{Arch: j.Arch, Config: j.Config, BatchSize: j.BatchSize, Clips: r.set.Train.B, Labels: len(r.set.Labels)}
	if j.NewLearner != nil {
		r.Settings = s
		return nil
	}
	table := j.Architectures.OrKnown()
	var err error
	if s.Config, s.Varied, err = table.ForFew(j.Arch, s.Config, s.Clips, s.Labels); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	if j.Channels > 0 {
		s.Channels = j.Channels
		if s.Config, err = table.WithWidth(j.Arch, s.Config, j.Channels); err != nil {
			return fmt.Errorf("training: %w", err)
		}
	}
	if j.Steps == 0 && j.Budget > 0 && j.Init == nil {
		if err := r.searchSize(ctx, &s); err != nil {
			return err
		}
	}
	r.trainer.BatchSize = s.BatchSize
	r.Settings = s
	return nil
}

// searchSize fits the network to the budget. What the search and the work before it took is part of the budget, of which
// training keeps a half at least.
func (r *Run) searchSize(ctx context.Context, s *Settings) error {
	began := time.Now()
	size, err := r.job.Architectures.OrKnown().SearchSize(ctx, s.Arch, s.Config, r.set.FrontEnd, r.set.Labels, r.set.Train, r.job.Budget)
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	s.Config = size.Config
	if s.BatchSize == 0 {
		s.BatchSize = size.Batch
	} else {
		size.Batch = s.BatchSize
	}
	s.Size = &size
	r.trainer.Budget = max(r.job.Budget-r.job.Spent-time.Since(began), r.job.Budget/2)
	return nil
}
