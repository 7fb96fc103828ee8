package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/cmd/wavemill/report"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/pipeline"
)

// demo is one run of `wavemill demo`.
type demo struct {
	*app
	o     demoOptions
	began time.Time

	set        dataset.Dataset
	recordings []recording // the usable ones
	labels     []string
	frontEnd   models.FrontEnd
	front      *frontend.FrontEnd
	notes      []string // what was done to recordings
	train      []recording
	held       []recording

	spec       pipeline.Spec
	published  published
	watch      *demoWatch
	checkpoint models.Checkpoint
	digest     string

	classifier atomic.Pointer[eval.Classifier]
	judged     judged
	clips      []demoClip
	letters    []report.Letter

	mu      sync.Mutex
	timings []report.Timing
}

// timed runs one stage and writes down how long it took.
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

// prepare finds or makes the recordings, plans how they become spectrograms, and claims the folder.
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
	if d.set, err = d.scan(ctx, roots, d.o.labels); err != nil {
		return err
	}
	all, err := d.decodeAll(ctx, d.set.Items)
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
		d.note("replacing what an earlier demo has left in %s", d.o.out)
	}
	return nil
}

// plan chooses the front end and says what it means for the recordings.
func (d *demo) plan(ctx context.Context, all []recording) error {
	usable := good(all)
	if len(usable) == 0 {
		return fmt.Errorf("none of the %d recordings can be read; the first: %s: %w", len(all), all[0].item.Path, all[0].err)
	}
	d.frontEnd = planFrontEnd(usable)
	var err error
	if d.front, err = frontend.New(d.frontEnd); err != nil {
		return err
	}
	rates, mixed, truncated := map[int]int{}, 0, 0
	for _, r := range usable {
		if _, _, err := d.front.Analyze(r.clip); err != nil {
			continue // Silent: the operator will say so.
		}
		d.recordings = append(d.recordings, r)
		if r.clip.Rate != d.frontEnd.Spectrogram.SampleRate {
			rates[r.clip.Rate]++
		}
		if r.clip.Channels > 1 {
			mixed++
		}
		if r.truncated {
			truncated++
		}
	}
	if len(d.recordings) == 0 {
		return errors.New("all recordings are silent")
	}
	d.labels = labelNames(d.recordings)
	d.train, d.held = split(d.recordings, d.o.seed)
	for _, rate := range slices.Sorted(maps.Keys(rates)) {
		d.notes = append(d.notes, fmt.Sprintf("%s resampled from %d to %d Hz", count(rates[rate], "recording is", "recordings are"), rate, d.frontEnd.Spectrogram.SampleRate))
	}
	if mixed > 0 {
		d.notes = append(d.notes, count(mixed, "recording is", "recordings are")+" mixed down to one channel")
	}
	if truncated > 0 {
		d.notes = append(d.notes, count(truncated, "recording is", "recordings are")+" truncated; the part that is there is used")
	}
	for _, n := range d.notes {
		d.note("%s", n)
	}
	return d.showPlan(ctx, frontOptions{ceiling: ceilingFast}, d.frontEnd, d.recordings, 0)
}

// fingerprint is a hash of the recordings and of everything that decides the model.
func (d *demo) fingerprint() string {
	h := sha256.New()
	// Plain data marshals, and a hash takes all of it.
	_ = json.NewEncoder(h).Encode([]any{d.set.Hash(), d.frontEnd, d.o.arch, d.o.seed, d.o.steps, d.o.budget, d.o.url, d.o.pipeline})
	return hex.EncodeToString(h.Sum(nil))
}
