package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavemill/models/comparison"
	"wavemill/models/eval"
)

// Figures are the tables of a comparison as text.
type Figures struct {
	Rows     []string // names of the rows of figures, which are the columns of the table
	Columns  []comparison.Column
	Compared bool // there are two models or more, so that differences are shown

	Evaluator string // accuracy of the evaluator on held-out recordings, with its interval
	HeldOut   int    // number of those recordings
	Quick     bool   // fewer classifiers were trained than usual

	Gains       []Gain
	Groups      []GroupRow
	Differences []Difference
	NotMeasured []Fact // figures that could not be measured, and why
}

// Gain is what adding a model's clips to recordings brings a classifier.
type Gain struct {
	Model             string
	Share             string // of the recordings
	Recordings, Added int
	Test              int    // recordings tested on; 0: not known
	Alone             string // accuracy of recordings without augmentation, a dash where it is not known
	Before, After     string // accuracy with augmentation, without and with the clips
	Points            string // of After less Before
	Verdict           string
	Better            bool // a gain, beyond chance
}

// GroupRow holds accuracies on held-out recordings of known or of unknown groups.
type GroupRow struct {
	Name       string // of the row of figures
	Unknown    bool   // no model has learnt from these groups
	Recordings int
	Groups     string
	Figures    [3]string // label accuracy; accuracy of classifiers trained on generated and on real clips
}

// Difference is a figure of one model less that of another.
type Difference struct {
	Figure, Models string
	Value          string // with its interval
	None           bool   // the interval holds 0
}

// FiguresOf makes the tables of a report.
func FiguresOf(r comparison.Report) *Figures {
	f := &Figures{
		Columns: comparison.Columns(r.Report), HeldOut: r.Report.HeldOut, Quick: r.Quick,
		Evaluator: percent(r.Evaluator.Accuracy, r.Evaluator.Intervals["accuracy"]),
	}
	models := 0
	for _, row := range r.Rows {
		f.Rows = append(f.Rows, row.Name)
		if row.Kind == "model" {
			models++
		}
		f.addGroups(row.Name, row.Groups)
		if row.Usefulness != nil {
			f.addGains(row)
			f.addGroups(row.Name, row.Usefulness.Groups)
		}
		for _, name := range slices.Sorted(maps.Keys(row.NotMeasured)) {
			f.NotMeasured = append(f.NotMeasured, Fact{Name: row.Name + ": " + name, Value: row.NotMeasured[name]})
		}
	}
	f.Compared = models > 1
	for _, d := range r.Differences {
		f.Differences = append(f.Differences, Difference{
			Figure: strings.NewReplacer("_", " ", ".", ": ").Replace(d.Figure), Models: d.A + " − " + d.B,
			Value: bracketed("%+.3g", d.Value, d.Interval), None: d.None,
		})
	}
	return f
}

// addGains adds the gains of a model.
func (f *Figures) addGains(row eval.Row) {
	for _, g := range row.Usefulness.Added {
		out := Gain{
			Model: row.Name, Recordings: g.RealClips, Added: g.Added, Better: g.Conclusion() == eval.UseThem,
			Alone: "–", Share: fmt.Sprintf("%g %%", 100*g.Share), Test: g.TestClips, Verdict: g.Conclusion(),
			Before: percent(g.Before, g.Intervals["real_only"]), After: percent(g.After, g.Intervals["with_synthetic"]),
			Points: bracketed("%+.1f", g.Points, g.Intervals["gain_points"]),
		}
		if i, ok := g.Intervals["recordings_alone"]; ok {
			out.Alone = percent(g.Alone, i)
		}
		f.Gains = append(f.Gains, out)
	}
}

// addGroups adds figures of known and unknown groups.
func (f *Figures) addGroups(name string, g *eval.Groups) {
	if g == nil {
		return
	}
	for _, of := range []*eval.GroupFigures{g.Known, g.Unknown} {
		if of == nil {
			continue
		}
		row := GroupRow{Name: name, Unknown: of == g.Unknown, Recordings: of.Recordings, Groups: strings.Join(of.Names, ", ")}
		for i, figure := range []struct {
			value *float64
			key   string
		}{{of.Evaluator, "label_accuracy"}, {of.Alone, "trained_on_synthetic"}, {of.Real, "trained_on_real"}} {
			row.Figures[i] = "–"
			if figure.value != nil {
				row.Figures[i] = percent(*figure.value, of.Intervals[figure.key])
			}
		}
		f.Groups = append(f.Groups, row)
	}
}

// bracketed prints a value with its interval, as "0.98 [0.96, 0.99]", by a format of one value.
func bracketed(format string, v float64, i eval.Interval) string {
	if i == (eval.Interval{}) {
		return fmt.Sprintf(format, v)
	}
	return fmt.Sprintf(format+" ["+format+", "+format+"]", v, i[0], i[1])
}
