package train_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/operators/train"
)

// judged has the mill's models judged: the figure is best at step 4.
func (m *mill) judged() {
	m.hooks.NewJudge = func(x, val models.Batch, labels []string, _ models.FrontEnd, _ uint64) (train.Judge, error) {
		if x.B == 0 || val.B == 0 || len(labels) != 3 {
			m.t.Errorf("a judge with %d and %d clips of %v", x.B, val.B, labels)
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
	m.judged()
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
	m.judged()
	m.feed(dozen()...)
	_, stop := m.start()
	defer stop()
	if e := m.complete(1); e.Step != 9 || e.WeightsStep != 9 || len(e.Warnings) != 0 {
		t.Errorf("%+v", e)
	}
}
