package metricslog

import (
	"fmt"
	"maps"
	"math"
	"time"

	"wavemill/models"
)

// Spacing of rows between evaluations: every tenth step, and not more than two a second.
const (
	everySteps   = 10
	everySeconds = 0.5
)

// A Follower turns the progress events of a training into rows. The zero value is for a training that begins; Earlier is the
// time spent before it was resumed.
type Follower struct {
	Earlier time.Duration

	last     float64
	warnings map[string]bool
	backs    int
}

// Row returns the row for an event, and whether there is one; see the spacing above.
func (f *Follower) Row(p models.Progress) (Row, bool) {
	r := Row{Step: p.Step, Seconds: (f.Earlier + p.Elapsed).Seconds(), Values: map[string]float64{}}
	switch p.Event {
	case models.EventStart:
		f.backs = len(p.Rollbacks)
		return r, false
	case models.EventStep:
		if p.Step%everySteps != 0 || r.Seconds-f.last < everySeconds {
			return r, false
		}
	case models.EventEval:
		for name, v := range p.Val {
			r.Values["val/"+name] = v
		}
		if p.EvaluatedAt == p.Step {
			maps.Copy(r.Values, p.Metrics)
			r.Notes = f.changed(p.Warnings)
		}
	case models.EventRollback:
		for _, b := range p.Rollbacks[min(f.backs, len(p.Rollbacks)):] {
			r.Notes = append(r.Notes, fmt.Sprintf("rolled back from step %d to %d, learning rate times %g: %s", b.Step, b.To, b.Factor, b.Reason))
		}
		f.backs, f.last = len(p.Rollbacks), r.Seconds
		return r, len(r.Notes) > 0
	default:
		return r, false
	}
	for name, v := range p.Train {
		r.Values["train/"+name] = v
	}
	if p.Rate > 0 {
		r.Values["learning_rate"] = p.Rate
	}
	for name, v := range r.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(r.Values, name)
		}
	}
	f.last = r.Seconds
	return r, true
}

// changed returns the warnings that were not there before, and the kinds of those that are gone.
func (f *Follower) changed(warnings []models.Warning) []string {
	now := map[string]bool{}
	var notes []string
	for _, w := range warnings {
		if now[w.Kind] = true; !f.warnings[w.Kind] {
			notes = append(notes, w.String())
		}
	}
	f.warnings = now
	return notes
}
