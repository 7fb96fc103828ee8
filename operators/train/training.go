package train

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"wavemill/models"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/modelstore"
)

// Event is what is published as JSON on <pipeline>.model.<name> for every stored checkpoint, and kept beside it.
type Event struct {
	Name     string             `json:"name"`
	Version  uint64             `json:"version"` // Version counts the stored checkpoints of this name.
	Digest   string             `json:"digest"`  // Digest is the checkpoint's, which clips carry as Wavemill-Model.
	Metrics  map[string]float64 `json:"metrics"`
	Arch     string             `json:"arch"`
	Labels   []string           `json:"labels"`
	Clips    int                `json:"clips"` // Clips that are learned from.
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
}

// training is one run of the trainer and the versions it stores.
type training struct {
	*operator
	set     set
	entry   modelstore.Entry // The current version.
	event   Event            // Of the current version; the zero Event where there is none.
	resume  *models.Checkpoint
	earlier time.Duration // Spent before this run.
	elapsed time.Duration // Spent in this run.
	warned  map[string]bool
}

// plan is a trainer and its learner.
type plan struct {
	trainer *models.Trainer
	learner models.Learner
}

// from is the step at which this run begins.
func (r *training) from() int64 {
	if r.resume == nil {
		return 0
	}
	return r.resume.Step
}

// plan decides whether to begin, to go on, or to leave the model as it is: then it returns nil.
func (r *training) plan(ctx context.Context) (*plan, error) {
	t := &models.Trainer{
		Steps: r.config.Steps, Budget: r.config.Budget, BatchSize: r.config.BatchSize, Seed: r.config.Seed,
		EvalEvery: r.config.EvalEvery, SaveEvery: r.config.SaveEvery,
		OnEvent: r.progress,
		Save:    func(c models.Checkpoint) error { return r.intermediate(ctx, c) },
	}
	if err := r.current(ctx); err != nil {
		return nil, err
	}
	sameData := r.event.Data == r.set.hash
	switch {
	case r.resume == nil:
	case r.event.Complete && r.enough(t, sameData):
		r.log.Info("the model is trained already", "version", r.event.Version, "step", r.event.Step, "digest", r.event.Digest)
		return nil, nil //nolint:nilnil // No plan is an answer.
	case r.event.Complete && !sameData: // Learn the new clips for as long again.
		t.NewData = true
		t.Steps = r.continued(t.Steps)
	default: // Stopped on the way, or given more time.
		t.NewData = !sameData
		r.earlier = time.Duration(r.event.Elapsed * float64(time.Second))
		if t.Budget > 0 {
			t.Budget = max(t.Budget-r.earlier, time.Second)
		}
	}
	t.Resume = r.resume
	var learner models.Learner
	var err error
	if r.resume != nil {
		learner, err = r.hooks.Resume(*r.resume)
	} else {
		learner, err = r.hooks.NewLearner(r.config.Model, r.arch, r.set.frontEnd, r.set.labels, r.config.Seed)
	}
	if err != nil {
		return nil, err
	}
	return &plan{t, learner}, nil
}

// enough reports whether a complete model needs no more training.
func (r *training) enough(t *models.Trainer, sameData bool) bool {
	if !sameData {
		grown := len(r.set.train) + len(r.set.val) - r.event.Clips
		return r.config.Again == 0 || grown < r.config.Again
	}
	bySteps := t.Steps > 0 && r.event.Step >= t.Steps
	byTime := t.Budget > 0 && r.event.Elapsed >= 0.9*t.Budget.Seconds()
	return bySteps || byTime
}

// continued is a number of steps that begins where the checkpoint is.
func (r *training) continued(steps int64) int64 {
	if steps == 0 {
		return 0
	}
	return r.resume.Step + steps
}

