package training_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

// Every architecture takes over what it has learnt under other labels: the clips it generates of a label that both
// know resemble those of before far more than those of a new network do, and the training goes on.
func TestRelabel(t *testing.T) {
	recordings := synthetic(t, 18)
	fe := frontend.PlanFor(dataset.Clips(recordings))
	o := training.Options{
		Holdout:  dataset.Holdout{Seed: 1},
		FrontEnd: func([]dataset.Recording) (models.FrontEnd, error) { return fe, nil },
	}
	set, err := training.Prepare(t.Context(), recordings, o)
	if err != nil {
		t.Fatal(err)
	}
	for arch, config := range map[string]string{
		"vae": `{"channels":2,"latent":4,"embedding":4}`, "gan": `{"channels":2,"latent":4,"embedding":4}`, "vaegan": `{"vae":{"channels":2,"latent":4,"embedding":4}}`,
	} {
		t.Run(arch, func(t *testing.T) {
			job := unmonitored(training.Job{Arch: arch, Config: json.RawMessage(config), Seed: 1, Steps: 2, BatchSize: 8})
			c, _, err := job.Run(t.Context(), set)
			if err != nil {
				t.Fatal(err)
			}
			// A label before the others, one less, and one behind them.
			now := append([]string{"aaa"}, slices.Clone(set.Labels[1:])...)
			now = append(now, "zzz")
			out, learnt, err := training.Relabel(c, now, architectures.NewLearner)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(out.Labels, now) || out.Step != c.Step || learnt < 10 || out.Best != nil {
				t.Errorf("labels %v, step %d, %d tensors", out.Labels, out.Step, learnt)
			}
			fresh, err := architectures.NewLearner(arch, c.Config, fe, now, 1)
			if err != nil {
				t.Fatal(err)
			}
			begun, err := fresh.Checkpoint()
			if err != nil {
				t.Fatal(err)
			}
			took, isNew := 0, 0
			for _, x := range out.Tensors {
				before, errB := c.Last().Tensor(x.Name)
				start, errS := begun.Tensor(x.Name)
				if errB != nil || errS != nil {
					continue
				}
				if slices.Equal(before.Shape, x.Shape) && slices.Equal(before.Data, x.Data) {
					took++
				}
				if distance(start.Data, x.Data) == 0 && distance(start.Data, before.Data) > 0 {
					isNew++
				}
			}
			if took < 10 || isNew > took/4 {
				t.Errorf("%d tensors are as before, %d are those of a new network", took, isNew)
			}
			again := training.Job{Arch: arch, Config: c.Config, Seed: 1, Steps: 3, BatchSize: 8, BestBy: training.BestByLast, Resume: &out, NewData: true}
			other := set
			other.Labels = now
			other.Train.Labels = make([]int, set.Train.B)
			for i := range other.Train.Labels {
				other.Train.Labels[i] = i % len(now)
			}
			if c, _, err = again.Run(t.Context(), other); err != nil || c.Step != 3 || !slices.Equal(c.Labels, now) {
				t.Errorf("gone on to step %d of %v: %v", c.Step, c.Labels, err)
			}
		})
	}
	if _, _, err := training.Relabel(models.Checkpoint{Arch: "none"}, []string{"a"}, architectures.NewLearner); err == nil {
		t.Error("an unknown architecture is relabelled")
	}
}

// distance is the largest difference between values; infinite for other lengths.
func distance(a, b []float32) (most float64) {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	for i := range a {
		most = max(most, math.Abs(float64(a[i]-b[i])))
	}
	return most
}
