package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/report"
	"wavemill/models/training"
)

// demoParts are the recordings of a demo, divided by whether its checkpoint has seen them.
type demoParts struct {
	learnt  []dataset.Recording // the weights learnt from these, or were chosen by them
	heldOut []dataset.Recording // the checkpoint records these as held out
	warning string              // why the division is not to be trusted; "" where it is
}

// divideDemo divides recordings by the record of a checkpoint. Near copies of what it learnt from count as learnt;
// recordings that the checkpoint does not record are in neither part. rule replaces a missing record.
func divideDemo(c models.Checkpoint, recordings []dataset.Recording, rule dataset.Holdout) (demoParts, error) {
	p, err := training.Unseen([]models.Checkpoint{c}, recordings, rule)
	if err != nil && !errors.Is(err, training.ErrAllSeen) {
		return demoParts{}, err
	}
	out := demoParts{learnt: picked(recordings, p.Seen), warning: p.Warning()}
	recorded := map[string]bool{}
	for _, h := range training.HeldOutOf(c) {
		recorded[h.Digest] = true
	}
	for _, i := range p.Unseen {
		if recorded[recordings[i].Digest] || !p.Trusted {
			out.heldOut = append(out.heldOut, recordings[i])
		}
	}
	return out, nil
}

// picked returns the recordings with the given indices.
func picked(all []dataset.Recording, indices []int) []dataset.Recording {
	out := make([]dataset.Recording, len(indices))
	for i, at := range indices {
		out[i] = all[at]
	}
	return out
}

// list returns the held-out recordings as reports list them.
func (p demoParts) list() []training.HeldOut {
	return training.HeldOutList(dataset.Identities(p.heldOut))
}

// demoEvaluation is what the classifier says about held-out recordings, and later about the generated clips.
type demoEvaluation struct {
	missing   string // why there is no classifier; "" where there is one
	real      report.Confusion
	generated report.Confusion
}

// summary states the accuracy of the classifier in one line.
func (e demoEvaluation) summary() string {
	if e.missing != "" {
		return e.missing
	}
	s := e.real.Share()
	return fmt.Sprintf("%d of %d held-out recordings classified correctly", s.Part, s.Whole)
}

// The classifier is trained for half the time of the training, within these limits: below, it is not accurate enough, and
// above, it does not improve.
const (
	leastClassifierTime = 30 * time.Second
	mostClassifierTime  = 60 * time.Second
)

// trainClassifier trains a classifier on the recordings that the checkpoint learnt from and measures it on those held out.
// Where there is only one label, or nothing is held out, there is no classifier, and the report says so.
func (d *demo) trainClassifier(ctx context.Context) error {
	switch {
	case len(dataset.Labels(d.parts.learnt)) < 2:
		d.evaluation.missing = "it needs two labels or more"
		return nil
	case len(d.parts.heldOut) == 0:
		d.evaluation.missing = "there are too few recordings to hold some out"
		return nil
	}
	o := eval.Options{Seed: d.o.seed, Epochs: d.o.classifierEpochs}
	task := d.console.Start("train the classifier", 0, "epochs")
	defer task.Done()
	o.OnProgress = func(p eval.Progress) {
		task.Total(int64(p.Epochs))
		task.Set(int64(p.Epoch))
		task.Note("loss %.3f", p.Loss)
	}
	if d.o.steps == 0 {
		o.Budget = min(max(d.o.budget/2, leastClassifierTime), mostClassifierTime)
	}
	c, err := eval.Train(ctx, dataset.Clips(d.parts.learnt), o)
	if err != nil {
		return fmt.Errorf("train the classifier: %w", err)
	}
	if d.evaluation.real, _, err = report.Classify(ctx, c, "held-out recordings", dataset.Clips(d.parts.heldOut)); err != nil {
		return err
	}
	d.classifier.Store(c)
	return nil
}

// classifyClips classifies the generated clips and writes the results into them.
func (d *demo) classifyClips(ctx context.Context) error {
	c := d.classifier.Load()
	if c == nil {
		return nil
	}
	sounds := make([]audio.Clip, len(d.clips))
	for i, clip := range d.clips {
		sounds[i] = clip.sound
	}
	confusion, assigned, err := report.Classify(ctx, c, "generated clips", sounds)
	if err != nil {
		return err
	}
	d.evaluation.generated = confusion
	for i, a := range assigned {
		d.clips[i].Confidence, d.clips[i].Heard = &a.Confidence, a.Label
	}
	return nil
}
