package train

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/training"
	"wavemill/pipeline/modelstore"
)

// Event is what is published as JSON on <pipeline>.model.<name> for every version that is served, and kept beside it and
// beside unfinished checkpoints.
type Event struct {
	Name     string             `json:"name"`
	Version  uint64             `json:"version"` // Version counts the versions under this name, for unfinished ones the checkpoints.
	Digest   string             `json:"digest"`  // Digest is the checkpoint's, which clips carry as Wavemill-Model.
	Metrics  map[string]float64 `json:"metrics"`
	Arch     string             `json:"arch"`
	Labels   []string           `json:"labels"`
	Clips    int                `json:"clips"` // Clips that the training was given, validation and held-out ones included.
	Step     int64              `json:"step"`
	Planned  int64              `json:"planned_steps"`
	Complete bool               `json:"complete"` // Complete: the training has ended; false for intermediate checkpoints.
	Elapsed  float64            `json:"elapsed"`  // Elapsed is the time spent on training in seconds.
	Seed     uint64             `json:"seed"`
	Recipe   string             `json:"recipe"` // Recipe is a hash of what must be equal to go on with a training.
	Data     string             `json:"data"`   // Data is a hash of the clips.
	Time     time.Time          `json:"time"`

	WeightsStep int64    `json:"weights_step"`       // WeightsStep is the step of the weights that generate: Step, or the best one before.
	Warnings    []string `json:"warnings,omitempty"` // Warnings are about what these weights make.

	FromStep int64    `json:"from_step,omitempty"`        // FromStep is the step of the served model that this training began with.
	Aside    []string `json:"labels_set_aside,omitempty"` // Aside are labels of clips that cannot be learnt, sorted.
	Gate     *Verdict `json:"gate,omitempty"`             // Gate is the comparison with the version served before; nil for intermediate checkpoints.
}

// run is one training and the versions of the model that it stores.
type run struct {
	*operator
	clips      collection
	set        training.Set
	aside      []string // Labels that are not learnt.
	served     version
	unfinished version
	working    *modelstore.Store // Where unfinished and refused checkpoints are kept.
	stored     Reference         // What models are judged on; without labels: not read yet.
	resume     *models.Checkpoint
	from       int64         // The step of the served model that the training begins with.
	earlier    time.Duration // Spent before this run.
	elapsed    time.Duration // Spent in this run.
	warned     map[string]bool
}

// version is a stored checkpoint. The zero version is none.
type version struct {
	entry      modelstore.Entry
	event      Event
	checkpoint *models.Checkpoint // Nil where there is none that can be gone on with or compared with.
}

// plan decides whether to begin, to go on, or to leave the model as it is: then the job is nil.
func (r *run) plan(ctx context.Context) (*training.Job, error) {
	var err error
	if r.served, err = r.read(ctx, r.versions(), r.config.Name); err != nil {
		return nil, err
	}
	if r.unfinished, err = r.read(ctx, r.working, Unfinished(r.config.Name)); err != nil {
		return nil, err
	}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	j := &training.Job{
		Arch: r.config.Model, Config: r.arch, Seed: r.config.Seed,
		Steps: r.config.Steps, Budget: r.config.budget(), BatchSize: r.config.BatchSize,
		EvalEvery: r.config.EvalEvery, SaveEvery: r.config.SaveEvery, BestBy: r.config.BestBy,
		OnEvent: r.progress, Save: func(c models.Checkpoint) error { return r.intermediate(ctx, c) },
		NewLearner: r.hooks.NewLearner, NewEvaluator: r.hooks.NewEvaluator,
	}
	begin, err := r.choose(ctx, j)
	if err != nil || !begin {
		return nil, err // No job is an answer.
	}
	if r.resume != nil { // Recordings keep the parts that the checkpoint records.
		if err := r.prepare(); err != nil {
			return nil, err
		}
	}
	if j.Resume = r.resume; r.resume == nil {
		j.Steps, j.NewData = r.config.Steps, false
	}
	if r.set.Validation.B == 0 && strings.HasPrefix(j.BestBy, "val/") {
		r.log.Warn("too few clips for validation: the weights of the last step are kept", "best_by", j.BestBy)
		j.BestBy = training.BestByLast
	}
	return j, nil
}

