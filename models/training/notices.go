package training

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavemill/models"
	"wavemill/models/monitor"
)

// Status is the state of a training in one short line, for the place beside a progress bar: the loss that the optimizer
// minimises or, where there is none named "loss", the first two by name, each with its value on the validation clips; then
// the distance of the last evaluation, see [monitor.Distance].
func Status(p models.Progress) string {
	names := slices.Sorted(maps.Keys(p.Train))
	if slices.Contains(names, "loss") {
		names = []string{"loss"}
	}
	var parts []string
	for _, name := range names[:min(2, len(names))] {
		text := fmt.Sprintf("%s %.4g", name, p.Train[name])
		if v, ok := p.Val[name]; ok {
			text += fmt.Sprintf(" (validation %.4g)", v)
		}
		parts = append(parts, text)
	}
	text := strings.Join(parts, ", ")
	if d, ok := p.Metrics[monitor.Distance]; ok {
		text += fmt.Sprintf(", distance %.3g", d)
	}
	return text
}

// Notices turns the events of one training into lines for a person: warnings when they appear and when they have passed,
// and roll-backs. The zero value is ready to use. It is not safe for concurrent use.
type Notices struct {
	warned    map[string]bool // kinds of warnings of the last evaluation
	rollbacks int             // that have a line, or were made before this run
}

// Lines returns the lines for an event, mostly none. Every event of the training must be given, in order.
func (n *Notices) Lines(p models.Progress) []string {
	switch p.Event {
	case models.EventStart:
		n.rollbacks = len(p.Rollbacks)
	case models.EventEval:
		if p.EvaluatedAt == p.Step {
			return n.warnings(p)
		}
	case models.EventRollback:
		var lines []string
		for _, b := range p.Rollbacks[n.rollbacks:] {
			lines = append(lines, fmt.Sprintf("step %d diverged; going back to step %d with %g of the learning rate (%s)", b.Step, b.To, b.Factor, b.Reason))
		}
		n.rollbacks = len(p.Rollbacks)
		return lines
	default:
	}
	return nil
}

// warnings returns the warnings that are new, and those that have passed.
func (n *Notices) warnings(p models.Progress) []string {
	var lines []string
	now := map[string]bool{}
	for _, w := range p.Warnings {
		now[w.Kind] = true
		if n.warned[w.Kind] {
			continue
		}
		early := ""
		if p.Steps > 0 && p.Step < p.Steps/3 {
			early = " (it is early; this may pass)"
		}
		lines = append(lines, fmt.Sprintf("step %d: %v%s", p.Step, w, early))
	}
	for _, kind := range slices.Sorted(maps.Keys(n.warned)) {
		if !now[kind] {
			lines = append(lines, fmt.Sprintf("step %d: no more %s", p.Step, kind))
		}
	}
	n.warned = now
	return lines
}
