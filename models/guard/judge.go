package guard

import (
	"math"
	"slices"

	"wavemill/internal/stats"
)

// A Detector decides on clips by recent ones. It is safe for concurrent use.
type Detector struct {
	limits     Limits
	loud       float64                  // level above which a clip is loud; +Inf: not known
	classifier *classifier              // nil: too few clips
	row        map[uint64]int           // of the classifier's examples, by [Example.ID]
	near       map[string]neighbourhood // by label
	accuracy   float64
	fitted     int
}

// A neighbourhood is what is known of the distances within a label.
type neighbourhood struct {
	rows  []float32
	ids   []uint64
	limit float64
}

// leastAccuracy is the share of the clips that the classifier must give their own label, each while it is left out, for
// labels to be judged. Below it, the labels have little to do with the sound.
const leastAccuracy = 0.85

// Scores and distances, relative to their limits, by which clips are outliers.
const (
	unlike  = 0.12 // score of the own label below which a clip does not resemble it
	nothing = 0.35 // score of the best other label below which a clip does not resemble that either
	certain = 0.5  // score of the own label with which a distance may be above its limit
	far     = 1.25 // distance that no score makes up for
)

// Levels: clips are loud above the 95 % quantile by the distance of that quantile from the median, and by 6 dB at least.
const (
	leastLevels = 20
	leastLoud   = 6 // dB
)

// Fit returns a detector that decides by recent clips, in which IDs are unique. Too few clips give one that knows fewer rules.
func Fit(recent []Example, l Limits) (*Detector, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	d := &Detector{limits: l, loud: math.Inf(1), row: map[uint64]int{}, near: map[string]neighbourhood{}}
	var levels []float64
	count := map[string]int{}
	for _, e := range recent {
		if e.vector != nil {
			levels = append(levels, e.Level)
			count[e.Label]++
		}
	}
	if len(levels) >= leastLevels {
		q := stats.Quantiles(levels, 0.5, 0.95)
		d.loud = q[1] + max(leastLoud, q[1]-q[0])
	}
	var examples []*Example
	for i := range recent {
		if e := &recent[i]; e.vector != nil && count[e.Label] >= l.Least && !d.broken(*e) {
			examples = append(examples, e)
		}
	}
	d.fitted = len(examples)
	if err := d.fit(examples); err != nil {
		return nil, err
	}
	return d, nil
}

// broken reports whether a clip is refused by a rule that needs no classifier.
func (d *Detector) broken(e Example) bool {
	var v Verdict
	d.limits.signal(&v, e)
	d.level(&v, e)
	return v.Refused()
}

// fit fits the classifier twice: to all examples, and to those that it does not refuse then.
func (d *Detector) fit(examples []*Example) error {
	labels := map[string]int{}
	for _, e := range examples {
		labels[e.Label]++
	}
	if len(labels) == 0 {
		return nil
	}
	d.setNeighbours(examples)
	if len(labels) < 2 {
		return nil
	}
	first, err := fitClassifier(examples, 0, nil)
	if err != nil {
		return nil // All are alike: there is nothing to tell labels by.
	}
	d.use(first, examples)
	right, kept := 0, []*Example(nil)
	left := map[string]int{}
	for i, e := range examples {
		own, other, _, _ := first.split(first.without(i), e.Label)
		if own > other {
			right++
		}
		var v Verdict
		d.compare(&v, *e)
		if !v.Refused() {
			kept = append(kept, e)
			left[e.Label]++
		}
	}
	if d.accuracy = float64(right) / float64(len(examples)); d.accuracy < leastAccuracy {
		d.classifier = nil
		return nil
	}
	if len(left) < len(labels) || len(kept) == len(examples) {
		return nil // Nothing is left of a label, or there is nothing to leave out.
	}
	second, err := fitClassifier(kept, first.scale, nil)
	if err != nil {
		return err
	}
	d.setNeighbours(kept)
	d.use(second, kept)
	return nil
}

func (d *Detector) use(c *classifier, examples []*Example) {
	d.classifier, d.row = c, map[uint64]int{}
	for i, e := range examples {
		d.row[e.ID] = i
	}
}

