package report

import (
	"context"
	"fmt"
	"slices"

	"wavemill/audio"
	"wavemill/models/eval"
)

// Confusion counts, for every requested label (row), the labels that a classifier assigns (column).
type Confusion struct {
	Name   string // of the clips, above the table
	Labels []string
	Counts [][]int // [requested][assigned]
}

// Assignment is what a classifier says about one clip.
type Assignment struct {
	Label      string  // the most probable label
	Confidence float64 // probability of the requested label; 0 where the classifier does not know it
}

// Classify lets a classifier assign a label to each clip, whose Label is the requested one, and counts. Clips whose label
// the classifier does not know are assigned but not counted.
func Classify(ctx context.Context, c *eval.Classifier, name string, clips []audio.Clip) (Confusion, []Assignment, error) {
	labels := c.Labels()
	out := Confusion{Name: name, Labels: labels, Counts: make([][]int, len(labels))}
	for i := range out.Counts {
		out.Counts[i] = make([]int, len(labels))
	}
	p, err := c.Predict(ctx, clips)
	if err != nil {
		return out, nil, fmt.Errorf("report: %w", err)
	}
	assigned := make([]Assignment, len(clips))
	for i, clip := range clips {
		most, _ := p.Label(i)
		assigned[i].Label = labels[most]
		if at, known := slices.BinarySearch(labels, clip.Label); known {
			assigned[i].Confidence = p.Probs[i][at]
			out.Counts[at][most]++
		}
	}
	return out, assigned, nil
}

// Share is the share of clips that are assigned to the requested label.
func (c Confusion) Share() Share {
	var right, all int
	for i, row := range c.Counts {
		right, all = right+row[i], all+total(row)
	}
	return NewShare(right, all)
}

// ShareOf is Share for the clips of one label. It is the zero Share for a label that is not in Labels.
func (c Confusion) ShareOf(label string) Share {
	i := slices.Index(c.Labels, label)
	if i < 0 {
		return Share{}
	}
	return NewShare(c.Counts[i][i], total(c.Counts[i]))
}

// Share is a part of a whole with its 95 % interval.
type Share struct {
	Part, Whole int
	Interval    eval.Interval
}

// NewShare returns the share with the interval of [eval.OutcomeAccuracy]: a bootstrap over the whole, widened to Wilson's
// interval, because a bootstrap of a perfect score has no width. Of nothing it is the zero Share.
func NewShare(part, whole int) Share {
	if whole <= 0 {
		return Share{}
	}
	outcomes := make([]bool, whole)
	for i := range outcomes {
		outcomes[i] = i < part
	}
	_, interval := eval.OutcomeAccuracy([][]bool{outcomes})
	return Share{Part: part, Whole: whole, Interval: interval}
}

// Value is the share, 0 to 1; 0 of nothing.
func (s Share) Value() float64 { return float64(s.Part) / float64(max(1, s.Whole)) }

// String prints the share in per cent with its interval, as "90.0 % [59.6, 98.2]"; "none" of nothing.
func (s Share) String() string {
	if s.Whole == 0 {
		return "none"
	}
	return percent(s.Value(), s.Interval)
}

// percent prints a share in per cent, with its interval where there is one.
func percent(v float64, i eval.Interval) string {
	if i == (eval.Interval{}) {
		return fmt.Sprintf("%.1f %%", 100*v)
	}
	return fmt.Sprintf("%.1f %% [%.1f, %.1f]", 100*v, 100*i[0], 100*i[1])
}
