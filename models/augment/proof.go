package augment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

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

// DefaultBudget is the longest time of a proof that is given neither steps nor a budget. The default steps take about nine
// minutes of one processor for spoken digits of half a second at 8 kHz: 35 ms a step of a classifier, in AVX2. The rest of the
// half hour is for longer or finer recordings and for other work of the machine; where it does not suffice, [eval.Trial] makes
// fewer steps.
const DefaultBudget = 30 * time.Minute

// An Effort is what a proof may take. The zero value is the default.
type Effort struct {
	// Steps of each classifier; 0: 1500, where the accuracy on few recordings has settled.
	Steps int
	// Seeds is how many classifiers each arm has; 0: 3. With one, the interval does not show what the seed of a classifier does.
	Seeds int
	// Augmentation names the policies that are chosen from, of none, light, medium and strong; empty: all. With one there is no
	// choice to train classifiers for.
	Augmentation []string
	// Budget is the longest time of the proof. Where the steps do not fit, all classifiers make fewer, down to 300; where that
	// does not suffice, the proof ends without a verdict. 0: no limit where Steps are given, so that nothing depends on the
	// speed of the machine; else [DefaultBudget].
	Budget time.Duration
}

// Validate reports what is wrong with the effort, beginning with the name of the field, as a flag has it.
func (e Effort) Validate() error {
	switch {
	case e.Steps < 0:
		return fmt.Errorf("proof-steps %d is negative", e.Steps)
	case e.Seeds < 0:
		return fmt.Errorf("proof-seeds %d is negative", e.Seeds)
	case e.Budget < 0:
		return fmt.Errorf("proof-budget %v is negative", e.Budget)
	}
	if _, err := eval.PoliciesNamed(e.Augmentation); err != nil {
		return fmt.Errorf("proof-augmentation: %w", err)
	}
	return nil
}

// trial is the trial of the effort, with classifiers from a seed on.
func (e Effort) trial(seed uint64) (eval.Trial, error) {
	t := eval.Trial{Steps: e.Steps, Budget: e.Budget}
	if e.Steps == 0 && e.Budget == 0 {
		t.Budget = DefaultBudget
	}
	for i := range uint64(cmp.Or(e.Seeds, eval.Classifiers)) {
		t.Seeds = append(t.Seeds, seed+i)
	}
	var err error
	t.Policies, err = eval.PoliciesNamed(e.Augmentation)
	return t, err
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
	task := r.start("prove", 0, "steps")
	defer task.Done()
	trial, err := r.Effort.trial(r.Seed)
	if err != nil {
		return err
	}
	trial.OnProgress = func(done, all int) {
		task.Total(int64(all))
		task.Set(int64(done))
	}
	trial.Note = func(message string) { r.note("%s", message) }
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