// setNeighbours measures the distances within each label.
func (d *Detector) setNeighbours(examples []*Example) {
	d.near = map[string]neighbourhood{}
	for _, e := range examples {
		n := d.near[e.Label]
		n.rows, n.ids = append(n.rows, e.vector...), append(n.ids, e.ID)
		d.near[e.Label] = n
	}
	for label, n := range d.near {
		var all []float64
		squared := squaredDistances(n.rows, n.rows)
		for i := range n.ids {
			all = append(all, n.median(squared[i*len(n.ids):(i+1)*len(n.ids)], n.ids[i]))
		}
		n.limit = robustLimit(all, d.limits.Spread)
		d.near[label] = n
	}
}

// median is the median distance to the neighbours other than the one with an id.
func (n neighbourhood) median(squared []float32, except uint64) float64 {
	var all []float64
	for i, d := range squared {
		if n.ids[i] != except {
			all = append(all, math.Sqrt(float64(d)))
		}
	}
	if len(all) == 0 {
		return 0
	}
	return stats.Median(all)
}

// robustLimit is the median plus spread robust standard deviations, and a quarter more than the median at least, for values
// that hardly differ.
func robustLimit(values []float64, spread float64) float64 {
	median := stats.Median(values)
	away := make([]float64, len(values))
	for i, v := range values {
		away[i] = math.Abs(v - median)
	}
	return max(median+spread*1.4826*stats.Median(away), 1.25*median)
}

// robustRatio is robustLimit for values that vary by factors: errors.
func robustRatio(values []float64, spread float64) float64 {
	logs := make([]float64, len(values))
	for i, v := range values {
		logs[i] = math.Log(max(v, 1e-12))
	}
	median := stats.Median(logs)
	for i, v := range logs {
		logs[i] = math.Abs(v - median)
	}
	return math.Exp(median + max(spread*1.4826*stats.Median(logs), math.Log(leastRatio)))
}

// leastRatio is the least ratio of an error's limit to the median.
const leastRatio = 1.5

// Of judges a clip by all rules but those that need a [Model] or [Copies].
func (d *Detector) Of(e Example) Verdict {
	var v Verdict
	d.limits.signal(&v, e)
	d.level(&v, e)
	if e.vector != nil {
		d.compare(&v, e)
	}
	return v
}

// level applies the rule for loud clips.
func (d *Detector) level(v *Verdict, e Example) {
	if e.Flaw == "" && e.Level > d.loud {
		v.find(d.limits, RuleLoud, "its level is %.1f dB; recent clips have at most about %.1f dB", e.Level, d.loud)
	}
}

// compare applies the rules of the classifier and the distances.
func (d *Detector) compare(v *Verdict, e Example) {
	if n, ok := d.near[e.Label]; ok && len(n.ids) > 2 && n.limit > 0 {
		relative := n.median(squaredDistances(e.vector, n.rows), e.ID) / n.limit
		v.Scores.Distance = &relative
	}
	if c := d.classifier; c != nil {
		var scores []float64
		if i, member := d.row[e.ID]; member && e.ID != 0 {
			scores = c.without(i)
		} else {
			scores = c.scores(e.vector)
		}
		if own, other, heard, ok := c.split(scores, e.Label); ok {
			v.Scores.Own, v.Scores.Other, v.Scores.Heard = &own, &other, heard
		}
	}
	own, other, distance := v.Scores.Own, v.Scores.Other, v.Scores.Distance
	switch {
	case distance != nil && (*distance > far || *distance > 1 && (own == nil || *own < max(certain, *other))):
		v.find(d.limits, RuleOutlier, "it is %.1f times as far from other clips of its label as the farthest usual one", *distance)
	case own != nil && *own < unlike && *other < nothing:
		v.find(d.limits, RuleOutlier, "it resembles no label: %.2f for its own, %.2f for %s", *own, *other, v.Scores.Heard)
	}
	if own != nil && *other-*own > d.limits.LabelMargin && *other >= nothing {
		v.find(d.limits, RuleLabel, "it sounds like %s (%.2f), not like its label (%.2f)", v.Scores.Heard, *other, *own)
	}
}

// Facts describe what a detector knows.
type Facts struct {
	Clips    int      `json:"clips"`    // that it was fitted to
	Labels   []string `json:"labels"`   // that the classifier knows; empty: there is none
	Accuracy float64  `json:"accuracy"` // share of the clips that it gives their own label, each while it is left out
}

// Facts returns what the detector knows.
func (d *Detector) Facts() Facts {
	f := Facts{Clips: d.fitted, Accuracy: d.accuracy}
	if d.classifier != nil {
		f.Labels = slices.Clone(d.classifier.labels)
	}
	return f
}
