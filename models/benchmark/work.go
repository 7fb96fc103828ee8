package benchmark

import (
	"context"
	"fmt"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// trainer is the usual Trainer.
type trainer struct{ progress Progress }

// Train implements Trainer.
func (t trainer) Train(ctx context.Context, job training.Job, recordings []dataset.Recording, rule dataset.Holdout, file string) (models.Checkpoint, training.Result, error) {
	note := func(line string) { t.progress.Note("%s", line) }
	set, err := training.Prepare(ctx, recordings, training.Options{Holdout: rule, Note: note})
	if err != nil {
		return models.Checkpoint{}, training.Result{}, err
	}
	event := func(models.Progress) {}
	job.OnEvent = func(p models.Progress) { event(p) }
	job.Save = func(c models.Checkpoint) error { return c.Write(file) }
	run, err := job.Start(ctx, set)
	if err != nil {
		return models.Checkpoint{}, training.Result{}, err
	}
	for _, line := range run.Settings.Lines() {
		note(line)
	}
	var done func()
	event, done = t.progress.Training(job.Budget, job.Steps)
	cp, result, err := run.Train(ctx)
	done()
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w at step %d; its weights so far are in %s", err, cp.Step, file)
	}
	return cp, result, err
}

// evaluator is the usual Evaluator.
type evaluator struct{ *comparison.Evaluation }

// Accuracy implements Evaluator.
func (e evaluator) Accuracy() eval.EvaluatorAccuracy { return e.Evaluator().Report().Evaluator }

func newEvaluator(ctx context.Context, d comparison.Data, o comparison.Options) (Evaluator, error) {
	e, err := comparison.Open(ctx, d, o)
	return evaluator{e}, err
}
