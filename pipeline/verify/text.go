package verify

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
)

// mostFaults is how many faults of a stage are printed; a report as JSON has all.
const mostFaults = 8

// String is the report as a table, with the faults and what to do about them.
func (r Report) String() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	// The writer's buffer cannot fail.
	_, _ = fmt.Fprintln(t, "stage\tinputs\tdone\toutputs\tletters\treplayed\tpending\tunknown\tmissing\tdoubled\tstate\t")
	for _, s := range r.Stages {
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", s.Name, s.Inputs, s.Done, s.Outputs, s.Letters, s.Replayed, s.Pending, s.Unknown, s.Missing, s.Doubled, s.State)
	}
	_ = t.Flush()
	for _, s := range r.Stages {
		for _, f := range s.faults() {
			fmt.Fprintf(&b, "%s\n", f)
		}
	}
	if r.Stranger {
		b.WriteString("a client answers requests that nobody serves: a subscriber to > that answers everything acknowledges the messages of operators, which are then lost; find it with `nats server report connections`, and use permissions (docs/nats.conf)\n")
	}
	if r.OK {
		fmt.Fprintf(&b, "pipeline %s: nothing is missing, doubled or stuck", r.Pipeline)
	} else {
		fmt.Fprintf(&b, "pipeline %s: faults found", r.Pipeline)
	}
	return b.String()
}

// faults are the lines about one stage.
func (s Stage) faults() []string {
	var lines []string
	if s.Missing > 0 {
		lines = append(lines, fmt.Sprintf("%s: %d of %s missing: %s; `wavemill verify --replay` puts those that the stream still has into it again", s.Name, s.Missing, s.From, list(s.MissingAt)))
	}
	if s.Doubled > 0 {
		lines = append(lines, fmt.Sprintf("%s: %d outputs are there twice, of these messages of %s: %s", s.Name, s.Doubled, s.From, list(s.DoubledAt)))
	}
	if s.Reason != "" {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", s.Name, s.State, s.Reason))
	}
	return lines
}

// list writes faults as "3-5 (deleted), 9".
func list(faults []Fault) string {
	var parts []string
	for i, f := range faults {
		if i == mostFaults {
			parts = append(parts, fmt.Sprintf("and %d more (--json lists all)", len(faults)-i))
			break
		}
		text := strconv.FormatUint(f.First, 10)
		if f.Last > f.First {
			text += fmt.Sprintf("-%d", f.Last)
		}
		if f.Why != "" {
			text += " (" + f.Why + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
