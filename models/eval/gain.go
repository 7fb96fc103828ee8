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
	// Points is 100 (After - Before), Augmentation 100 (Before - Alone), OverAlone 100 (After - Alone).
	Points       float64 `json:"gain_points"`
	Augmentation float64 `json:"augmentation_points,omitempty"`
	OverAlone    float64 `json:"over_alone_points,omitempty"`
	// Intervals of the figures above by their JSON names, over test recordings and classifier seeds. Those of differences are
	// of paired ones: the same recordings and seeds. None is set where that of gain_points holds 0.
	Intervals Intervals `json:"intervals,omitempty"`
	None      bool      `json:"none,omitempty"`
	// Verdict is UseThem, NoDifference or DoNotUse: by the worse of gain_points and over_alone_points, because few recordings may
	// choose an augmentation that is worse than none, beside which clips that help nobody seem to help.
	Verdict string `json:"verdict,omitempty"`

	Policy    string  `json:"policy,omitempty"`     // of augmentation
	Steps     int     `json:"steps,omitempty"`      // of each classifier
	Seeds     int     `json:"seeds,omitempty"`      // classifiers of each kind
	TestClips int     `json:"test_clips,omitempty"` // recordings tested on
	Tuning    *Tuning `json:"tuning,omitempty"`     // how the policy was chosen; nil where there was no choice
}

// Verdicts on generated clips, by the intervals of their gain over augmentation and over recordings alone.
const (
	UseThem      = "use them"            // all lie above 0
	NoDifference = "no difference shown" // one holds 0
	DoNotUse     = "do not use them"     // one lies below 0
)

// VerdictOn is the verdict that intervals of gains give, one at least.
func VerdictOn(gains ...Interval) string {
	verdict := UseThem
	for _, gain := range gains {
		switch {
		case gain[1] < 0:
			return DoNotUse
		case !(gain[0] > 0):
			verdict = NoDifference
		}
	}
	return verdict
}

// overAlone fills in what recordings give without augmentation, and what augmentation and clips change of it.
func (g *Gain) overAlone(plain, before, after draws) {
	points := func(a, b draws) Interval {
		i := pairedInterval(a, b)
		return Interval{100 * i[0], 100 * i[1]}
	}
	g.Alone, g.Intervals["recordings_alone"] = plain.value, plain.interval()
	g.Augmentation, g.Intervals["augmentation_points"] = 100*(before.value-plain.value), points(before, plain)
	g.OverAlone, g.Intervals["over_alone_points"] = 100*(after.value-plain.value), points(after, plain)
	g.Verdict = VerdictOn(g.Intervals["gain_points"], g.Intervals["over_alone_points"])
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
	text += fmt.Sprintf("with augmentation %s; with augmentation and %d clips %s; clips less augmentation alone: %s",
		accuracy(g.Before, "real_only"), g.Added, accuracy(g.After, "with_synthetic"), g.points("gain_points", g.Points))
	if i, ok := g.worseAugmented(); ok {
		text += ", less recordings alone: " + i
	}
	if g.TestClips > 0 {
		text += fmt.Sprintf(" on %d other recordings", g.TestClips)
	}
	return text + ": " + g.Conclusion()
}

// points prints a difference with its interval.
func (g Gain) points(name string, value float64) string {
	i := g.Intervals[name]
	return fmt.Sprintf("%+.1f points [%+.1f, %+.1f]", value, i[0], i[1])
}

// worseAugmented returns the gain over recordings alone where augmentation is worse than none.
func (g Gain) worseAugmented() (points string, ok bool) {
	if _, measured := g.Intervals["over_alone_points"]; !measured || g.Augmentation >= 0 {
		return "", false
	}
	return g.points("over_alone_points", g.OverAlone), true
}

// Conclusion is the Verdict; of a Gain that was stored without one, that of its gain over augmentation.
func (g Gain) Conclusion() string {
	if g.Verdict != "" {
		return g.Verdict
	}
	return VerdictOn(g.Intervals["gain_points"])
}

// Change says for a person how the clips change the accuracy.
func (g Gain) Change() string {
	text := fmt.Sprintf("with %d clips, accuracy on %d other recordings changes by %s", g.Added, g.TestClips, g.points("gain_points", g.Points))
	if i, ok := g.worseAugmented(); ok {
		text += ", and from that of recordings without augmentation, which is better, by " + i
	}
	return text
}