// choose decides what the job begins with, and returns false where the model needs no training.
func (r *run) choose(ctx context.Context, j *training.Job) (begin bool, err error) {
	s, u := r.served, r.unfinished
	switch {
	case u.checkpoint != nil && r.continues(u) && slices.Equal(u.checkpoint.Labels, r.set.Labels):
		r.goOn(j, u) // Stopped on the way.
		return true, nil
	case s.checkpoint == nil || !r.continues(s):
		if s.entry.Version > 0 {
			r.log.Info("the served model was trained with other settings (architecture, configuration, seed, batch size or front end); a new one is trained", "version", s.entry.Version)
		}
		return true, nil
	case s.event.Complete && r.enough(j):
		r.log.Info("the model is trained already", "version", s.event.Version, "step", s.event.Step, "digest", s.event.Digest)
		return false, nil
	case s.event.Complete && s.event.Data == r.clips.hash, !s.event.Complete && slices.Equal(s.checkpoint.Labels, r.set.Labels):
		r.goOn(j, s) // Given more time.
		return true, nil
	}
	if refused, err := r.refusedBefore(ctx); err != nil || refused || r.madeBefore() {
		return false, err
	}
	// Learn the new clips for as long again.
	j.NewData = true
	r.resume, r.from = s.checkpoint, s.checkpoint.Step
	if j.Steps > 0 {
		j.Steps += r.from
	}
	if !slices.Equal(s.checkpoint.Labels, r.set.Labels) {
		r.relabel(r.set.Labels)
	}
	return true, nil
}

// goOn lets the job go on from a version as if it had not been stopped.
func (r *run) goOn(j *training.Job, v version) {
	r.resume, r.from = v.checkpoint, v.event.FromStep
	j.NewData = v.event.Data != r.clips.hash
	if j.Steps > 0 {
		j.Steps = max(j.Steps+r.from, v.checkpoint.Step)
	}
	r.earlier = time.Duration(v.event.Elapsed * float64(time.Second))
	if j.Budget > 0 {
		j.Budget = max(j.Budget-r.earlier, time.Second)
	}
}

// relabel gives the checkpoint to go on from other labels: what it has learnt is kept where shapes allow.
func (r *run) relabel(labels []string) {
	c, learnt, err := training.Relabel(*r.resume, labels, r.newLearner())
	if err != nil {
		r.log.Info("a new model is trained: the stored one cannot take over other labels", "error", err)
		r.resume, r.from = nil, 0
		return
	}
	r.log.Info("the labels have changed: training goes on from the stored weights", "labels", len(labels), "before", len(r.resume.Labels), "tensors_kept", learnt, "tensors", len(c.Tensors))
	r.resume = &c
}

// newLearner is what builds learners.
func (r *run) newLearner() training.NewLearner {
	if r.hooks.NewLearner != nil {
		return r.hooks.NewLearner
	}
	return architectures.NewLearner
}

// prepare splits the clips and joins them to batches. Labels of which no clip could be learnt from are set aside.
func (r *run) prepare() error {
	examples, aside := r.clips.examples, map[string]bool{}
	for label, n := range countLabels(examples) {
		aside[label] = n < r.config.MinPerLabel
	}
	for {
		o := training.Options{Holdout: r.rule(), Resume: r.resume}
		if r.resume == nil {
			o.Known = r.servedData()
		}
		kept := slices.DeleteFunc(slices.Clone(examples), func(e training.Example) bool {
			return aside[e.Identity.Label] || r.resume != nil && !slices.Contains(r.resume.Labels, e.Identity.Label)
		})
		var err error
		if r.set, err = training.PrepareSpectrograms(r.clips.frontEnd, kept, o); err != nil {
			return err
		}
		without := r.withoutClips()
		if len(without) == 0 {
			break
		}
		for _, label := range without {
			aside[label] = true
		}
		if r.resume != nil {
			r.relabel(slices.DeleteFunc(slices.Clone(r.resume.Labels), func(label string) bool { return aside[label] }))
		}
	}
	r.aside = nil
	for label := range countLabels(examples) {
		if !slices.Contains(r.set.Labels, label) {
			r.aside = append(r.aside, label)
		}
	}
	slices.Sort(r.aside)
	return nil
}

