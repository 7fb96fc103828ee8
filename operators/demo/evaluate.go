package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/models/report"
	"wavemill/models/training"
)

// parts are the recordings of a demo, divided by whether its checkpoint has seen them.
type parts struct {
	learnt  []dataset.Recording // the weights learnt from these, or were chosen by them
	heldOut []dataset.Recording // the checkpoint records these as held out
	warning string              // why the division is not to be trusted; "" where it is
}

// divide divides recordings by the record of a checkpoint. Near copies of what it learnt from count as learnt;
// recordings that the checkpoint does not record are in neither part. rule replaces a missing record.
func divide(c models.Checkpoint, recordings []dataset.Recording, rule dataset.Holdout) (parts, error) {
	p, err := training.Unseen([]models.Checkpoint{c}, recordings, rule)
	if err != nil && !errors.Is(err, training.ErrAllSeen) {
		return parts{}, err
	}
	out := parts{learnt: pick(recordings, p.Seen), warning: p.Warning()}
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

// pick returns the recordings with the given indices.
func pick(all []dataset.Recording, indices []int) []dataset.Recording {
	out := make([]dataset.Recording, len(indices))
	for i, at := range indices {
		out[i] = all[at]
	}
	return out
}

// list returns the held-out recordings as reports list them.
func (p parts) list() []training.HeldOut {
	return training.HeldOutList(dataset.Identities(p.heldOut))
}

// evaluation is what the classifier says about held-out recordings, and later about the generated clips.
type evaluation struct {
	missing   string // why there is no classifier; "" where there is one
	real      report.Confusion
	generated report.Confusion
}

// summary states the accuracy of the classifier in one line.
func (e evaluation) summary() string {
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
func (r *run) trainClassifier(ctx context.Context) error {
	switch {
	case len(dataset.Labels(r.parts.learnt)) < 2:
		r.evaluation.missing = "it needs two labels or more"
		return nil
	case len(r.parts.heldOut) == 0:
		r.evaluation.missing = "there are too few recordings to hold some out"
		return nil
	}
	o := eval.Options{Seed: r.o.Seed, Epochs: r.o.ClassifierEpochs}
	task := r.o.Progress.Start("train the classifier", 0, "epochs")
	defer task.Done()
	o.OnProgress = func(p eval.Progress) {
		task.Total(int64(p.Epochs))
		task.Set(int64(p.Epoch))
		task.Note("loss %.3f", p.Loss)
	}
	if r.o.Steps == 0 {
		o.Budget = min(max(r.o.Budget/2, leastClassifierTime), mostClassifierTime)
	}
	c, err := eval.Train(ctx, frontend.InChannelsOf(dataset.Clips(r.parts.learnt), r.frontEnd), o)
	if err != nil {
		return fmt.Errorf("train the classifier: %w", err)
	}
	if r.evaluation.real, _, err = report.Classify(ctx, c, "held-out recordings", frontend.InChannelsOf(dataset.Clips(r.parts.heldOut), r.frontEnd)); err != nil {
		return err
	}
	r.classifier.Store(c)
	return nil
}

// classifyClips classifies the generated clips and writes the results into them.
func (r *run) classifyClips(ctx context.Context) error {
	c := r.classifier.Load()
	if c == nil {
		return nil
	}
	sounds := make([]audio.Clip, len(r.clips))
	for i, clip := range r.clips {
		sounds[i] = clip.sound
	}
	confusion, assigned, err := report.Classify(ctx, c, "generated clips", sounds)
	if err != nil {
		return err
	}
	r.evaluation.generated = confusion
	for i, a := range assigned {
		r.clips[i].Confidence, r.clips[i].Heard = &a.Confidence, a.Label
	}
	return nil
}
