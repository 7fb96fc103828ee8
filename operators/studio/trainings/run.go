package trainings

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/training"
)

// keptLines is how many notes of a training are kept for the page.
const keptLines = 40

// launch runs a training in a goroutine of its own. The caller holds the lock.
func (m *Manager) launch(t *trainingRun) {
	ctx, stop := context.WithCancel(m.ctx)
	t.stop = stop
	began := time.Now()
	m.work.Go(func() {
		defer stop()
		roots, rule, err := m.source(t.Source, t.Labels)
		if err == nil {
			err = m.train(ctx, t, roots, rule)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		t.stop = nil
		t.Spent += time.Since(began).Seconds()
		switch {
		case err == nil:
			t.State = done
		case m.ctx.Err() != nil: // The server ends: the training goes on when it begins again.
		case errors.Is(err, context.Canceled):
			t.State = paused
		default:
			t.State = failed
			t.Error = m.hide([]string{err.Error()}, append(roots, m.dir(t)))[0]
			m.o.Log.Error("a training has failed", "training", t.Name, "error", err)
		}
		if err := m.keep(t); err != nil {
			m.o.Log.Error("the state of a training cannot be stored", "training", t.Name, "error", err)
		}
	})
}

// note keeps a line for the page.
func (m *Manager) note(t *trainingRun, roots []string) func(string) {
	return func(line string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		t.lines = append(t.lines, m.hide([]string{line}, append(roots, m.dir(t)))...)
		t.lines = t.lines[max(0, len(t.lines)-keptLines):]
	}
}

// train prepares the recordings and trains until the budget is used up or ctx ends.
func (m *Manager) train(ctx context.Context, t *trainingRun, roots []string, rule string) (err error) {
	began := time.Now()
	note := m.note(t, roots)
	job, options, release, err := m.open(t, note)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	set, err := prepare(ctx, roots, rule, options)
	if err != nil {
		return err
	}
	job.Spent = time.Since(began)
	job.OnEvent = m.follow(t)
	save := job.Save
	job.Save = func(c models.Checkpoint) error {
		if err := save(c); err != nil {
			return err
		}
		m.playable(t, c)
		return nil
	}
	run, err := job.Start(ctx, set)
	if err != nil {
		return err
	}
	for _, line := range run.Lines() {
		note(line)
	}
	m.mu.Lock()
	t.State, t.Arch = running, run.Settings.Arch
	err = m.keep(t)
	m.mu.Unlock()
	if err != nil {
		return err
	}
	_, _, err = run.Train(ctx)
	return err
}

// open reserves the checkpoint of a training, and goes on from it where there is one.
func (m *Manager) open(t *trainingRun, note func(string)) (training.Job, training.Options, func() error, error) {
	m.mu.Lock()
	spec := training.Spec{Out: m.checkpoint(t), Keep: 1, Width: training.ChannelsAuto, Resume: m.rotation(t).Exists()}
	spec.Job.Budget = time.Duration((t.Minutes*60 - t.Spent) * float64(time.Second))
	if !spec.Resume {
		spec.Job.Arch, spec.Job.Seed, spec.Job.BestBy = t.Arch, t.Seed, training.BestByDistance
	}
	spec.Job.Files.Previews = filepath.Join(m.dir(t), "previews")
	m.mu.Unlock()
	spec.Job.Budget = max(spec.Job.Budget, time.Second) // A training that was killed may have used it up.
	if err := spec.Validate(); err != nil {
		return training.Job{}, training.Options{}, nil, err
	}
	job, release, err := spec.Open(note)
	if err != nil {
		return job, training.Options{}, nil, err
	}
	options := spec.Options(job)
	options.Note = note
	return job, options, release, nil
}

// prepare reads the recordings and computes what the training learns from.
func prepare(ctx context.Context, roots []string, rule string, o training.Options) (training.Set, error) {
	found, err := dataset.Scan(ctx, roots, dataset.Options{Labels: rule})
	if err != nil {
		return training.Set{}, err
	}
	all, err := dataset.Load(ctx, found.Items, nil)
	if err != nil {
		return training.Set{}, err
	}
	if all = dataset.Usable(all); len(all) == 0 {
		return training.Set{}, fmt.Errorf("none of the %d files can be used", len(found.Items))
	}
	return training.Prepare(ctx, all, o)
}