// current reads the model of this name and, where it can be gone on with, its checkpoint.
func (r *training) current(ctx context.Context) error {
	entry, err := r.env.Bus.Models().Get(ctx, r.config.Name)
	if errors.Is(err, modelstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r.entry = entry
	var event Event
	if err := json.Unmarshal(entry.Info, &event); err != nil {
		r.log.Warn("the stored model says nothing about its training; it is replaced", "error", err)
		return nil
	}
	if event.Recipe != r.recipe() {
		r.log.Info("the stored model was made in another way (architecture, configuration, seed, batch size, labels or front end); it is replaced", "version", entry.Version)
		return nil
	}
	content, err := r.env.Bus.Models().Load(ctx, entry)
	if err != nil {
		return err
	}
	c, err := models.Decode(content)
	if err != nil {
		return fmt.Errorf("stored version %d: %w", entry.Version, err)
	}
	if !slices.Equal(c.Labels, r.set.labels) || !reflect.DeepEqual(c.FrontEnd, r.set.frontEnd) {
		return nil
	}
	r.event, r.resume = event, &c
	return nil
}

// recipe is a hash of what must be equal so that a training can be gone on with.
func (r *training) recipe() string {
	h := sha256.New()
	var arch bytes.Buffer
	if json.Compact(&arch, r.arch) != nil {
		arch.Reset()
	}
	fe, err := json.Marshal(r.set.frontEnd)
	if err != nil {
		fe = nil
	}
	fmt.Fprintf(h, "%q %s %d %d %q %s", r.config.Model, arch.Bytes(), r.config.Seed, r.config.BatchSize, r.set.labels, fe)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// intermediate stores a checkpoint while training goes on. A server that is away is no reason to stop learning: the
// next checkpoint will be stored. A second trainer is.
func (r *training) intermediate(ctx context.Context, c models.Checkpoint) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	err := r.store(ctx, c, false)
	if err != nil && !errors.Is(err, modelstore.ErrConflict) {
		r.log.Warn("a checkpoint could not be stored; training goes on", "step", c.Step, "error", err)
		return nil
	}
	return err
}

// finish stores the last checkpoint, trying again for a while: all the work is in it.
func (r *training) finish(ctx context.Context, c models.Checkpoint, complete bool) error {
	patience := 5 * time.Minute
	if !complete {
		patience = 15 * time.Second // Somebody waits for us to end.
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := r.store(ctx, c, complete)
		if err == nil || errors.Is(err, modelstore.ErrConflict) {
			return err
		}
		r.log.Warn("the checkpoint could not be stored, trying again", "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("store the checkpoint of step %d: %w", c.Step, err)
		case <-time.After(wait):
		}
	}
}

// store makes c the current version, unless it is, and announces it.
func (r *training) store(ctx context.Context, c models.Checkpoint, complete bool) error {
	digest, err := c.Digest()
	if err != nil {
		return err
	}
	if r.entry.Digest == digest && r.event.Complete == complete && r.event.Digest == digest {
		return nil
	}
	content, err := c.Encode()
	if err != nil {
		return err
	}
	event := Event{
		Name: r.config.Name, Version: r.entry.Version + 1, Digest: digest, Metrics: c.Metrics, Arch: c.Arch, Labels: c.Labels,
		Clips: len(r.set.train) + len(r.set.val), Step: c.Step, Planned: c.Planned, Complete: complete,
		Elapsed: (r.earlier + r.elapsed).Seconds(), Seed: c.Seed, Recipe: r.recipe(), Data: r.set.hash,
		Time: time.Now().UTC().Truncate(time.Millisecond), WeightsStep: c.GeneratesFrom(),
	}
	for _, w := range c.Warnings {
		event.Warnings = append(event.Warnings, w.String())
	}
	info, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("model event: %w", err)
	}
	entry, err := r.env.Bus.Models().Put(ctx, r.config.Name, digest, content, info, r.entry)
	if errors.Is(err, modelstore.ErrConflict) {
		return fmt.Errorf("%w of model %s; run one trainer for each model name", err, r.config.Name)
	}
	if err != nil {
		return err
	}
	r.entry, r.event = entry, event
	r.log.Info("checkpoint stored", "version", event.Version, "step", event.Step, "complete", complete, "digest", digest[:12])
	if r.hooks.OnEvent != nil {
		r.hooks.OnEvent(event)
	}
	_, err = r.env.Bus.Publish(ctx, &pipeline.Message{
		ID: fmt.Sprintf("%s/model/%s/%d", r.env.Pipeline, event.Name, event.Version), Type: pipeline.TypeModel, Label: event.Name,
		Header: map[string]string{header.ContentType: "application/json", header.Model: digest}, Body: info,
	})
	return err
}
