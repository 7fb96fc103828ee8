package eval

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/models/frontend"
)

func split(clips []audio.Clip) (train, held []audio.Clip) {
	count := map[string]int{}
	for _, c := range clips {
		if count[c.Label]++; count[c.Label]%10 == 3 {
			held = append(held, c)
		} else {
			train = append(train, c)
		}
	}
	return train, held
}

func TestExplore(t *testing.T) {
	if os.Getenv("EXPLORE") == "" {
		t.Skip()
	}
	train, held := split(fsdd(t, 0))
	began := time.Now()
	j, err := NewJudge(t.Context(), train, held, JudgeOptions{Seed: 1, Epochs: 12})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("judge", time.Since(began))
	show := func(r Row) {
		r.Confusion, r.LabelRecall = nil, nil
		b, _ := json.Marshal(r)
		t.Log(string(b))
	}
	rep := j.Report()
	b, _ := json.Marshal(rep.Judge)
	t.Log(string(b))
	show(rep.Rows[0])
	fe := frontend.PlanFor(train)
	t.Logf("%+v  %+v", fe, j.classifier.model.front.Config())
	for _, c := range []struct {
		name  string
		clips func() []audio.Clip
	}{
		{"ceiling", func() []audio.Clip { x, _ := RoundTrip(t.Context(), fe, held, 1); return x }},
		{"copies", func() []audio.Clip { x, _ := RoundTrip(t.Context(), fe, train, 1); return x }},
		{"noise", func() []audio.Clip { return Noise(held, 1) }},
		{"8 copies in 100", func() []audio.Clip {
			x, _ := RoundTrip(t.Context(), fe, held, 1)
			y, _ := RoundTrip(t.Context(), fe, train, 1)
			for i := range x {
				if i%13 == 0 {
					x[i] = y[i*9]
				}
			}
			return x
		}},
	} {
		began := time.Now()
		x := c.clips()
		made := time.Since(began)
		r, err := j.Row(t.Context(), c.name, "model", x)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(c.name, made, time.Since(began)-made)
		show(r)
	}
}

func TestRecipe(t *testing.T) {
	if os.Getenv("EXPLORE") == "" {
		t.Skip()
	}
	train, held := split(fsdd(t, 0))
	for seed := range uint64(2) {
		began := time.Now()
		c, err := Train(t.Context(), train, Options{Seed: seed, Epochs: 12})
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Predict(t.Context(), held)
		if err != nil {
			t.Fatal(err)
		}
		right := 0
		for i, h := range p.Heard() {
			if c.Labels()[h] == held[i].Label {
				right++
			}
		}
		t.Logf("seed %d: %v, %+v, temperature %.3f, held out %d of %d", seed, time.Since(began), c.heldOut, c.model.temperature, right, len(held))
	}
}
