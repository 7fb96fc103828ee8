package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/report"
	"wavemill/models/training"
	"wavemill/pipeline"
)

// demo is one run of `wavemill demo`.
type demo struct {
	*app
	o     demoOptions
	began time.Time

	set        dataset.Dataset
	recordings []dataset.Recording // those that can be learnt from
	labels     []string            // of the recordings; of the checkpoint, once there is one
	frontEnd   models.FrontEnd
	notes      []string // what was done to recordings

	spec       pipeline.Spec
	published  published
	watch      *demoWatch
	checkpoint models.Checkpoint
	digest     string

	parts      demoParts // of the recordings, as the checkpoint records them
	classifier atomic.Pointer[eval.Classifier]
	evaluation demoEvaluation
	clips      []demoClip
	letters    []report.Letter

	mu      sync.Mutex
	timings []report.Timing
}

// timed runs one stage and records how long it took.
func (d *demo) timed(stage string, detail func() string, run func() error) error {
	began := time.Now()
	if err := run(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timings = append(d.timings, report.Timing{Stage: stage, Took: time.Since(began), Detail: detail()})
	return nil
}

// prepare finds or synthesises the recordings, plans the front end, and claims the folder.
func (d *demo) prepare(ctx context.Context) error {
	if err := os.MkdirAll(d.o.out, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	roots := d.o.data
	if len(roots) == 0 {
		folder := filepath.Join(d.o.out, demoRecordings)
		if err := d.synthesise(ctx, synthOptions{out: folder, n: synthClips, seed: d.o.seed, rate: synth.DefaultRate}); err != nil {
			return err
		}
		roots = []string{folder}
	}
	var err error
	if d.set, err = d.scanGroups(ctx, roots, d.o.labels, d.o.group); err != nil {
		return err
	}
	all, err := d.decode(ctx, d.set.Items)
	if err != nil {
		return err
	}
	if err := d.plan(ctx, all); err != nil {
		return err
	}
	what, err := claim(d.o.out, d.fingerprint(), d.o.command())
	switch {
	case err != nil:
		return err
	case what == claimResumed:
		d.note("going on where this demo was interrupted")
	case what == claimReplaced:
		d.note("replacing the results of an earlier demo in %s", d.o.out)
	}
	return nil
}

// plan chooses the front end on the recordings that the train operator will learn from, as the train command does, and
// notes what it does to recordings. Those that cannot be used are published all the same: the spectrogram operator turns
// them into dead letters with the reason.
func (d *demo) plan(ctx context.Context, all []dataset.Recording) error {
	options := training.Options{Holdout: d.o.rule(d.o.seed)}
	if d.recordings = options.Select(all); len(d.recordings) == 0 {
		if readable := dataset.Usable(all); len(readable) > 0 {
			return errors.New("all recordings are silent")
		}
		return fmt.Errorf("none of the %d recordings can be read; the first: %s: %w", len(all), all[0].Path, all[0].Err)
	}
	parts, err := options.Divide(dataset.Identities(d.recordings))
	if err != nil {
		return err
	}
	learnable := picked(d.recordings, parts.Learnable())
	front := frontOptions{ceiling: training.CeilingFast}
	if d.frontEnd, err = front.frontEnd(learnable); err != nil {
		return err
	}
	d.labels = dataset.Labels(d.recordings)
	d.notes = report.RecordingNotes(d.recordings, d.frontEnd.Spectrogram.SampleRate)
	for _, n := range d.notes {
		d.note("%s", n)
	}
	return d.notePlan(ctx, front, d.frontEnd, learnable, 0)
}

// fingerprint is a hash of the recordings and of everything that decides the model.
func (d *demo) fingerprint() string {
	h := sha256.New()
	// Plain data marshals, and a hash takes all of it.
	_ = json.NewEncoder(h).Encode([]any{
		d.set.Hash(), d.frontEnd, d.o.arch, d.o.seed, d.o.steps, d.o.budget, d.o.url, d.o.pipeline, d.o.group, d.o.holdoutFlags.out,
	})
	return hex.EncodeToString(h.Sum(nil))
}
