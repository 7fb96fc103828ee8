package monitor

import (
	"fmt"
	"slices"

	"wavemill/internal/text"
	"wavemill/models"
)

// Kinds of warnings about the recordings and the length of a training.
const (
	KindImbalance = "imbalance"
	KindConfusion = "confusion"
	KindSteps     = "steps"
)

// Limits of these warnings.
const (
	fewOfLabel  = 20  // recordings
	unevenRatio = 5   // of the labels with the most and the fewest recordings
	confused    = 0.4 // share of a label's recordings that are nearest to another label's
	fewPasses   = 10  // over the recordings
	unlearnt    = 0.3 // of the distance, from which on more passes would help
)

// imbalance is the warning where a label has few recordings and another has many more. Batches are drawn from all
// recordings alike, so that such a label is seldom learnt from.
func imbalance(b models.Batch, labels []string) (models.Warning, bool) {
	count := make([]int, len(labels))
	for _, l := range b.Labels {
		count[l]++
	}
	most := slices.Index(count, slices.Max(count))
	var few []string
	for l, n := range count {
		if n < fewOfLabel && unevenRatio*n < count[most] {
			few = append(few, fmt.Sprintf("%s %d", labels[l], n))
		}
	}
	return models.Warning{
		Kind:    KindImbalance,
		Finding: fmt.Sprintf("few recordings of %s, where %s has %d", text.Abridge(few, mostNamed), labels[most], count[most]),
		Advice:  "more recordings of these labels, or a model of their own; fewer of the others",
	}, len(few) > 0
}

// confusion is the warning where most recordings of a label resemble those of another more than each other, by the nearest
// neighbour: no model can tell such labels apart.
func (r *reference) confusion(labels []string) (models.Warning, bool) {
	of := make([][]int, len(labels)) // by label, the labels of the nearest others
	for i := range of {
		of[i] = make([]int, len(labels))
	}
	for i, row := range r.train {
		nearest, least := -1, 0.0
		for j, other := range r.train {
			if i == j {
				continue
			}
			if d := euclid(row, other); nearest < 0 || d < least {
				nearest, least = j, d
			}
		}
		if nearest >= 0 {
			of[r.labels[i]][r.labels[nearest]]++
		}
	}
	var found []string
	for l, counts := range of {
		n := 0
		for _, c := range counts {
			n += c
		}
		counts[l] = 0
		if other := slices.Index(counts, slices.Max(counts)); n >= minHeldOut/2 && float64(counts[other]) >= confused*float64(n) {
			found = append(found, fmt.Sprintf("%d of %d of %s are nearest to %s", counts[other], n, labels[l], labels[other]))
		}
	}
	if len(found) == 0 {
		return models.Warning{}, false
	}
	return models.Warning{
		Kind: KindConfusion, Finding: "recordings of labels that resemble each other: " + listed(found),
		Advice: "listen to them: correct wrong labels, or merge labels that sound alike",
	}, true
}

// steps is the warning where a training ends after few passes over its recordings while its clips are still far from them.
func steps(c models.Checkpoint, recordings int, distance float64) (models.Warning, bool) {
	passes := float64(c.Step) * float64(c.BatchSize) / float64(max(recordings, 1))
	enough := int64(float64(fewPasses*recordings)/float64(max(c.BatchSize, 1))) + 1
	return models.Warning{
		Kind:    KindSteps,
		Finding: fmt.Sprintf("%.1f passes over %d recordings are few for a model of this size: the distance to recordings is still %.2f", passes, recordings, distance),
		Advice:  fmt.Sprintf("--steps %d or more, or a longer --budget; a smaller model (fewer channels) learns sooner", enough),
	}, c.BatchSize > 0 && c.Step > 0 && c.Step >= c.Planned && passes < fewPasses && distance > unlearnt
}
