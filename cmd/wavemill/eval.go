package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/comparison"
	"wavemill/models/report"
)

// evalOptions are the flags of `wavemill eval`.
type evalOptions struct {
	evaluationFlags
	model string
	html  string // file for the report; "": none
}

func newEval(a *app) *cobra.Command {
	var o evalOptions
	cmd := &cobra.Command{
		Use:   "eval --model MODEL --data DIR",
		Short: "Measure what a model's clips are good for",
		Long: `Eval generates clips, converts them to 16 bits as in WAV files, and compares them
with real recordings that the model has not seen. The evaluator is a classifier of
its own, trained on the recordings that the model has seen.

A checkpoint records what it was trained on: those recordings, copies and near
copies of them never count as held out, whatever their file is called. Where too
little is left, the command fails; --test gives other recordings to evaluate with.
For older checkpoints without a record the split is derived from their seed, and
the report warns that it cannot be trusted.

Four columns are printed: the held-out recordings; the same, sent through the
model's front end and back (the ceiling); noise; and the model. Every figure has a
95 % interval. Most of the time goes into training classifiers on the clips:
--quick trains one of each kind instead of three, with 300 steps instead of 1,000,
and leaves out the gains beside shares of the recordings with tuned augmentation;
--useful=false trains none.`,
		Example: `  wavemill eval --model model.safetensors --data recordings/
  wavemill eval --model model.safetensors --data recordings/ --quick --json
  wavemill eval --model model.safetensors --data recordings/ --test others/`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.eval(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.model, "model", "", "checkpoint, such as model.safetensors (required)")
	cmd.Flags().StringVar(&o.html, "html", "", "also write the report, with sounds and pictures, as an HTML file")
	o.addAll(cmd)
	return cmd
}

func (a *app) eval(ctx context.Context, o evalOptions) error {
	if err := o.checkAll(); err != nil {
		return err
	}
	if o.html != "" {
		if err := checkOutFile("html", o.html); err != nil {
			return err
		}
	}
	checkpoint, err := models.Read(o.model)
	if err != nil {
		return err
	}
	all, err := a.evaluationRecordings(ctx, o.evaluationFlags)
	if err != nil {
		return err
	}
	split, err := all.Split([]models.Checkpoint{checkpoint})
	if err != nil {
		return err
	}
	candidates := []*comparison.Candidate{{Name: checkpoint.Arch, File: o.model, Checkpoint: checkpoint}}
	data := split.Data().Heard(candidates)
	options, stages := o.options(a, 1)
	defer stages.Stop()
	if err := comparison.CheckLabels(data, options, candidates); err != nil {
		return err
	}
	if err := comparison.Announce(ctx, data, options); err != nil {
		return err
	}
	e, err := comparison.Open(ctx, data, options)
	if err != nil {
		return err
	}
	result, err := e.Run(ctx, candidates)
	if err != nil {
		return err
	}
	stages.Done()
	var unwritten error // The page; the result is printed all the same.
	if o.html != "" {
		page, err := report.Comparison(report.Compared{
			Report: result, Verdict: comparison.Decide(result), Data: data, Candidates: candidates, Made: time.Now(), Facts: recordingFacts(all, o.seed),
		})
		if err == nil {
			err = os.MkdirAll(filepath.Dir(o.html), 0o755)
		}
		if err == nil {
			err = report.WriteFile(o.html, page)
		}
		unwritten = err
	}
	if o.asJSON {
		return errors.Join(a.printJSON(result), unwritten)
	}
	return errors.Join(comparison.WriteTable(a.out, result), unwritten)
}
