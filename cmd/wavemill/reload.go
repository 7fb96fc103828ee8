package main

import (
	"bytes"
	"context"
	"os"
	"time"

	"wavemill/pipeline"
	"wavemill/pipeline/lint"
)

// reloadEvery is how often up --watch reads its file. A change takes effect when two readings in a row agree, so that a file
// is not used while an editor writes it. Reading works on every file system, and where a link to the file is replaced, as
// Kubernetes does.
const reloadEvery = time.Second

// watch reloads the pipeline when its file changes, until ctx is done. A file with errors is refused: its findings are
// logged, and the pipeline goes on as it is.
func (a *app) watch(ctx context.Context, flags *runFlags, running *pipeline.Pipeline) {
	used, err := os.ReadFile(flags.file)
	if err != nil {
		a.log.Warn("the pipeline file cannot be read; it is read again", "file", flags.file, "error", err)
	}
	var seen []byte
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-running.Done():
			return
		case <-ticker.C:
		}
		doc, err := os.ReadFile(flags.file)
		if err != nil || bytes.Equal(doc, used) || !bytes.Equal(doc, seen) {
			seen = doc
			continue // An editor may have removed it for a moment.
		}
		used = doc
		a.reload(ctx, flags, running)
	}
}

// reload makes the file's pipeline the one that runs.
func (a *app) reload(ctx context.Context, flags *runFlags, running *pipeline.Pipeline) {
	const refused = "the new pipeline file is refused; the pipeline goes on as it was"
	findings, err := lintFile(flags.file)
	for _, f := range findings {
		if f.Level == lint.Error {
			a.log.Error(f.Message, "file", f.File, "line", f.Line, "column", f.Column, "rule", f.Rule)
		}
	}
	if err == nil && lint.Failed(findings) {
		a.log.Error(refused, "file", flags.file)
		return
	}
	spec, err := flags.runnable(a)
	if err != nil {
		a.log.Error(refused, "file", flags.file, "error", err)
		return
	}
	if err := a.declare(ctx, running.Bus(), spec.Contract); err != nil {
		a.log.Error(refused, "file", flags.file, "error", err)
		return
	}
	changes, err := running.Reload(ctx, spec)
	if err != nil {
		a.log.Error(refused, "file", flags.file, "error", err)
		return
	}
	a.log.Info("the pipeline file was reloaded", "file", flags.file, "started", changes.Started, "restarted", changes.Restarted, "stopped", changes.Stopped)
}
