package benchmark

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"wavemill/internal/atomicfile"
)

// Markdown is the result as text for a document: how it was made, and a table of the figures with their intervals.
func (r Result) Markdown() string {
	var b strings.Builder
	runs := fmt.Sprintf("Seeds 1 to %d", r.Seeds)
	if r.LeaveOut != "" {
		runs = fmt.Sprintf("Seeds 1 to %d, each %s left out in turn", r.Seeds, r.LeaveOut)
	}
	fmt.Fprintf(&b, "%s, %s. %s: split, training, evaluator and clips; means over them with 95 %% intervals in brackets. About %d recordings to learn from, %d held out.\n\n    %s\n\n",
		r.Date, r.Machine, runs, r.Train, r.HeldOut, r.Command)
	var models []Means
	for _, m := range r.Means {
		if !slices.Contains(references(), m.Model) {
			models = append(models, m)
		}
	}
	compared := len(models) > 1
	line := func(name, better string, cell func(*Means) string) {
		fmt.Fprintf(&b, "| %s |", name)
		for i := range r.Means {
			fmt.Fprintf(&b, " %s |", cell(&r.Means[i]))
		}
		if compared {
			fmt.Fprintf(&b, " %s |", better)
		}
		b.WriteString("\n")
	}
	line("", "better", func(m *Means) string { return m.Model })
	line("---", "---", func(*Means) string { return "---:" })
	for _, f := range r.figures() {
		if !r.has(f) {
			continue
		}
		better := ""
		if f.better != unranked {
			if better = r.best(f, models); better == "" {
				better = "none"
			}
		}
		line(f.name, better, func(m *Means) string { return f.cell(m) })
	}
	line("steps", "", func(m *Means) string {
		if m.Steps == 0 {
			return "–"
		}
		return fmt.Sprintf("%.0f", m.Steps)
	})
	if compared {
		b.WriteString("\nbetter: the model that is better than every other; none: the interval of a difference holds 0.\n")
	}
	r.writeSounds(&b)
	return b.String()
}

// has reports whether any model has a figure.
func (r Result) has(f figure) bool {
	return slices.ContainsFunc(r.Means, func(m Means) bool { return f.in(&m).Runs > 0 })
}

// cell is a figure of a model in the table.
func (f figure) cell(m *Means) string {
	text := f.in(m).Text(f.digits)
	if f.isGain() && f.in(m).Low != nil {
		text += ": " + m.verdict(f.in(m))
	}
	if f.key != "memorisation" || f.in(m).Runs == 0 {
		return text
	}
	if m.Alarms == 0 {
		return "silent: " + text
	}
	return fmt.Sprintf("**%d of %d**: %s", m.Alarms, m.Runs, text)
}

// ReplaceSection replaces the text between "<!-- quality NAME -->" and "<!-- end NAME -->" in a document.
func ReplaceSection(path, name, text string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- quality "+name+" -->", "<!-- end "+name+" -->"
	head, rest, found := strings.Cut(string(doc), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no %q followed by %q to write between", path, begin, end)
	}
	return atomicfile.Write(path, []byte(head+begin+"\n"+text+end+tail), atomicfile.Options{})
}
