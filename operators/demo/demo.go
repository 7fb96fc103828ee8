// Package demo runs the whole pipeline on one machine: it starts or uses a NATS server, publishes recordings, runs the
// operators that convert them and train a model, requests clips of every label over the bus, evaluates them with a
// classifier that is trained on real recordings only, and writes clips, checkpoint, report and pipeline file to a folder.
//
// A demo that was interrupted is continued by the same Options in the same folder.
package demo

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/report"
	"wavemill/operators/files"
	"wavemill/pipeline"
)

// run is one run of a demo.
type run struct {
	o     Options
	began time.Time

	set        dataset.Dataset
	recordings []dataset.Recording // those that can be learnt from
	labels     []string            // of the recordings; of the checkpoint, once there is one
	frontEnd   models.FrontEnd
	notes      []string // what was done to recordings

	spec       pipeline.Spec
	published  files.Published
	watch      *watch
	checkpoint models.Checkpoint
	digest     string

	parts      parts // of the recordings, as the checkpoint records them
	classifier atomic.Pointer[eval.Classifier]
	evaluation evaluation
	clips      []generated
	letters    []report.Letter
	timings    []report.Timing
}

// Run runs a demo and returns its result. The folder must be new, empty, or that of another demo, whose results are
// replaced. Also after an error the bus is closed, and a checkpoint that is on the bus is written to its file. Where ctx
// ends the demo, the error says at which step and how to continue. One folder is for one Run at a time.
func Run(ctx context.Context, o Options) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, fmt.Errorf("demo: %w", err)
	}
	if o.Steps > 0 {
		o.Budget = 0
	}
	o.Command = pipeline.Redact(o.Command)
	if o.Progress == nil {
		o.Progress = silent{}
	}
	r := &run{o: o, began: time.Now()}
	err := r.prepare(ctx)
	if err == nil {
		err = r.onBus(ctx)
	}
	if err != nil {
		return Result{}, r.interrupted(ctx, err)
	}
	if err := r.finish(ctx); err != nil {
		return Result{}, err
	}
	return Result{Summary: r.summary(), Lines: r.lines()}, nil
}

// timed runs one stage and records how long it took.
func (r *run) timed(stage string, detail func() string, do func() error) error {
	began := time.Now()
	if err := do(); err != nil {
		return err
	}
	r.timings = append(r.timings, report.Timing{Stage: stage, Took: time.Since(began), Detail: detail()})
	return nil
}

// interrupted returns an error that says how to continue where ctx ended the demo, and err otherwise.
func (r *run) interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if step := r.watch.savedStep(); step > 0 {
		return fmt.Errorf("interrupted at step %d of the training, which is saved in %s; the same command goes on from there: %s",
			step, filepath.Join(r.o.Out, ModelFile), r.o.Command)
	}
	return fmt.Errorf("interrupted; the same command begins again: %s", r.o.Command)
}

// finish classifies the clips and writes clips.jsonl, the pipeline file and the report.
func (r *run) finish(ctx context.Context) error {
	if err := r.classifyClips(ctx); err != nil {
		return err
	}
	if err := r.writeClips(); err != nil {
		return err
	}
	if err := r.writePipeline(); err != nil {
		return err
	}
	page, err := r.page()
	if err != nil {
		return err
	}
	if err := report.WriteFile(filepath.Join(r.o.Out, ReportFile), page); err != nil {
		return err
	}
	return writeState(r.o.Out, state{Fingerprint: r.fingerprint(), Command: r.o.Command, Finished: true})
}
