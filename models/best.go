package models

import (
	"maps"
	"math"
	"slices"
	"strings"
)

// Prefixes of the second and third set of the tensors that generate: a checkpoint has one where the tensors that
// generate are not those of the last step, or not those of the best evaluation.
const (
	lastPrefix   = OptimizerPrefix + "last/"
	chosenPrefix = OptimizerPrefix + "chosen/"
)

// A Best records which evaluation's weights were chosen to generate with, by which figure. The lower the figure, the
// better. Chosen are the newest weights whose figure is within BestMargin of the lowest so far, so that training is
// rolled back only where it has clearly got worse: figures of a few hundred clips are noisy, and the lowest of ten
// noisy ones is not the best of ten models.
type Best struct {
	Metric    string             `json:"metric"`             // name of the figure
	Step      int64              `json:"step"`               // of the weights chosen
	Value     float64            `json:"value"`              // of their figure
	Metrics   map[string]float64 `json:"metrics,omitempty"`  // all their figures
	Warnings  []Warning          `json:"warnings,omitempty"` // of their evaluation
	Lowest    float64            `json:"lowest"`             // figure of any evaluation
	Evaluated int64              `json:"judged"`             // step of the newest evaluation that counted
	Stale     int                `json:"stale"`              // evaluations in a row without a new lowest figure
}

// BestMargin is how much higher than the lowest figure, as a share of it, that of weights may be that replace older
// ones. docs/experiments.md, "Which weights to keep", says how it was chosen.
const BestMargin = 0.25

// improvement is by which share the lowest figure must fall for an evaluation not to count as stale.
const improvement = 0.01

// take records the figure of an evaluation and reports whether the weights of its step are chosen.
func (b *Best) take(step int64, value float64, metrics map[string]float64, warnings []Warning) bool {
	if b.Evaluated == 0 {
		b.Lowest = value
	} else if value < b.Lowest-improvement*math.Abs(b.Lowest) {
		b.Stale = 0
	} else {
		b.Stale++
	}
	b.Evaluated = step
	b.Lowest = min(b.Lowest, value)
	if value > b.Lowest+BestMargin*math.Abs(b.Lowest) {
		return false
	}
	b.Step, b.Value, b.Metrics, b.Warnings = step, value, maps.Clone(metrics), slices.Clone(warnings)
	return true
}

func (b *Best) clone() *Best {
	if b == nil {
		return nil
	}
	c := *b
	c.Metrics, c.Warnings = maps.Clone(b.Metrics), slices.Clone(b.Warnings)
	return &c
}

// generates reports whether the tensor is one that generating may need.
func generates(t Tensor) bool { return !strings.HasPrefix(t.Name, OptimizerPrefix) }

// generating returns the tensors that generate.
func generating(tensors []Tensor) []Tensor {
	return slices.DeleteFunc(slices.Clone(tensors), func(t Tensor) bool { return !generates(t) })
}

// under returns tensors with a prefix before their names.
func under(prefix string, tensors []Tensor) []Tensor {
	out := slices.Clone(tensors)
	for i := range out {
		out[i].Name = prefix + out[i].Name
	}
	return out
}

// from returns the tensors under a prefix, without it.
func from(prefix string, tensors []Tensor) []Tensor {
	var out []Tensor
	for _, t := range tensors {
		if name, ok := strings.CutPrefix(t.Name, prefix); ok {
			t.Name = name
			out = append(out, t)
		}
	}
	return out
}

// GeneratesFrom is the step of the weights that generate: Step, or an earlier one with a better figure.
func (c Checkpoint) GeneratesFrom() int64 {
	if c.WeightsStep > 0 {
		return c.WeightsStep
	}
	return c.Step
}

// Last returns the state of the last step, from which training goes on, without the weights of an earlier step that
// had a better figure. It is c itself where c generates from its last step.
func (c Checkpoint) Last() Checkpoint {
	last, learning := from(lastPrefix, c.Tensors), make([]Tensor, 0, len(c.Tensors))
	for _, t := range c.Tensors {
		extra := strings.HasPrefix(t.Name, lastPrefix) || strings.HasPrefix(t.Name, chosenPrefix)
		if !extra && (last == nil || !generates(t)) {
			learning = append(learning, t)
		}
	}
	c.Tensors, c.WeightsStep = append(last, learning...), 0
	return c
}

// chosen returns the tensors of the best evaluation.
func (c Checkpoint) chosen() []Tensor {
	if t := from(chosenPrefix, c.Tensors); t != nil {
		return t
	}
	return generating(c.Tensors)
}

// choosing returns c, the state of the last step, with the tensors that b chose to generate with.
func (c Checkpoint) choosing(b *Best, chosen []Tensor) Checkpoint {
	c.Best = b.clone()
	switch {
	case b == nil || b.Step == c.Step:
	case b.Step == b.Evaluated:
		// Training stopped between evaluations. The newest weights are probably better; the chosen ones are kept beside them.
		c.Tensors = slices.Concat(c.Tensors, under(chosenPrefix, chosen))
	default:
		last := generating(c.Tensors)
		learning := slices.DeleteFunc(slices.Clone(c.Tensors), generates)
		c.Tensors = slices.Concat(chosen, learning, under(lastPrefix, last))
		c.WeightsStep, c.Metrics, c.Warnings = b.Step, maps.Clone(b.Metrics), slices.Clone(b.Warnings)
	}
	return c
}
