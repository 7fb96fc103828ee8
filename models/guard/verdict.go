package guard

import (
	"fmt"
	"slices"
	"strings"
)

// The rules, by the names that verdicts and configurations use.
const (
	RuleSilent    = "silent"    // nothing to hear
	RuleClipped   = "clipped"   // more samples at full scale than a limit, or samples beyond it
	RuleLoud      = "loud"      // far louder than recent clips
	RuleRate      = "rate"      // another sample rate than the configured one
	RuleTruncated = "truncated" // the file ends before its header says
	RuleDuration  = "duration"  // shorter or longer than the limits
	RuleCopy      = "copy"      // a near copy of a recent clip of the same label
	RulePoisoned  = "poisoned"  // a near copy of a recent clip of another label, or values that no front end gives
	RuleOutlier   = "outlier"   // unlike recent clips of its label, and of all labels
	RuleLabel     = "label"     // sounds like recent clips of another label
	RuleUnreal    = "unreal"    // the model's discriminator scores it below recent clips
	RuleModel     = "model"     // the model reconstructs it far worse than recent clips
)

// rules returns the names of all rules.
func rules() []string {
	return []string{
		RuleSilent, RuleClipped, RuleLoud, RuleRate, RuleTruncated, RuleDuration, RuleCopy, RulePoisoned, RuleOutlier,
		RuleLabel, RuleUnreal, RuleModel,
	}
}

// A Finding is a reason to refuse a clip.
type Finding struct {
	Rule string `json:"rule"`
	Text string `json:"text"` // for a person
}

// Scores are what was measured. A nil score could not be measured, because there are too few recent clips or no model.
type Scores struct {
	Level float64 `json:"level_db"`       // see [Example]
	Full  float64 `json:"full,omitempty"` // see [Example]
	// Own and Other are the classifier's scores of the clip's label and of the best other one, Heard: about 1 where the clip
	// sounds like the label, 0 where it does not.
	Own   *float64 `json:"own,omitempty"`
	Other *float64 `json:"other,omitempty"`
	Heard string   `json:"heard,omitempty"`
	// Distance is the median distance to recent clips of the label, divided by its limit: above 1 is an outlier.
	Distance *float64 `json:"distance,omitempty"`
	// Reconstruction is the model's reconstruction error under the clip's label, and Preference how much greater it is than
	// under Heard, as a ratio; both are divided by their limits. Realness is the share of recent clips that the
	// discriminator scores lower.
	Reconstruction *float64 `json:"reconstruction,omitempty"`
	Preference     *float64 `json:"preference,omitempty"`
	Realness       *float64 `json:"realness,omitempty"`
}

// A Verdict says whether a clip is refused, and why.
type Verdict struct {
	Findings []Finding `json:"findings,omitempty"` // empty: it passes
	Scores   Scores    `json:"scores"`
}

// Refused reports whether there is a finding.
func (v Verdict) Refused() bool { return len(v.Findings) > 0 }

// Names returns the names of the rules that the clip breaks, with commas between them.
func (v Verdict) Names() string {
	names := make([]string, len(v.Findings))
	for i, f := range v.Findings {
		names[i] = f.Rule
	}
	return strings.Join(slices.Compact(names), ",")
}

// String returns the findings as one line for a person.
func (v Verdict) String() string {
	lines := make([]string, len(v.Findings))
	for i, f := range v.Findings {
		lines[i] = f.Text
	}
	return strings.Join(lines, "; ")
}

// find adds a finding, unless its rule is off.
func (v *Verdict) find(l Limits, rule, format string, args ...any) {
	if !slices.Contains(l.Off, rule) {
		v.Findings = append(v.Findings, Finding{rule, fmt.Sprintf(format, args...)})
	}
}
