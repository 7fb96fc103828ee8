package augment

import (
	"context"
	"errors"
	"fmt"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// A Proof compares classifiers trained on recordings alone, with tuned augmentation, and with the same augmentation and
// the clips, in equally many steps, by their accuracy on recordings that neither they nor the generator have seen.
// Accuracies are means over classifiers of several seeds; the intervals of the Gain are by bootstrap over test recordings
// and seeds.
type Proof struct {
	eval.Gain
	Arms []Arm `json:"arms"` // all that were compared: with augmentation, with the clips too, and recordings alone
}

// An Arm is what the classifiers of one arm were trained on, and their accuracy.
type Arm struct {
	Name     string        `json:"name"`
	Added    int           `json:"added"`            // clips beside the recordings
	Policy   string        `json:"policy,omitempty"` // of augmentation
	Accuracy float64       `json:"accuracy"`
	Interval eval.Interval `json:"interval"` // 95 %
}

// ErrNoGain is returned, wrapped, by [Report.CheckGain].
var ErrNoGain = errors.New("the clips are not shown to help")

// CheckGain returns ErrNoGain unless the proof's verdict is to use the clips.
func (r Report) CheckGain() error {
	switch {
	case r.Proof == nil:
		return fmt.Errorf("%w: there was no proof", ErrNoGain)
	case r.Proof.Verdict != eval.UseThem:
		return fmt.Errorf("%w: %s", ErrNoGain, r.Proof.Verdict)
	}
	return nil
}

// prove trains the classifiers and measures them.
func (r *run) prove(ctx context.Context) error {
	task := r.start("prove", 0, "classifiers")
	defer task.Done()
	trial := eval.Trial{Steps: r.steps, Policies: r.policies, OnProgress: func(done, all int) {
		task.Total(int64(all))
		task.Set(int64(done))
	}}
	for i := range uint64(eval.Classifiers) {
		trial.Seeds = append(trial.Seeds, r.Seed+i)
	}
	generated := make([]audio.Clip, len(r.added))
	for i, c := range r.added {
		generated[i] = c.sound
	}
	outcomes, err := trial.Outcomes(ctx, r.clips(r.split.Train), generated, r.clips(r.split.Test))
	if err != nil {
		return err
	}
	r.report.Proof = newProof(outcomes, len(r.split.Train), len(generated))
	r.report.HeldOut = training.HeldOutList(dataset.Identities(r.split.Test))
	return nil
}

// newProof summarises outcomes of trainings on so many recordings and clips.
func newProof(o eval.Outcomes, recordings, generated int) *Proof {
	g := o.Gain(recordings, generated)
	return &Proof{Gain: g, Arms: []Arm{
		{"recordings", 0, g.Policy, g.Before, g.Intervals["real_only"]},
		{"recordings and generated clips", generated, g.Policy, g.After, g.Intervals["with_synthetic"]},
		{"recordings alone", 0, eval.NoAugmentation().Name, g.Alone, g.Intervals["recordings_alone"]},
	}}
}
