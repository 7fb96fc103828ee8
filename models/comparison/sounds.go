package comparison

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"wavemill/audio/timbre"
	"wavemill/models/eval"
)

// SoundTable is a table of what an ear minds: a heading, and for each label a line of each row that has it, with the medians
// of the held-out recordings and, behind an arrow, those of the row's clips. Measures that no line has are left out; it is
// nil where no row has sounds.
func SoundTable(rows []eval.Row) [][]string {
	shown := shownQuantities(rows)
	if len(shown) == 0 {
		return nil
	}
	head := []string{"label", "clips"}
	for _, q := range shown {
		head = append(head, strings.TrimSpace(q.Name+" "+q.Unit))
	}
	table := [][]string{append(head, "pitch of round trips")}
	for _, label := range soundLabels(rows) {
		for _, row := range rows {
			for _, s := range row.Sounds {
				if s.Label == label {
					table = append(table, soundLine(row.Name, s, shown))
				}
			}
		}
	}
	return table
}

// soundLine is the line of a label of a row.
func soundLine(name string, s eval.Sound, shown []timbre.Quantity) []string {
	line := []string{s.Label, name}
	for _, q := range shown {
		line = append(line, value(*q.Of(&s.Reference), q.Decimals)+" → "+value(*q.Of(&s.Other), q.Decimals))
	}
	off := ""
	if p := s.RoundTrips; p != nil && p.Pitched > 0 {
		off = fmt.Sprintf("%.0f cents off, %.0f %% of %d more than %d", p.CentsError, 100*p.OffPitch, p.Pitched, timbre.PitchLimit)
	}
	return append(line, off)
}

// value is a measure as text.
func value(v float64, decimals int) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.*f", decimals, v)
}

// soundLabels are the labels of the rows' sounds, in the order in which they come.
func soundLabels(rows []eval.Row) []string {
	var labels []string
	seen := map[string]bool{}
	for _, row := range rows {
		for _, s := range row.Sounds {
			if !seen[s.Label] {
				seen[s.Label] = true
				labels = append(labels, s.Label)
			}
		}
	}
	return labels
}

// shownQuantities are the measures that any sound has.
func shownQuantities(rows []eval.Row) []timbre.Quantity {
	var shown []timbre.Quantity
	for _, q := range timbre.Quantities() {
		any := false
		for _, row := range rows {
			for _, s := range row.Sounds {
				any = any || !math.IsNaN(*q.Of(&s.Reference)) || !math.IsNaN(*q.Of(&s.Other))
			}
		}
		if any {
			shown = append(shown, q)
		}
	}
	return shown
}

// writeSounds prints the table of sounds.
func writeSounds(w io.Writer, rows []eval.Row) error {
	table := SoundTable(rows)
	if table == nil {
		return nil
	}
	fmt.Fprintln(w, "sounds, medians of held-out recordings → of clips:")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range table {
		fmt.Fprintln(t, strings.TrimRight(strings.Join(line, "\t"), "\t"))
	}
	return t.Flush()
}
