package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"wavemill/internal/atomicfile"
	"wavemill/models"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
	"wavemill/pipeline/lease"
	"wavemill/pipeline/modelstore"
)

// Unfinished is the key in the model store under which the checkpoint of a training that has not ended is kept. Its
// suffix cannot be part of a model's name.
func Unfinished(model string) string { return model + ".training" }

// Refused is the key in the model store under which the last model is kept that the gate has refused.
func Refused(model string) string { return model + ".refused" }

// intermediate stores a checkpoint while training goes on. If the server is unreachable, training continues and the next
// checkpoint is stored. A conflict with a second trainer is an error.
func (r *run) intermediate(ctx context.Context, c models.Checkpoint) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	err := r.storeUnfinished(ctx, c)
	if err != nil && !isConflict(err) {
		r.log.Warn("a checkpoint could not be stored; training goes on", "step", c.Step, "error", err)
		return nil
	}
	return err
}

// finish stores the last checkpoint: a complete one that passes the gate as the served version, any other one where it
// can be gone on with. It tries again for a while: all the work is in it.
func (r *run) finish(ctx context.Context, c models.Checkpoint, complete bool) error {
	if !complete { // The operator is being stopped.
		return r.retryStore(ctx, c, 15*time.Second, func(ctx context.Context) error { return r.storeUnfinished(ctx, c) })
	}
	return r.conclude(ctx, c)
}

// isConflict reports whether another trainer stores this model: no repetition helps.
func isConflict(err error) bool {
	return errors.Is(err, modelstore.ErrConflict) || errors.Is(err, lease.ErrLost)
}

