package comparison

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"wavemill/models/eval"
	"wavemill/models/eval/metric"
)

// A Column is one figure of the table: what it is called, what it means, and the cell of every row.
type Column struct {
	Name, Meaning string
	Cells         []Cell
	// Difference names the model that is better than every other; "none" where the interval of a difference from the next
	// best holds 0, "" where there are no two models or the figure is not ranked.
	Difference string

	short string
}

// A Cell is one figure as text.
type Cell struct {
	Text string // with its interval
	Best bool   // better than all other models
	Bad  bool   // beyond what a model may have
}

// noDifference is what a table says of a difference whose interval holds 0.
const noDifference = "none"

// Columns returns the table of a report, figures as lists of cells in the order of the report's rows.
func Columns(r eval.Report) []Column {
	var table []Column
	for _, f := range tableFigures() {
		c := Column{Name: f.name, Meaning: f.meaning, short: f.short}
		for _, row := range r.Rows {
			c.Cells = append(c.Cells, cellOf(f, row))
		}
		c.rank(f, r.Rows)
		table = append(table, c)
	}
	return table
}

// cellOf is the cell of a row.
func cellOf(f figure, row eval.Row) Cell {
	v, ok := f.value(row)
	c := Cell{Text: "–"}
	if ok {
		i, _ := row.Interval(f.key)
		c.Text = bracketed(f.format, v, i)
	}
	switch f.key {
	case "memorisation.spectrogram":
		c.Bad = row.Memorisation.Alarm
		if row.Memorisation.Reason != "" && !c.Bad {
			c.Text = "not measured"
		}
		if c.Bad {
			c.Text = fmt.Sprintf(f.format, row.Memorisation.Spectrogram) + " !"
		}
	case "diversity_ratio":
		c.Bad = row.Kind == "model" && ok && row.DiversityRatio < metric.CollapseLimit && hasPairs(row)
	}
	return c
}

// rank marks the best of two models or more, if there is a difference.
func (c *Column) rank(f figure, rows []eval.Row) {
	best, others := -1, []int{}
	for i, row := range rows {
		v, ok := f.value(row)
		if row.Kind != "model" || !ok {
			continue
		}
		others = append(others, i)
		if b, _ := f.value(rows[max(best, 0)]); best < 0 || f.better.Distance(v) < f.better.Distance(b) {
			best = i
		}
	}
	if f.better == unranked || len(others) < 2 {
		return
	}
	c.Difference = noDifference
	for _, i := range others {
		if i != best && !differ(f, rows[best], rows[i]) {
			return
		}
	}
	c.Difference, c.Cells[best].Best = rows[best].Name, true
}

// differ reports whether two rows differ in a figure beyond chance.
func differ(f figure, a, b eval.Row) bool {
	x, _ := f.value(a)
	y, _ := f.value(b)
	d, ok := eval.Compare(a, b, f.key)
	return ok && !d.None && f.better.Comparable(x, y)
}

// WriteTable prints a report for people: the figures with their 95 % intervals, the gains, the groups, the held-out
// recordings and the warnings.
func WriteTable(w io.Writer, r Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	compared := len(ofKind(r.Rows, "model")) > 1
	head := []string{"95 % intervals in brackets"}
	for _, row := range r.Rows {
		head = append(head, row.Name)
	}
	if compared {
		head = append(head, "better")
	}
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, c := range Columns(r.Report) {
		if c.short == "" {
			continue
		}
		cells := []string{c.short}
		for _, cell := range c.Cells {
			cells = append(cells, cell.Text)
		}
		if compared {
			cells = append(cells, c.Difference)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, row := range r.Rows {
		writeDetails(w, row)
	}
	if err := writeSounds(w, r.Rows); err != nil {
		return err
	}
	v := r.Evaluator
	_, err := fmt.Fprintf(w, "measured on %d held-out real recordings; the evaluator assigns %s of them to their label\n", r.Report.HeldOut, percent(v.Accuracy, v.Intervals["accuracy"]))
	if r.Quick && err == nil {
		_, err = fmt.Fprintln(w, "quick: one classifier of each kind with fewer steps, no gains; the intervals leave out the deviation between trainings")
	}
	for _, text := range r.Warnings {
		if err == nil {
			_, err = fmt.Fprintln(w, "warning: "+text)
		}
	}
	return err
}

// writeDetails prints what does not fit into the table.
func writeDetails(w io.Writer, row eval.Row) {
	if u := row.Usefulness; u != nil {
		for _, g := range u.Added {
			fmt.Fprintf(w, "%s, beside %g %% of the recordings: %v\n", row.Name, 100*g.Share, g)
		}
		writeGroups(w, row.Name, u.Groups)
	}
	writeGroups(w, row.Name, row.Groups)
	if row.Kind != "model" {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(row.NotMeasured)) {
		fmt.Fprintf(w, "%s: %s was not measured: %s\n", row.Name, name, row.NotMeasured[name])
	}
}

// writeGroups prints accuracies on known and unknown groups.
func writeGroups(w io.Writer, name string, g *eval.Groups) {
	if g == nil {
		return
	}
	for at, of := range []*eval.GroupFigures{g.Known, g.Unknown} {
		if of == nil {
			continue
		}
		fmt.Fprintf(w, "%s: %d recordings of %s groups:", name, of.Recordings, []string{"known", "unknown"}[at])
		for _, f := range []struct {
			name, key string
			value     *float64
		}{{"accuracy", "label_accuracy", of.Evaluator}, {"trained on it", "trained_on_synthetic", of.Alone}, {"trained on real", "trained_on_real", of.Real}} {
			if f.value != nil {
				fmt.Fprintf(w, " %s %s", f.name, bracketed("%.3f", *f.value, of.Intervals[f.key]))
			}
		}
		fmt.Fprintln(w)
	}
}
