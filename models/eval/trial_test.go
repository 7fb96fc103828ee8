package eval

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestTrialFitsItsBudget plans trials on machines of different speed.
func TestTrialFitsItsBudget(t *testing.T) {
	s, err := newTunedSet(t.Context(), classes(t, 3, 0))
	if err != nil {
		t.Fatal(err)
	}
	o := TunedOptions{}.complete()
	whole := o.tuningSteps(s)/members + 9*tunedSteps
	for name, c := range map[string]struct {
		perStep, spent time.Duration
		least, most    int // steps; 0: it does not fit
	}{
		"all fit":            {900 * time.Second / time.Duration(whole), 0, tunedSteps, tunedSteps},
		"twice too slow":     {1800 * time.Second / time.Duration(whole), 0, tunedSteps*2/5 - 1, tunedSteps / 2},
		"nothing to spare":   {5200 * time.Second / time.Duration(whole), 0, LeastTrialSteps, LeastTrialSteps},
		"ten times too slow": {9000 * time.Second / time.Duration(whole), 0, 0, 0},
		"most is spent":      {900 * time.Second / time.Duration(whole), 15 * time.Minute, LeastTrialSteps, LeastTrialSteps},
		"all is spent":       {900 * time.Second / time.Duration(whole), 18 * time.Minute, 0, 0},
	} {
		var notes []string
		trial := Trial{Seeds: []uint64{1, 2, 3}, Budget: 20 * time.Minute, Note: func(m string) { notes = append(notes, m) }}
		steps, err := trial.fitting(s, o, c.perStep, c.spent)
		if c.most == 0 && (!errors.Is(err, ErrTrialBudget) || !strings.Contains(err.Error(), "20m")) {
			t.Errorf("%s: %d steps, %v", name, steps, err)
		}
		if c.most > 0 && (err != nil || steps < c.least || steps > c.most || (steps < tunedSteps) != (len(notes) == 1)) {
			t.Errorf("%s: %d steps, %v, notes %q", name, steps, err, notes)
		}
	}
	// Fewer steps than the least are made where they are asked for.
	if steps, err := (Trial{Seeds: []uint64{1}, Budget: time.Minute}).fitting(s, TunedOptions{Steps: 20}.complete(), time.Millisecond, 0); err != nil || steps != 20 {
		t.Errorf("%d steps, %v", steps, err)
	}
}

// TestTrialEndsWithItsBudget ends trials after one and after two of three seeds, and ends them from outside.
func TestTrialEndsWithItsBudget(t *testing.T) {
	s, err := newTunedSet(t.Context(), classes(t, 3, 0))
	if err != nil {
		t.Fatal(err)
	}
	if s.heldOut, err = s.batch(t.Context(), classes(t, 2, 500)); err != nil {
		t.Fatal(err)
	}
	extra, err := s.batch(t.Context(), classes(t, 2, 9000))
	if err != nil {
		t.Fatal(err)
	}
	o := TunedOptions{Seed: 1, Steps: 2, Policies: Policies()[:1]}.complete()
	seed := 3 * members * o.Steps
	run := func(seeds int, outer bool) (Outcomes, []string, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		limited, spent := context.WithCancel(ctx)
		defer spent()
		var notes []string
		trial := Trial{Seeds: []uint64{1, 2, 3}, Budget: time.Hour, Note: func(m string) { notes = append(notes, m) }}
		trial.OnProgress = func(done, _ int) {
			if done > seeds*seed && outer {
				cancel()
			} else if done > seeds*seed {
				spent()
			}
		}
		out, err := trial.until(ctx, limited, s, o, extra)
		return out, notes, err
	}
	whole, notes, err := run(3, false)
	if err != nil || len(whole.After) != 3 || len(notes) != 0 {
		t.Fatalf("%d seeds, notes %q, %v", len(whole.After), notes, err)
	}
	out, notes, err := run(2, false)
	if err != nil || len(out.After) != 2 || len(notes) != 1 || !strings.Contains(notes[0], "2 of 3 seeds") {
		t.Errorf("%d seeds, notes %q, %v", len(out.After), notes, err)
	}
	for name, pair := range map[string][2][][]bool{"plain": {out.Plain, whole.Plain}, "before": {out.Before, whole.Before}, "after": {out.After, whole.After}} {
		if !reflect.DeepEqual(pair[0], pair[1][:2]) {
			t.Errorf("%s: the outcomes of the same seeds differ: %s", name, fmt.Sprint(pair))
		}
	}
	if out, _, err := run(1, false); !errors.Is(err, ErrTrialBudget) {
		t.Errorf("one seed: %d, %v", len(out.After), err)
	}
	if _, _, err := run(2, true); !errors.Is(err, context.Canceled) || errors.Is(err, ErrTrialBudget) {
		t.Errorf("cancelled: %v", err)
	}
}
