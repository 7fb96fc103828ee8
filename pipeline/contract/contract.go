// Package contract says which recordings a pipeline admits: their labels, sample rates, channels and durations.
//
// A [Contract] is kept in a key-value bucket of the pipeline, with a revision for each change. Whoever publishes recordings
// and the first operator check against it; both know sound, this package knows only the [Facts].
package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrViolated means that a recording is not what the contract admits.
var ErrViolated = errors.New("the contract of the pipeline does not admit it")

// A Contract is what recordings must be. An empty field admits everything.
type Contract struct {
	// Labels are the labels that recordings may have.
	Labels []string `yaml:"labels,omitempty"`
	// Rates are the sample rates that recordings may have, in Hz.
	Rates []int `yaml:"rates,omitempty"`
	// Channels are the numbers of channels that recordings may have.
	Channels []int `yaml:"channels,omitempty"`
	// MinDuration and MaxDuration bound how long recordings may be.
	MinDuration time.Duration `yaml:"min_duration,omitempty"`
	MaxDuration time.Duration `yaml:"max_duration,omitempty"`
}

// Facts are what a recording is.
type Facts struct {
	Label    string
	Rate     int // Rate is in Hz.
	Channels int
	Duration time.Duration
}

// Empty reports whether c admits everything.
func (c Contract) Empty() bool { return c.LabelsAlone() && len(c.Labels) == 0 }

// LabelsAlone reports whether c says nothing about sound, so that the label of a recording suffices to check it.
func (c Contract) LabelsAlone() bool {
	return len(c.Rates) == 0 && len(c.Channels) == 0 && c.MinDuration == 0 && c.MaxDuration == 0
}

// Validate reports every fault of c.
func (c Contract) Validate() error {
	var faults []error
	if slices.Contains(c.Labels, "") {
		faults = append(faults, errors.New("labels: a label is empty"))
	}
	if slices.ContainsFunc(c.Rates, func(r int) bool { return r < 1 }) {
		faults = append(faults, errors.New("rates must be positive, in Hz"))
	}
	if slices.ContainsFunc(c.Channels, func(n int) bool { return n < 1 }) {
		faults = append(faults, errors.New("channels must be positive"))
	}
	if c.MinDuration < 0 || c.MaxDuration < 0 || c.MaxDuration > 0 && c.MaxDuration < c.MinDuration {
		faults = append(faults, fmt.Errorf("min_duration is %v and max_duration %v: neither may be negative, and max_duration must be at least min_duration", c.MinDuration, c.MaxDuration))
	}
	return errors.Join(faults...)
}

// Check returns everything that c does not admit about a recording as one error that wraps [ErrViolated], or nil.
func (c Contract) Check(f Facts) error {
	faults := []string{}
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if len(c.Labels) > 0 && !slices.Contains(c.Labels, f.Label) {
		fault("its label is %q; admitted are: %s", clipped(f.Label), clipped(strings.Join(c.Labels, ", ")))
	}
	if len(c.Rates) > 0 && !slices.Contains(c.Rates, f.Rate) {
		fault("its sample rate is %d Hz; admitted are: %s", f.Rate, numbers(c.Rates))
	}
	if len(c.Channels) > 0 && !slices.Contains(c.Channels, f.Channels) {
		fault("it has %d channels; admitted are: %s", f.Channels, numbers(c.Channels))
	}
	if !c.LabelsAlone() && f.Duration < c.MinDuration {
		fault("it lasts %v; the least is %v", f.Duration.Round(time.Millisecond), c.MinDuration)
	}
	if c.MaxDuration > 0 && f.Duration > c.MaxDuration {
		fault("it lasts %v; the most is %v", f.Duration.Round(time.Millisecond), c.MaxDuration)
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrViolated, strings.Join(faults, "; "))
}

// CheckLabel is Check of the label alone, before the sound is known.
func (c Contract) CheckLabel(label string) error {
	return Contract{Labels: c.Labels}.Check(Facts{Label: label})
}

// Equal reports whether c and other admit the same, in the same order.
func (c Contract) Equal(other Contract) bool {
	return slices.Equal(c.Labels, other.Labels) && slices.Equal(c.Rates, other.Rates) && slices.Equal(c.Channels, other.Channels) &&
		c.MinDuration == other.MinDuration && c.MaxDuration == other.MaxDuration
}

func numbers(all []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(all)), ", "), "[]")
}

// clipped returns at most 200 bytes of a text that may be of any length.
func clipped(s string) string {
	if len(s) <= 200 {
		return s
	}
	return strings.ToValidUTF8(s[:200], "") + "..."
}

// wire is a Contract as JSON, for programs in any language.
type wire struct {
	Labels      []string `json:"labels,omitempty"`
	Rates       []int    `json:"rates,omitempty"`
	Channels    []int    `json:"channels,omitempty"`
	MinDuration string   `json:"min_duration,omitempty"`
	MaxDuration string   `json:"max_duration,omitempty"`
}

// MarshalJSON writes {"labels","rates","channels","min_duration","max_duration"}, durations as "1.5s", empty fields left out.
func (c Contract) MarshalJSON() ([]byte, error) {
	w := wire{Labels: c.Labels, Rates: c.Rates, Channels: c.Channels}
	if c.MinDuration != 0 {
		w.MinDuration = c.MinDuration.String()
	}
	if c.MaxDuration != 0 {
		w.MaxDuration = c.MaxDuration.String()
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Contract) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("contract: %w", err)
	}
	*c = Contract{Labels: w.Labels, Rates: w.Rates, Channels: w.Channels}
	for text, to := range map[*string]*time.Duration{&w.MinDuration: &c.MinDuration, &w.MaxDuration: &c.MaxDuration} {
		if *text == "" {
			continue
		}
		d, err := time.ParseDuration(*text)
		if err != nil {
			return fmt.Errorf("contract: %w", err)
		}
		*to = d
	}
	return nil
}