// retryStore repeats what fails for a while, conflicts with another trainer excepted.
func (r *run) retryStore(ctx context.Context, c models.Checkpoint, patience time.Duration, store func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := store(ctx)
		if err == nil || isConflict(err) {
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

// event describes a checkpoint that becomes the version after old.
func (r *run) event(c models.Checkpoint, digest string, old version) Event {
	e := Event{
		Name: r.config.Name, Version: old.entry.Last + 1, Digest: digest, Metrics: c.Metrics, Arch: c.Arch, Labels: c.Labels,
		Clips: len(r.clips.examples), Step: c.Step, Planned: c.Planned,
		Elapsed: (r.earlier + r.elapsed).Seconds(), Seed: c.Seed, Recipe: r.recipe(c.Labels), Data: r.clips.hash,
		Time: time.Now().UTC().Truncate(time.Millisecond), WeightsStep: c.GeneratesFrom(), FromStep: r.from, Aside: r.aside,
	}
	for _, w := range c.Warnings {
		e.Warnings = append(e.Warnings, w.String())
	}
	return e
}

// put stores c under a key as the version after old. Fill completes the event.
func (r *run) put(ctx context.Context, store *modelstore.Store, key string, c models.Checkpoint, old *version, fill func(*Event)) (content []byte, err error) {
	if err := r.lease.Check(ctx); err != nil {
		return nil, err // It is not ours to store, or the server is away.
	}
	digest, err := c.Digest()
	if err != nil {
		return nil, err
	}
	if content, err = c.Encode(); err != nil {
		return nil, err
	}
	event := r.event(c, digest, *old)
	fill(&event)
	info, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("model event: %w", err)
	}
	entry, err := store.Put(ctx, key, digest, content, info, old.entry)
	if errors.Is(err, modelstore.ErrConflict) {
		return nil, fmt.Errorf("%w of model %s; run one trainer for each model name", err, r.config.Name)
	}
	if err == nil {
		old.entry, old.event = entry, event
	}
	return content, err
}

// storeUnfinished keeps a checkpoint of a training that goes on.
func (r *run) storeUnfinished(ctx context.Context, c models.Checkpoint) error {
	digest, err := c.Digest()
	if err != nil || r.unfinished.entry.Digest == digest {
		return err
	}
	content, err := r.put(ctx, r.working, Unfinished(r.config.Name), c, &r.unfinished, func(*Event) {})
	if err != nil {
		return err
	}
	r.log.Info("checkpoint stored", "step", c.Step, "complete", false, "digest", digest[:12])
	r.writeFile(Unfinished(r.config.Name), c.Step, content)
	r.report(r.unfinished.event)
	return nil
}

// serve makes c the served version, and announces it. While the served version is pinned, c is kept beside it.
func (r *run) serve(ctx context.Context, c models.Checkpoint, v Verdict) error {
	content, err := r.put(ctx, r.versions(), r.config.Name, c, &r.served, func(e *Event) { e.Complete, e.Gate = true, &v })
	if err != nil {
		return err
	}
	e := r.served.event
	pinned := r.served.entry.Version != e.Version
	r.log.Info("checkpoint stored", "version", e.Version, "step", e.Step, "complete", true, "digest", e.Digest[:12], "gate", v.Reason, "served", !pinned)
	r.ended(ctx)
	r.keepReference(ctx)
	notice := Notice{Kind: NoticeAccepted, Reason: v.Reason, Step: c.Step, Version: e.Version, Gate: &v}
	if pinned {
		notice.Kind, notice.Reason = NoticePinned, fmt.Sprintf("it passed the gate and is kept, but version %d is pinned; `wavemill models unpin` ends that", r.served.entry.Version)
		r.log.Warn("the new model is not served: another version is pinned", "version", e.Version, "pinned", r.served.entry.Version)
		r.tell(ctx, notice)
		r.report(e)
		return nil
	}
	r.writeFile(r.config.Name, c.Step, content)
	r.tell(ctx, notice)
	r.report(e)
	_, err = r.env.Bus.Publish(ctx, &pipeline.Message{
		ID: fmt.Sprintf("%s/model/%s/%d", r.env.Pipeline, e.Name, e.Version), Type: pipeline.TypeModel, Label: e.Name,
		Header: map[string]string{header.ContentType: "application/json", header.Model: e.Digest}, Body: r.served.entry.Info,
	})
	return err
}

// refuse keeps c beside the served version, which stays.
func (r *run) refuse(ctx context.Context, c models.Checkpoint, v Verdict) error {
	refused, err := r.read(ctx, r.working, Refused(r.config.Name))
	if err != nil {
		return err
	}
	if _, err := r.put(ctx, r.working, Refused(r.config.Name), c, &refused, func(e *Event) { e.Complete, e.Gate = true, &v }); err != nil {
		return err
	}
	r.log.Warn("the new model is refused, and the served one stays", "reason", v.Reason, "step", c.Step, "served_version", r.served.entry.Version, "kept_as", Refused(r.config.Name))
	r.ended(ctx)
	r.tell(ctx, Notice{Kind: NoticeRefused, Reason: v.Reason, Step: c.Step, Gate: &v})
	r.report(refused.event)
	return nil
}

// refusedBefore reports whether these clips and settings have led to a model that was refused.
func (r *run) refusedBefore(ctx context.Context) (bool, error) {
	refused, err := r.read(ctx, r.working, Refused(r.config.Name))
	if err != nil || refused.event.Gate == nil {
		return false, err
	}
	e := refused.event
	if e.Data != r.clips.hash || e.Recipe != r.recipe(r.set.Labels) || e.FromStep != r.served.checkpoint.Step {
		return false, nil
	}
	r.log.Warn("a model of these clips was refused before; add clips, or change the settings", "reason", e.Gate.Reason, "kept_as", Refused(r.config.Name))
	return true, nil
}

// madeBefore reports whether these clips and settings have led to a version that is kept beside the served one: it was
// withdrawn, or the served one is pinned.
func (r *run) madeBefore() bool {
	for _, v := range r.served.entry.Kept {
		var e Event
		if json.Unmarshal(v.Info, &e) != nil || e.Data != r.clips.hash || e.Recipe != r.recipe(r.set.Labels) || e.FromStep != r.served.checkpoint.Step {
			continue
		}
		reason := "another version is pinned"
		if v.Withdrawn != nil {
			reason = v.Withdrawn.Reason
		}
		r.log.Warn("a model of these clips was made before and is not served; add clips, or change the settings", "version", v.Version, "reason", reason)
		return true
	}
	return false
}

// ended removes the checkpoint of the training that has ended. One that remains is replaced by the next.
func (r *run) ended(ctx context.Context) {
	if r.unfinished.entry.Version == 0 {
		return
	}
	if err := r.working.Delete(ctx, r.unfinished.entry); err != nil {
		r.log.Warn("the last intermediate checkpoint could not be removed", "error", err)
		return
	}
	r.unfinished = version{}
	if r.hooks.CheckpointDir != "" {
		_ = os.Remove(r.file(Unfinished(r.config.Name))) // It may never have been written.
	}
}

func (r *run) report(e Event) {
	if r.hooks.OnEvent != nil {
		r.hooks.OnEvent(e)
	}
}

func (r *run) file(key string) string {
	return filepath.Join(r.hooks.CheckpointDir, key+".safetensors")
}

// writeFile writes a stored checkpoint to its file, if there is a folder for it.
func (r *run) writeFile(key string, step int64, content []byte) {
	if r.hooks.CheckpointDir == "" {
		return
	}
	path := r.file(key)
	if err := atomicfile.Write(path, content, atomicfile.Options{NoSync: true}); err != nil {
		r.log.Warn("the checkpoint is on the bus, but was not written to a file", "file", path, "error", err)
		return
	}
	r.log.Info("checkpoint written", "file", path, "step", step)
}
