package train_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/training"
)

// evaluated has the mill's models evaluated: the figure is best at step 4.
func (m *mill) evaluated() {
	m.hooks.NewEvaluator = func(set training.Set, _ uint64) (training.Evaluator, error) {
		if set.Train.B == 0 || set.Validation.B == 0 || len(set.Labels) != 3 {
			m.t.Errorf("an evaluator with %d and %d clips of %v", set.Train.B, set.Validation.B, set.Labels)
		}
		return func(_ context.Context, c models.Checkpoint) (models.Evaluation, error) {
			v := models.Evaluation{Metrics: map[string]float64{"preview/distance": 1 + math.Abs(float64(c.Step-4))}}
			if c.Step == 4 {
				v.Warnings = []models.Warning{{Kind: "tone", Finding: "a hum", Advice: "another plug"}}
			}
			return v, nil
		}, nil
	}
}

func TestStoresTheBestWeights(t *testing.T) {
	m := newMill(t, t.TempDir(), "{model: average, steps: 9, batch_size: 4, eval_every: 2, min_clips: 12, wait_for: 12, idle: 1h, validation: 0.3}")
	m.evaluated()
	m.feed(dozen()...)
	_, stop := m.start()
	defer stop()
	e := m.complete(1)
	if e.Step != 9 || e.WeightsStep != 4 || e.Metrics["preview/distance"] != 1 || len(e.Warnings) != 1 || !strings.Contains(e.Warnings[0], "another plug") {
		t.Errorf("%+v", e)
	}
	entry, err := m.bus.Models().Get(t.Context(), "average")
	if err != nil {
		t.Fatal(err)
	}
	content, err := m.bus.Models().Load(t.Context(), entry)
	if err != nil {
		t.Fatal(err)
	}
	c, err := models.Decode(content)
	if err != nil || c.GeneratesFrom() != 4 || c.Last().GeneratesFrom() != 9 {
		t.Errorf("weights of step %d, %v", c.GeneratesFrom(), err)
	}
}

func TestStoresTheLastWeightsWhereToldTo(t *testing.T) {
	m := newMill(t, t.TempDir(), "{model: average, steps: 9, batch_size: 4, eval_every: 2, min_clips: 12, wait_for: 12, idle: 1h, validation: 0.3, best_by: last}")
	m.evaluated()
	m.feed(dozen()...)
	_, stop := m.start()
	defer stop()
	if e := m.complete(1); e.Step != 9 || e.WeightsStep != 9 || len(e.Warnings) != 0 {
		t.Errorf("%+v", e)
	}
}
