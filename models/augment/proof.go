package augment

import (
	"context"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// A Proof compares classifiers trained without and with the clips, with equally many steps, by their accuracy on
// recordings that neither they nor the generator have seen. Accuracies are means over classifiers of several seeds; the
// intervals of the Gain are by bootstrap over test recordings and seeds.
type Proof struct {
	eval.Gain
	Arms []Arm `json:"arms"` // all that were compared, the baseline first
}

// An Arm is what the classifiers of one arm were trained on, and their accuracy.
type Arm struct {
	Name     string        `json:"name"`
	Added    int           `json:"added"` // clips beside the recordings
	Accuracy float64       `json:"accuracy"`
	Interval eval.Interval `json:"interval"` // 95 %
}

// An arm is a set of clips that classifiers are trained on beside the recordings.
type arm struct {
	name  string
	clips []audio.Clip
}

// arms are what a proof compares: the first is the baseline, the second the clips that were added.
func (r *run) arms() []arm {
	generated := make([]audio.Clip, len(r.added))
	for i, c := range r.added {
		generated[i] = c.sound
	}
	return []arm{{name: "recordings"}, {"recordings and generated clips", generated}}
}

// prove trains the classifiers and measures them.
func (r *run) prove(ctx context.Context) error {
	task := r.start("prove", 0, "classifiers")
	defer task.Done()
	trial := eval.Trial{Steps: r.steps, OnProgress: func(done, all int) {
		task.Total(int64(all))
		task.Set(int64(done))
	}}
	for i := range uint64(eval.Classifiers) {
		trial.Seeds = append(trial.Seeds, r.Seed+i)
	}
	arms := r.arms()
	sets := make([][]audio.Clip, len(arms))
	for i, a := range arms {
		sets[i] = a.clips
	}
	outcomes, err := trial.Outcomes(ctx, clips(r.split.Train), sets, clips(r.split.Test))
	if err != nil {
		return err
	}
	r.report.Proof = newProof(arms, outcomes, len(r.split.Train))
	r.report.HeldOut = training.HeldOutList(dataset.Identities(r.split.Test))
	return nil
}

// newProof summarises outcomes, [arm][seed][test recording].
func newProof(arms []arm, outcomes [][][]bool, recordings int) *Proof {
	p := &Proof{Gain: eval.OutcomeGain(outcomes[0], outcomes[1], recordings, len(arms[1].clips))}
	for i, a := range arms {
		of := Arm{Name: a.name, Added: len(a.clips)}
		of.Accuracy, of.Interval = eval.OutcomeAccuracy(outcomes[i])
		p.Arms = append(p.Arms, of)
	}
	return p
}
