package eval

// Outcomes are those of a Trial: which test clips classifiers name correctly, [seed][test clip].
type Outcomes struct {
	Plain  [][]bool // trained on recordings alone, without augmentation
	Before [][]bool // trained on the recordings with tuned augmentation
	After  [][]bool // trained on the recordings and generated clips, with the same augmentation
	Tuning Tuning   // how the augmentation was chosen
	Steps  int      // of each classifier
}

// Gain summarises outcomes of trainings on so many recordings and added clips. Its intervals are by bootstrap over test
// clips and seeds.
func (o Outcomes) Gain(recordings, added int) Gain {
	g, _ := o.gain(1, recordings, added)
	return g
}

// gain also returns the draws of the gain in points. seed is that of the resamples.
func (o Outcomes) gain(seed uint64, recordings, added int) (Gain, draws) {
	g := Gain{Share: 1, RealClips: recordings, Added: added, Policy: o.Tuning.Policy.Name, Steps: o.Steps, Seeds: len(o.Before)}
	if len(o.Before) > 0 {
		g.TestClips = len(o.Before[0])
	}
	if len(o.Tuning.Policies) > 0 {
		g.Tuning = &o.Tuning
	}
	before, after := tableOf(o.Before).twoLevel(seed), tableOf(o.After).twoLevel(seed)
	d := g.fill(before, after)
	if len(o.Plain) > 0 {
		g.overAlone(tableOf(o.Plain).twoLevel(seed), before, after)
	}
	return g, d
}

// tableOf is the hit table of outcomes.
func tableOf(right [][]bool) hitTable {
	t := make(hitTable, len(right))
	for s, row := range right {
		t[s] = make([]float64, len(row))
		for i, hit := range row {
			if hit {
				t[s][i] = 1
			}
		}
	}
	return t
}

// OutcomeAccuracy returns the share of correct outcomes, [seed][test clip], and its 95 % interval by bootstrap over test
// clips and seeds.
func OutcomeAccuracy(outcomes [][]bool) (float64, Interval) {
	d := tableOf(outcomes).twoLevel(1)
	return d.value, d.interval()
}