// rule is the rule of the split.
func (r *run) rule() dataset.Holdout {
	return dataset.Holdout{Share: r.config.Holdout, Validation: r.config.Validation, Seed: r.config.Seed, Group: r.config.Group, Out: r.config.HoldOut}
}

// servedData is the record of the served model's recordings, where it was made by the same rule: they keep their parts, so
// that both models are compared on recordings that neither has seen. Nil where there is none.
func (r *run) servedData() *models.TrainingData {
	c := r.served.checkpoint
	if c == nil || c.Data == nil {
		return nil
	}
	theirs, ours := training.Rule(*c.Data), r.rule()
	if theirs.Share != ours.Share || theirs.Validation != ours.Validation || theirs.Group != ours.Group || !slices.Equal(theirs.Out, ours.Out) {
		return nil
	}
	return c.Data
}

// withoutClips returns the labels of the set of which no clip is trained on.
func (r *run) withoutClips() []string {
	trained := make([]bool, len(r.set.Labels))
	for _, label := range r.set.Train.Labels {
		trained[label] = true
	}
	var out []string
	for i, label := range r.set.Labels {
		if !trained[i] {
			out = append(out, label)
		}
	}
	return out
}

func countLabels(examples []training.Example) map[string]int {
	n := map[string]int{}
	for _, e := range examples {
		n[e.Identity.Label]++
	}
	return n
}

// enough reports whether a complete served model needs no more training.
func (r *run) enough(j *training.Job) bool {
	event := r.served.event
	if event.Data != r.clips.hash {
		return r.config.Again == 0 || r.newClips() < r.config.again(event.Clips)
	}
	bySteps := j.Steps > 0 && event.Step >= j.Steps
	byTime := j.Budget > 0 && event.Elapsed >= 0.9*j.Budget.Seconds()
	return bySteps || byTime
}

// newClips counts the clips that the served model was not given.
func (r *run) newClips() int {
	c := r.served.checkpoint
	if c == nil || c.Data == nil {
		return len(r.clips.examples) - r.served.event.Clips
	}
	known := map[string]bool{}
	for _, part := range [][]models.Recording{c.Data.Learnt, c.Data.Chosen, c.Data.HeldOut} {
		for _, recording := range part {
			known[recording.Digest] = true
		}
	}
	n := 0
	for _, e := range r.clips.examples {
		if !known[e.Identity.Digest] {
			n++
		}
	}
	return n
}

// read reads a stored version; the zero version where there is none. One without a record of its training has no
// checkpoint to go on with.
func (r *run) read(ctx context.Context, store *modelstore.Store, name string) (v version, err error) {
	v.entry, err = store.Get(ctx, name)
	if errors.Is(err, modelstore.ErrNotFound) {
		return version{}, nil
	}
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(v.entry.Info, &v.event); err != nil {
		r.log.Warn("a stored model has no record of its training; it is replaced", "key", name, "version", v.entry.Version, "error", err)
		return v, nil
	}
	content, err := store.Load(ctx, v.entry)
	if err != nil {
		return v, err
	}
	c, err := models.Decode(content)
	if err != nil {
		r.log.Warn("a stored model cannot be read; it is replaced", "key", name, "version", v.entry.Version, "error", err)
		return v, nil
	}
	v.checkpoint = &c
	return v, nil
}

// continues reports whether a version was trained with today's settings, whatever its labels.
func (r *run) continues(v version) bool {
	return v.event.Recipe == r.recipe(v.checkpoint.Labels) && v.checkpoint.FrontEnd == r.set.FrontEnd
}

// recipe is a hash of what must be equal so that a training can be gone on with.
func (r *run) recipe(labels []string) string {
	h := sha256.New()
	var arch bytes.Buffer
	if json.Compact(&arch, r.arch) != nil {
		arch.Reset()
	}
	fe, err := json.Marshal(r.set.FrontEnd)
	if err != nil {
		fe = nil
	}
	fmt.Fprintf(h, "%q %s %d %d %q %s", r.config.Model, arch.Bytes(), r.config.Seed, r.config.BatchSize, labels, fe)
	return hex.EncodeToString(h.Sum(nil))[:16]
}
