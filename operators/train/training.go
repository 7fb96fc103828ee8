package train

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wavemill/audio/dataset"
	"wavemill/internal/atomicfile"
	"wavemill/models"
	"wavemill/models/training"
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
}

// run is one training and the versions of the model that it stores.
type run struct {
	*operator
	clips   collection
	set     training.Set
	entry   modelstore.Entry // The current version.
	event   Event            // Of the current version; the zero Event where there is none.
	resume  *models.Checkpoint
	earlier time.Duration // Spent before this run.
	elapsed time.Duration // Spent in this run.
	warned  map[string]bool
}

// plan decides whether to begin, to go on, or to leave the model as it is: then the job is nil.
func (r *run) plan(ctx context.Context) (*training.Job, error) {
	if err := r.prepare(); err != nil {
		return nil, err
	}
	if err := r.current(ctx); err != nil {
		return nil, err
	}
	j := &training.Job{
		Arch: r.config.Model, Config: r.arch, Seed: r.config.Seed,
		Steps: r.config.Steps, Budget: r.config.budget(), BatchSize: r.config.BatchSize,
		EvalEvery: r.config.EvalEvery, SaveEvery: r.config.SaveEvery, BestBy: r.config.BestBy,
		OnEvent: r.progress, Save: func(c models.Checkpoint) error { return r.intermediate(ctx, c) },
		NewLearner: r.hooks.NewLearner, NewEvaluator: r.hooks.NewEvaluator,
	}
	sameData := r.event.Data == r.clips.hash
	switch {
	case r.resume == nil:
	case r.event.Complete && r.enough(j, sameData):
		r.log.Info("the model is trained already", "version", r.event.Version, "step", r.event.Step, "digest", r.event.Digest)
		return nil, nil // No job is an answer.
	case r.event.Complete && !sameData: // Learn the new clips for as long again.
		j.NewData = true
		j.Steps = r.continued(j.Steps)
	default: // Stopped on the way, or given more time.
		j.NewData = !sameData
		r.earlier = time.Duration(r.event.Elapsed * float64(time.Second))
		if j.Budget > 0 {
			j.Budget = max(j.Budget-r.earlier, time.Second)
		}
	}
	if j.Resume = r.resume; r.resume != nil { // Recordings keep the parts that the checkpoint records.
		if err := r.prepare(); err != nil {
			return nil, err
		}
	}
	if r.set.Validation.B == 0 && strings.HasPrefix(j.BestBy, "val/") {
		r.log.Warn("too few clips for validation: the weights of the last step are kept", "best_by", j.BestBy)
		j.BestBy = training.BestByLast
	}
	return j, nil
}

// prepare splits the clips and joins them to batches.
func (r *run) prepare() (err error) {
	r.set, err = training.PrepareSpectrograms(r.clips.frontEnd, r.clips.examples, training.Options{
		Holdout: dataset.Holdout{Share: r.config.Holdout, Validation: r.config.Validation, Seed: r.config.Seed, Group: r.config.Group, Out: r.config.HoldOut},
		Resume:  r.resume,
	})
	return err
}

// enough reports whether a complete model needs no more training.
func (r *run) enough(j *training.Job, sameData bool) bool {
	if !sameData {
		grown := len(r.clips.examples) - r.event.Clips
		return r.config.Again == 0 || grown < r.config.Again
	}
	bySteps := j.Steps > 0 && r.event.Step >= j.Steps
	byTime := j.Budget > 0 && r.event.Elapsed >= 0.9*j.Budget.Seconds()
	return bySteps || byTime
}

// continued is a number of steps that begins where the checkpoint is.
func (r *run) continued(steps int64) int64 {
	if steps == 0 {
		return 0
	}
	return r.resume.Step + steps
}

// current reads the model of this name and, where it can be gone on with, its checkpoint.
func (r *run) current(ctx context.Context) error {
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
		r.log.Warn("the stored model has no record of its training; it is replaced", "error", err)
		return nil
	}
	if event.Recipe != r.recipe() {
		r.log.Info("the stored model was trained with other settings (architecture, configuration, seed, batch size, labels or front end); it is replaced", "version", entry.Version)
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
	if !slices.Equal(c.Labels, r.set.Labels) || c.FrontEnd != r.set.FrontEnd {
		return nil
	}
	r.event, r.resume = event, &c
	return nil
}

// recipe is a hash of what must be equal so that a training can be gone on with.
func (r *run) recipe() string {
	h := sha256.New()
	var arch bytes.Buffer
	if json.Compact(&arch, r.arch) != nil {
		arch.Reset()
	}
	fe, err := json.Marshal(r.set.FrontEnd)
	if err != nil {
		fe = nil
	}
	fmt.Fprintf(h, "%q %s %d %d %q %s", r.config.Model, arch.Bytes(), r.config.Seed, r.config.BatchSize, r.set.Labels, fe)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// intermediate stores a checkpoint while training goes on. A server that is away is no reason to stop learning: the
// next checkpoint will be stored. A second trainer is.
func (r *run) intermediate(ctx context.Context, c models.Checkpoint) error {
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
func (r *run) finish(ctx context.Context, c models.Checkpoint, complete bool) error {
	patience := 5 * time.Minute
	if !complete {
		patience = 15 * time.Second // The operator is being stopped.
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
func (r *run) store(ctx context.Context, c models.Checkpoint, complete bool) error {
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
		Clips: len(r.clips.examples), Step: c.Step, Planned: c.Planned, Complete: complete,
		Elapsed: (r.earlier + r.elapsed).Seconds(), Seed: c.Seed, Recipe: r.recipe(), Data: r.clips.hash,
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
	r.writeFile(event, content)
	if r.hooks.OnEvent != nil {
		r.hooks.OnEvent(event)
	}
	_, err = r.env.Bus.Publish(ctx, &pipeline.Message{
		ID: fmt.Sprintf("%s/model/%s/%d", r.env.Pipeline, event.Name, event.Version), Type: pipeline.TypeModel, Label: event.Name,
		Header: map[string]string{header.ContentType: "application/json", header.Model: digest}, Body: info,
	})
	return err
}

// writeFile writes a stored checkpoint to its file, if there is a folder for it.
func (r *run) writeFile(e Event, content []byte) {
	if r.hooks.CheckpointDir == "" {
		return
	}
	path := filepath.Join(r.hooks.CheckpointDir, e.Name+".safetensors")
	if err := atomicfile.Write(path, content, atomicfile.Options{NoSync: true}); err != nil {
		r.log.Warn("the checkpoint is on the bus, but was not written to a file", "file", path, "error", err)
		return
	}
	r.log.Info("checkpoint written", "file", path, "step", e.Step)
}
