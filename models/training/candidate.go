package training

import (
	"context"
	"fmt"
	"time"

	"wavemill/models"
)

// Progress shows the trainings of a comparison or a benchmark, one after the other.
type Progress interface {
	// Note shows a line.
	Note(format string, args ...any)
	// Training begins to show a training of steps or, where they are 0, of a budget of time. event is given all its events,
	// and done ends it.
	Training(budget time.Duration, steps int64) (event func(models.Progress), done func())
}

// TrainCandidate trains a model that is to be compared with others, and writes its checkpoints to a file. Save and OnEvent
// of the job are replaced. The recordings of several candidates may share one Set. Where ctx ends the training, the error
// names the file that has the weights so far.
func TrainCandidate(ctx context.Context, j Job, set Set, file string, p Progress) (models.Checkpoint, Result, error) {
	event := func(models.Progress) {}
	j.OnEvent = func(e models.Progress) { event(e) }
	j.Save = func(c models.Checkpoint) error { return c.Write(file) }
	run, err := j.Start(ctx, set)
	if err != nil {
		return models.Checkpoint{}, Result{}, err
	}
	for _, line := range run.Settings.Lines() {
		p.Note("%s", line)
	}
	var done func()
	event, done = p.Training(j.Budget, j.Steps)
	c, result, err := run.Train(ctx)
	done()
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w at step %d; its weights so far are in %s", err, c.Step, file)
	}
	return c, result, err
}
