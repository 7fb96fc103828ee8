package training

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"wavemill/models"
)

// A Report is the result of a training, for programs as JSON and for people as Lines. Empty lists are [], not null.
type Report struct {
	Out     string             `json:"out"` // file of the checkpoint
	Model   string             `json:"model"`
	Digest  string             `json:"digest"`
	Steps   int64              `json:"steps"`
	Seconds float64            `json:"seconds"`
	Seed    uint64             `json:"seed"`
	Labels  []string           `json:"labels"`
	Metrics map[string]float64 `json:"metrics"` // of the weights that generate

	EndedBy   string            `json:"ended_by"`  // steps, budget or plateau
	BestStep  int64             `json:"best_step"` // of the weights that generate
	BestBy    string            `json:"best_by"`   // the figure by which they were chosen, or last
	Best      *float64          `json:"best"`      // its value; null for last
	Warnings  []models.Warning  `json:"warnings"`  // about these weights
	Rollbacks []models.Rollback `json:"rollbacks"`

	Curves      string `json:"curves,omitempty"`      // JSON lines
	CurvesCSV   string `json:"curves_csv,omitempty"`  // the same as a table
	Previews    string `json:"previews,omitempty"`    // folder
	Tensorboard string `json:"tensorboard,omitempty"` // folder of the runs

	stale int // evaluations in a row without a better figure
}

// NewReport describes a checkpoint that was written to the file out, and the training that made it. took is the time of
// the whole command, the reading of recordings included. Previews and Tensorboard are left to the caller.
func NewReport(out string, c models.Checkpoint, result Result, took time.Duration) (Report, error) {
	digest, err := c.Digest()
	if err != nil {
		return Report{}, err
	}
	r := Report{
		Out: out, Model: c.Arch, Digest: digest, Steps: c.Step, Seconds: took.Seconds(), Seed: c.Seed, Labels: c.Labels, Metrics: c.Metrics,
		EndedBy: result.EndedBy, BestStep: c.GeneratesFrom(), BestBy: BestByLast,
		Warnings: append([]models.Warning{}, c.Warnings...), Rollbacks: append([]models.Rollback{}, c.Rollbacks...),
		Curves: result.CurvesJSONL, CurvesCSV: result.CurvesCSV,
	}
	if c.Best != nil {
		r.BestBy, r.Best, r.stale = c.Best.Metric, &c.Best.Value, c.Best.Stale
	}
	return r, nil
}

// Lines are the figures of the weights that generate, and what a person should know about the training.
func (r Report) Lines() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(r.Metrics)) {
		lines = append(lines, fmt.Sprintf("%s: %.4g", name, r.Metrics[name]))
	}
	for _, w := range r.Warnings {
		lines = append(lines, fmt.Sprintf("warning: %v", w))
	}
	switch n := len(r.Rollbacks); {
	case n == 1:
		lines = append(lines, "learning diverged once and went back")
	case n > 1:
		lines = append(lines, fmt.Sprintf("learning diverged %d times and went back", n))
	}
	if r.EndedBy == models.EndedByPlateau {
		lines = append(lines, fmt.Sprintf("stopped early: %d evaluations without a better %s", r.stale, r.BestBy))
	}
	if r.Curves != "" {
		lines = append(lines, fmt.Sprintf("curves: %s, %s", r.Curves, filepath.Base(r.CurvesCSV)))
	}
	return lines
}

// StepsText says how many steps were made and, where the weights that generate are not the last ones, of which step they
// are.
func (r Report) StepsText() string {
	if r.BestStep == r.Steps || r.Best == nil {
		return fmt.Sprintf("%d steps", r.Steps)
	}
	return fmt.Sprintf("%d steps, rolled back to the best weights of step %d (%s %.4g)", r.Steps, r.BestStep, r.BestBy, *r.Best)
}
