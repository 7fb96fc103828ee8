package training_test

import (
	"slices"
	"testing"

	"wavemill/models"
	"wavemill/models/training"
)

func TestStatus(t *testing.T) {
	for want, p := range map[string]models.Progress{
		"":         {},
		"loss 0.5": {Train: models.Losses{"kl": 1, "loss": 0.5, "mse": 2}},
		"discriminator 1.235, generator 2 (validation 3)": {Train: models.Losses{"r1": 9, "generator": 2, "discriminator": 1.23456}, Val: models.Losses{"generator": 3}},
		"loss 0.5 (validation 0.25), distance 0.123":      {Train: models.Losses{"loss": 0.5}, Val: models.Losses{"loss": 0.25}, Metrics: map[string]float64{"preview/distance": 0.12345}},
		"loss 1, distance 0":                              {Train: models.Losses{"loss": 1}, Metrics: map[string]float64{"preview/distance": 0, "other": 1}},
	} {
		if got := training.Status(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A warning has a line when it appears and one when it has passed, a roll-back has one, and those of an earlier run have none.
func TestNotices(t *testing.T) {
	silence := models.Warning{Kind: "silence", Finding: "half of the clips are silent", Advice: "wait"}
	tone := models.Warning{Kind: "tone", Finding: "a tone", Advice: "more data"}
	rollback := func(step int64) models.Rollback {
		return models.Rollback{Step: step, To: step - 1, Reason: "loss is NaN", Factor: 0.5}
	}
	eval := func(step, evaluated int64, w ...models.Warning) models.Progress {
		return models.Progress{Event: models.EventEval, Step: step, Steps: 90, EvaluatedAt: evaluated, Warnings: w}
	}
	var n training.Notices
	for i, c := range []struct {
		p    models.Progress
		want []string
	}{
		{models.Progress{Event: models.EventStart, Rollbacks: []models.Rollback{rollback(3)}}, nil},
		{models.Progress{Event: models.EventStep, Step: 9, Warnings: []models.Warning{silence}}, nil},
		{eval(10, 10, silence), []string{"step 10: silence: half of the clips are silent; try: wait (it is early; this may pass)"}},
		{eval(20, 10, tone), nil}, // no evaluation of clips at this step
		{eval(30, 30, silence, tone), []string{"step 30: tone: a tone; try: more data"}},
		{eval(40, 40), []string{"step 40: no more silence", "step 40: no more tone"}},
		{eval(50, 50, silence), []string{"step 50: silence: half of the clips are silent; try: wait"}},
		{
			models.Progress{Event: models.EventRollback, Step: 50, Rollbacks: []models.Rollback{rollback(3), rollback(55)}},
			[]string{"step 55 diverged; going back to step 54 with 0.5 of the learning rate (loss is NaN)"},
		},
		{models.Progress{Event: models.EventRollback, Step: 50, Rollbacks: []models.Rollback{rollback(3), rollback(55)}}, nil},
		{models.Progress{Event: models.EventDone, Step: 90, Warnings: []models.Warning{tone}}, nil},
	} {
		if got := n.Lines(c.p); !slices.Equal(got, c.want) {
			t.Errorf("event %d: %q, want %q", i, got, c.want)
		}
	}
}
