package eval

import "fmt"

// A Gain says what generated clips add to a classifier beyond augmentation. All classifiers make equally many steps and
// are tested on the same recordings, which none has seen. Beside generated clips, the recordings of a label are at least
// half of what is learnt from.
type Gain struct {
	Share     float64 `json:"share"` // of the recordings to train on
	RealClips int     `json:"clips"` // that this share is
	Added     int     `json:"added"` // generated clips
	// Accuracies: of recordings alone, without augmentation; of recordings with tuned augmentation, which is the baseline;
	// and of recordings and clips, with the same augmentation.
	Alone  float64 `json:"recordings_alone,omitempty"`
	Before float64 `json:"real_only"`
	After  float64 `json:"with_synthetic"`
	// Points is 100 (After - Before), Augmentation 100 (Before - Alone).
	Points       float64 `json:"gain_points"`
	Augmentation float64 `json:"augmentation_points,omitempty"`
	// Intervals of the figures above by their JSON names, over test recordings and classifier seeds. That of gain_points is
	// of paired differences: the same recordings and seeds. None is set where it holds 0.
	Intervals Intervals `json:"intervals,omitempty"`
	None      bool      `json:"none,omitempty"`
	Verdict   string    `json:"verdict,omitempty"` // UseThem, NoDifference or DoNotUse

	Policy    string  `json:"policy,omitempty"`     // of augmentation
	Steps     int     `json:"steps,omitempty"`      // of each classifier
	Seeds     int     `json:"seeds,omitempty"`      // classifiers of each kind
	TestClips int     `json:"test_clips,omitempty"` // recordings tested on
	Tuning    *Tuning `json:"tuning,omitempty"`     // how the policy was chosen; nil where there was no choice
}

// Verdicts on generated clips, by the interval of their gain.
const (
	UseThem      = "use them"            // it lies above 0
	NoDifference = "no difference shown" // it holds 0
	DoNotUse     = "do not use them"     // it lies below 0
)

// VerdictOn is the verdict that an interval of a gain gives.
func VerdictOn(gain Interval) string {
	switch {
	case gain[0] > 0:
		return UseThem
	case gain[1] < 0:
		return DoNotUse
	}
	return NoDifference
}

// fill fills in the accuracies with augmentation, the gain and their intervals, and returns the gain's draws.
func (g *Gain) fill(before, after draws) draws {
	g.Before, g.After = before.value, after.value
	gain := draws{value: after.value - before.value, values: make([]float64, len(after.values))}
	for i := range gain.values {
		gain.values[i] = after.values[i] - before.values[i]
	}
	g.Points = 100 * gain.value
	points := pairedInterval(after, before)
	g.Intervals = Intervals{
		"real_only": before.interval(), "with_synthetic": after.interval(),
		"gain_points": {100 * points[0], 100 * points[1]},
	}
	g.None = points.Holds(0)
	g.Verdict = VerdictOn(points)
	return gain.scaled(100)
}

// String gives the three accuracies, what the clips add to augmentation, and the verdict.
func (g Gain) String() string {
	accuracy := func(value float64, name string) string {
		text := fmt.Sprintf("%.1f %%", 100*value)
		if i, ok := g.Intervals[name]; ok {
			text += fmt.Sprintf(" [%.1f, %.1f]", 100*i[0], 100*i[1])
		}
		return text
	}
	text := fmt.Sprintf("%d recordings ", g.RealClips)
	if _, ok := g.Intervals["recordings_alone"]; ok {
		text += "alone " + accuracy(g.Alone, "recordings_alone") + "; "
	}
	i := g.Intervals["gain_points"]
	text += fmt.Sprintf("with augmentation %s; with augmentation and %d clips %s; clips less augmentation alone: %+.1f points [%+.1f, %+.1f]",
		accuracy(g.Before, "real_only"), g.Added, accuracy(g.After, "with_synthetic"), g.Points, i[0], i[1])
	if g.TestClips > 0 {
		text += fmt.Sprintf(" on %d other recordings", g.TestClips)
	}
	return text + ": " + VerdictOn(i)
}
