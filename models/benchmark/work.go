package benchmark

import (
	"context"

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
	return training.TrainCandidate(ctx, job, set, file, t.progress)
}

// evaluator is the usual Evaluator.
type evaluator struct{ *comparison.Evaluation }

// Accuracy implements Evaluator.
func (e evaluator) Accuracy() eval.EvaluatorAccuracy { return e.Evaluator().Report().Evaluator }

func newEvaluator(ctx context.Context, d comparison.Data, o comparison.Options) (Evaluator, error) {
	e, err := comparison.Open(ctx, d, o)
	return evaluator{e}, err
}
