package augment

import (
	"context"

	"wavemill/audio"
	"wavemill/internal/stats"
	"wavemill/models/eval"
)

// A Proof compares classifiers trained without and with the clips, with equally many steps, by their accuracy on
// recordings that neither they nor the generator have seen. Accuracies are means over classifiers of several seeds.
type Proof struct {
	Share  float64 `json:"share"`          // of the training recordings: 1
	Real   int     `json:"clips"`          // training recordings
	Added  int     `json:"added"`          // generated clips
	Before float64 `json:"real_only"`      // accuracy
	After  float64 `json:"with_synthetic"` // accuracy
	Points float64 `json:"gain_points"`    // 100 (After - Before)

	// The 95 % intervals of the above, by bootstrap over test recordings and classifiers' seeds.
	BeforeInterval stats.Interval `json:"real_only_interval"`
	AfterInterval  stats.Interval `json:"with_synthetic_interval"`
	PointsInterval stats.Interval `json:"gain_interval"`
	// NoGain reports that PointsInterval contains 0: the test recordings do not show a difference.
	NoGain bool `json:"gain_none"`

	Arms []ArmResult `json:"arms"` // all that were compared
}

// An ArmResult is the accuracy of the classifiers of one arm.
type ArmResult struct {
	Name     string         `json:"name"`
	Added    int            `json:"added"` // clips beside the recordings
	Accuracy float64        `json:"accuracy"`
	Interval stats.Interval `json:"interval"`
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

// proofSeeds is how many classifiers are trained for each arm: one training differs from the next by as much as a small
// gain.
const proofSeeds = 3

// prove trains the classifiers and measures them.
func (r *run) prove(ctx context.Context) error {
	task := r.start("prove", 0, "classifiers")
	defer task.Done()
	trial := eval.Trial{Steps: r.steps, OnProgress: func(done, all int) {
		task.Total(int64(all))
		task.Set(int64(done))
	}}
	for i := range uint64(proofSeeds) {
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
	if r.report.Proof, err = newProof(arms, outcomes, len(r.split.Train), r.Seed); err != nil {
		return err
	}
	for _, of := range r.split.Test {
		r.report.HeldOut = append(r.report.HeldOut, HeldOut{Source: of.Clip.Source, Label: of.Clip.Label, Digest: of.Digest})
	}
	return nil
}

// newProof summarises outcomes, [arm][seed][test recording].
func newProof(arms []arm, outcomes [][][]bool, recordings int, seed uint64) (*Proof, error) {
	p := &Proof{Share: 1, Real: recordings, Added: len(arms[1].clips)}
	bootstrap := stats.Bootstrap{Seed: seed}
	right := make([][][]float64, len(arms))
	for i, a := range arms {
		right[i] = points(outcomes[i])
		of, err := bootstrap.SeedMean(right[i], true)
		if err != nil {
			return nil, err
		}
		of.Low, of.High = of.Low/100, of.High/100
		p.Arms = append(p.Arms, ArmResult{Name: a.name, Added: len(a.clips), Accuracy: mean(right[i]) / 100, Interval: of})
	}
	p.Before, p.BeforeInterval = p.Arms[0].Accuracy, p.Arms[0].Interval
	p.After, p.AfterInterval = p.Arms[1].Accuracy, p.Arms[1].Interval
	p.Points = 100 * (p.After - p.Before)
	var err error
	p.PointsInterval, err = bootstrap.SeedPairedDifference(right[1], right[0], true)
	p.NoGain = p.PointsInterval.Contains(0)
	return p, err
}

// points returns 100 for each correct outcome and 0 for each wrong one, [seed][test recording].
func points(outcomes [][]bool) [][]float64 {
	out := make([][]float64, len(outcomes))
	for s, of := range outcomes {
		out[s] = make([]float64, len(of))
		for i, ok := range of {
			if ok {
				out[s][i] = 100
			}
		}
	}
	return out
}

// mean is the mean over seeds and recordings.
func mean(x [][]float64) float64 {
	sum, n := 0.0, 0
	for _, of := range x {
		for _, v := range of {
			sum += v
		}
		n += len(of)
	}
	return sum / float64(n)
}
