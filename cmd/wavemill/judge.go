package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// newJudge is `wavemill judge`.
func newJudge(a *app) *cobra.Command {
	var o judgeCommand
	cmd := &cobra.Command{
		Use:   "judge --data DIR --out JUDGE",
		Short: "Train the filter that generate --until-good uses",
		Long: `Judge trains a classifier on recordings and saves it, together with their
spectrograms at half the resolution, by which copies are recognised. With --model, it
also saves the scores that the discriminators of those models (gan, vaegan) give to
the recordings.

The file shows the outlines of the recordings: share it as you would share them.`,
		Example: `  wavemill judge --data recordings/ --out judge.safetensors
  wavemill judge --data recordings/ --model vaegan.safetensors --out judge.safetensors
  wavemill generate --model vaegan.safetensors --label three --n 50 --until-good --judge judge.safetensors --out clips`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.judge(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with the recordings that the models were trained on; may be repeated (required)")
	f.StringArrayVar(&o.models, "model", nil, "checkpoint whose discriminator is to be used too; may be repeated")
	f.StringVar(&o.out, "out", "", "file for the filter, such as judge.safetensors (required)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the classifier")
	f.BoolVar(&o.overwrite, "overwrite", false, "overwrite an existing --out")
	f.BoolVar(&o.asJSON, "json", false, "print the result as one line of JSON")
	addLabels(cmd, &o.labels)
	return cmd
}

// judgeCommand holds the flags of `wavemill judge`.
type judgeCommand struct {
	data, models []string
	labels, out  string
	seed         uint64
	overwrite    bool
	asJSON       bool
}

// judgeResult is what `wavemill judge --json` prints.
type judgeResult struct {
	Out            string       `json:"out"`
	Recordings     int          `json:"recordings"`
	Labels         []string     `json:"labels"`
	HeldOut        eval.HeldOut `json:"held_out"`       // the classifier on recordings that it was not trained on
	Discriminators []string     `json:"discriminators"` // digests of models
	Seed           uint64       `json:"seed"`
}

func (a *app) judge(ctx context.Context, o judgeCommand) error {
	switch {
	case len(o.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case o.out == "":
		return usagef("--out is missing: the file for the filter")
	}
	if _, err := os.Stat(o.out); err == nil && !o.overwrite {
		return fmt.Errorf("%s exists already; --overwrite replaces it", o.out)
	}
	checkpoints := make([]models.Checkpoint, len(o.models))
	for i, path := range o.models {
		var err error
		if checkpoints[i], err = models.Read(path); err != nil {
			return err
		}
	}
	all, err := a.load(ctx, o.data, o.labels, holdoutFlags{})
	if err != nil {
		return err
	}
	filter, err := a.trainFilter(ctx, all, o.seed)
	if err != nil {
		return err
	}
	result := judgeResult{Out: o.out, Recordings: len(all), Labels: filter.Classifier().Labels(), HeldOut: filter.Classifier().HeldOut(), Discriminators: []string{}, Seed: o.seed}
	var known []*eval.DiscriminatorQuantile
	for i, cp := range checkpoints {
		r, err := a.scoreRecordings(ctx, cp, all)
		if errors.Is(err, models.ErrNoDiscriminator) {
			a.note("%s: %v; its clips are checked by the classifier and by their distance to recordings alone", o.models[i], err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", o.models[i], err)
		}
		known = append(known, r)
		result.Discriminators = append(result.Discriminators, r.Digest())
	}
	file, err := filter.Checkpoint(known...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	if err := file.Write(o.out); err != nil {
		return err
	}
	if o.asJSON {
		return a.printJSON(result)
	}
	return a.say("%s: a filter for %d labels, trained on %d recordings; on %d others its classifier has an accuracy of %.1f %%",
		o.out, len(result.Labels), len(all), result.HeldOut.Clips, 100*result.HeldOut.Accuracy)
}

// trainFilter trains the classifier of a filter on recordings, and notes where it is not accurate enough.
func (a *app) trainFilter(ctx context.Context, all []dataset.Recording, seed uint64) (*eval.Filter, error) {
	task := a.console.Start("train the filter", 0, "epochs")
	defer task.Done()
	clips := dataset.Clips(all)
	c, err := eval.Train(ctx, clips, eval.Options{Seed: seed, OnProgress: func(p eval.Progress) {
		task.Total(int64(p.Epochs))
		task.Set(int64(p.Epoch))
	}})
	if err != nil {
		return nil, err
	}
	if held := c.HeldOutAccuracy(); held < eval.Gate {
		a.note("the classifier has an accuracy of only %.1f %% on held-out recordings, less than %.0f %%: it will reject good clips and pass bad ones", 100*held, 100*eval.Gate)
	}
	return eval.NewFilter(ctx, c, clips, 0)
}

// scoreRecordings scores recordings with the discriminator of a checkpoint: those that it has not seen or, where they are
// few, all.
func (a *app) scoreRecordings(ctx context.Context, cp models.Checkpoint, all []dataset.Recording) (*eval.DiscriminatorQuantile, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(r dataset.Recording) bool { return !slices.Contains(cp.Labels, r.Label) })
	const few = 50
	p, err := training.Unseen([]models.Checkpoint{cp}, all, holdoutFlags{}.rule(cp.Seed))
	if err != nil && !errors.Is(err, training.ErrAllSeen) {
		return nil, err
	}
	if len(p.Unseen) >= few {
		all = picked(all, p.Unseen)
	}
	task := a.console.Start("score recordings", int64(len(all)), "recordings")
	defer task.Done()
	r, err := eval.NewDiscriminatorQuantile(ctx, cp, dataset.Clips(all), cp.Seed)
	task.Set(int64(len(all)))
	return r, err
}
