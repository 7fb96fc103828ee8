package guard

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits say what is refused. The zero value is not usable; see [DefaultLimits].
type Limits struct {
	Off  []string // rules that do not refuse
	Rate int      // in Hz; 0: any
	// MinSeconds and MaxSeconds bound the duration; 0: no bound.
	MinSeconds, MaxSeconds float64
	// Full is the greatest share of samples at full scale.
	Full float64
	// LabelMargin is by how much the score of another label must exceed that of the clip's own.
	LabelMargin float64
	// Spread is how many robust standard deviations (1.4826 times the median absolute deviation) above the median of recent
	// clips a distance or an error of reconstruction may be.
	Spread float64
	// Realness is the least share of recent clips that the discriminator scores lower.
	Realness float64
	// Least is how many clips of a label there must be before they are compared.
	Least int
}

// DefaultLimits returns the default limits. They are tuned on spoken digits: see docs/operators/guard.md for what they
// catch and what they cost.
func DefaultLimits() Limits {
	return Limits{Full: 0.005, LabelMargin: 0.1, Spread: 4, Realness: 0.005, Least: 8}
}

// Validate reports every limit that is out of its range.
func (l Limits) Validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	for _, name := range l.Off {
		fault(!slices.Contains(rules(), name), "off: there is no rule %q; there are: %s", name, strings.Join(rules(), ", "))
	}
	fault(l.Rate < 0, "rate must not be negative")
	fault(!(l.MinSeconds >= 0) || !(l.MaxSeconds >= 0) || l.MaxSeconds > 0 && l.MaxSeconds < l.MinSeconds,
		"min_duration and max_duration must not be negative, and max_duration not less than min_duration")
	fault(!(l.Full > 0 && l.Full <= 1), "clipped must be above 0 and at most 1")
	fault(!(l.LabelMargin >= 0 && l.LabelMargin <= 2), "label_margin must be between 0 and 2")
	fault(!(l.Spread >= 1 && l.Spread <= 100), "spread must be between 1 and 100")
	fault(!(l.Realness >= 0 && l.Realness < 1), "realness must be at least 0 and below 1")
	fault(l.Least < 3, "min_per_label must be at least 3")
	return errors.Join(faults...)
}

// signal applies the rules that need no other clips.
func (l Limits) signal(v *Verdict, e Example) {
	v.Scores.Level, v.Scores.Full = e.Level, e.Full
	if e.Flaw != "" {
		v.find(l, RuleSilent, "%s", e.Flaw)
	}
	switch {
	case e.Over > 0:
		v.find(l, RuleClipped, "samples up to %.1f times full scale", e.Over)
	case e.Full > l.Full:
		v.find(l, RuleClipped, "%.1f %% of it is at full scale, more than %.1f %%", 100*e.Full, 100*l.Full)
	}
	if l.Rate > 0 && e.Rate != l.Rate {
		v.find(l, RuleRate, "its sample rate is %d Hz, not %d Hz", e.Rate, l.Rate)
	}
	if e.Truncated {
		v.find(l, RuleTruncated, "its file ends before the data that the header declares")
	}
	switch {
	case e.Seconds < l.MinSeconds:
		v.find(l, RuleDuration, "it lasts %.3f s, less than %.3f s", e.Seconds, l.MinSeconds)
	case l.MaxSeconds > 0 && e.Seconds > l.MaxSeconds:
		v.find(l, RuleDuration, "it lasts %.3f s, more than %.3f s", e.Seconds, l.MaxSeconds)
	}
	if e.outOfRange > 0 {
		v.find(l, RulePoisoned, "%d of its values lie outside the range of its front end", e.outOfRange)
	}
}
