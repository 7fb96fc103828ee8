package comparison

import (
	"fmt"
	"math"

	"wavemill/models/eval"
)

// A column is one figure of the table: what it is called, what it means, and the cell of every row.
type column struct {
	Name, Meaning string
	Cells         []cell
}

// A cell is one figure as text; Best marks the best of the models.
type cell struct {
	Text string
	Best bool
	Bad  bool
}

// columns returns the table of a report, figures as rows of cells in the order of the report's rows.
func columns(r eval.Report) []column {
	value := func(name, meaning, format string, better direction, of func(eval.Row) (float64, bool)) column {
		c := column{Name: name, Meaning: meaning}
		best, at := math.Inf(1), -1
		for i, row := range r.Rows {
			v, ok := of(row)
			if !ok {
				c.Cells = append(c.Cells, cell{Text: "–"})
				continue
			}
			c.Cells = append(c.Cells, cell{Text: fmt.Sprintf(format, v)})
			if d := better.distance(v); row.Kind == "model" && better != unranked && d < best {
				best, at = d, i
			}
		}
		if at >= 0 && len(ofKind(r, "model")) > 1 {
			c.Cells[at].Best = true
		}
		return c
	}
	always := func(f func(eval.Row) float64) func(eval.Row) (float64, bool) {
		return func(row eval.Row) (float64, bool) { return f(row), true }
	}
	useful := func(f func(*eval.Usefulness) float64) func(eval.Row) (float64, bool) {
		return func(row eval.Row) (float64, bool) {
			if row.Usefulness == nil {
				return 0, false
			}
			return f(row.Usefulness), true
		}
	}
	trained := func(f func(*eval.Training) float64) func(eval.Row) (float64, bool) {
		return func(row eval.Row) (float64, bool) {
			if row.Training == nil || f(row.Training) == 0 {
				return 0, false
			}
			return f(row.Training), true
		}
	}
	table := []column{
		value("Train on it, test on real", "mean accuracy on held-out recordings of three classifiers trained on generated clips alone", "%.3f", high,
			useful(func(u *eval.Usefulness) float64 { return u.Alone })),
		value("… of what real clips give", "the same, divided by the mean accuracy of three trained on as many recordings", "%.3f", high,
			useful(func(u *eval.Usefulness) float64 { return u.Ratio })),
		value("Label accuracy", "share of clips in which the judge hears the label that was asked for", "%.3f", high,
			always(func(r eval.Row) float64 { return r.LabelAccuracy })),
		value("Inception score / real", "how confidently and evenly labels are heard, against held-out recordings", "%.3f", high,
			always(func(r eval.Row) float64 { return r.InceptionRatio })),
		value("Fréchet distance / real", "distance to the training recordings, against that of held-out ones; 1 is as near as fresh recordings", "%.2f", low,
			always(func(r eval.Row) float64 { return r.FrechetRatio })),
		value("Kernel distance", "an unbiased distance to the training recordings; 0 is best", "%.4f", low,
			always(func(r eval.Row) float64 { return r.Kernel })),
		value("Different bins (NDB)", "share of sound clusters that are filled too much or too little; 0.05 is chance", "%.2f", low,
			always(func(r eval.Row) float64 { return r.NDB })),
		value("1-NN, real", "share of held-out recordings whose nearest neighbour is real; 0.5 is best", "%.2f", half,
			always(func(r eval.Row) float64 { return r.TwoSample.Real })),
		value("1-NN, generated", "share of generated clips whose nearest neighbour is generated; 0.5 is best", "%.2f", half,
			always(func(r eval.Row) float64 { return r.TwoSample.Generated })),
		value("Diversity / real", "mean distance between clips of one label, against recordings; below 0.3 is collapse", "%.2f", one,
			always(func(r eval.Row) float64 { return r.DiversityRatio })),
		value("Newness", "how far the most copied twentieth of clips is from any training clip, against held-out recordings; 0 is a copy", "%.2f", unranked,
			always(func(r eval.Row) float64 { return r.Memorisation.Spectrogram })),
		value("Silent", "share of clips without sound", "%.3f", low, always(func(r eval.Row) float64 { return r.Silent })),
		value("CPU seconds to train", "of all cores together", "%.0f", low, trained(func(t *eval.Training) float64 { return t.CPUSeconds })),
		value("Steps", "of training", "%.0f", unranked, trained(func(t *eval.Training) float64 { return float64(t.Steps) })),
		value("ms per clip", "to generate many at once, network and phase", "%.2f", low, trained(func(t *eval.Training) float64 { return t.PerClip })),
	}
	for i := range table {
		for j, row := range r.Rows {
			switch table[i].Name {
			case "Newness":
				table[i].Cells[j].Bad = row.Memorisation.Alarm
			case "Diversity / real":
				table[i].Cells[j].Bad = row.Kind == "model" && row.DiversityRatio < collapsed && hasPairs(row)
			}
		}
	}
	return table
}

// A direction says which values of a figure are good.
type direction uint8

const (
	unranked direction = iota
	high
	low
	half // 0.5 is best
	one  // 1 is best
)

// distance is smaller for better values.
func (d direction) distance(v float64) float64 {
	switch d {
	case high:
		return -v
	case half:
		return math.Abs(v - 0.5)
	case one:
		return math.Abs(v - 1)
	}
	return v
}
