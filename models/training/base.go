package training

import (
	"encoding/json"
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/transfer"
)

// start gives the learner the weights of the base.
func (r *Run) start(newLearner func(arch string, config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error)) error {
	fresh, err := r.learner.Checkpoint()
	if err != nil {
		return err
	}
	larger, err := newLearner(r.job.Arch, r.Settings.Config, r.set.FrontEnd, append(slices.Clip(r.set.Labels), "\x00"), r.trainer.Seed)
	if err != nil {
		return err
	}
	more, err := larger.Checkpoint()
	if err != nil {
		return err
	}
	c, report, err := transfer.Start(*r.job.Init, fresh, more)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	r.Settings.Base = report.Lines()
	if r.job.Init.Data == nil {
		r.data = nil // what the weights have seen is unknown
	}
	if r.base, err = r.job.Init.Digest(); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	return r.learner.Restore(c)
}

// freeze freezes the parts of the networks that the job names.
func (r *Run) freeze() error {
	if len(r.job.Freeze) == 0 {
		return nil
	}
	l, ok := r.learner.(models.PartFreezer)
	if !ok {
		return fmt.Errorf("the networks of a %s have no parts that can be frozen", r.job.Arch)
	}
	return l.Freeze(r.job.Freeze)
}

// repeats is how often each clip is learnt from in a pass, beside clips of labels that the base knows: so often that every label
// has half as many as the median label.
func repeats(labels []int, count int) []int {
	counts := make([]int, count)
	for _, l := range labels {
		counts[l]++
	}
	sorted := slices.Sorted(slices.Values(counts))
	median := sorted[count/2]
	out := make([]int, len(labels))
	for i, l := range labels {
		out[i] = max(1, median/(2*counts[l]))
	}
	return out
}

// openBase completes a job that starts from the file Init.
func (s Spec) openBase(j *Job) error {
	c, err := models.Read(s.Init)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if s.Job.Arch == "" {
		j.Arch = c.Arch
	}
	const subject = "a training that starts from a model"
	if err := s.agreesOnNetwork(c, subject); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := s.agreesOnFrontEnd(c, subject); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if j.Config, err = overlaid(c.Config, j.Config); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	j.Init = &c
	return nil
}

// overlaid returns a configuration with the fields of another, which may be nil, in place of its own.
func overlaid(under, over json.RawMessage) (json.RawMessage, error) {
	if len(over) == 0 {
		return under, nil
	}
	var a, b map[string]json.RawMessage
	if err := json.Unmarshal(under, &a); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(over, &b); err != nil {
		return nil, err
	}
	for name, v := range b {
		if field, ok := a[name]; ok && len(v) > 0 && v[0] == '{' {
			var err error
			if v, err = overlaid(field, v); err != nil {
				return nil, err
			}
		}
		a[name] = v
	}
	return json.Marshal(a)
}
