package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/report"
	"wavemill/operators/train"
	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/modelstore"
)

// onBus runs the stages on the bus, from the publication of the recordings to the last clip.
func (d *demo) onBus(ctx context.Context) (err error) {
	d.watch = newDemoWatch(d.console, d.o, len(d.recordings))
	if d.spec, err = d.pipelineSpec(); err != nil {
		return err
	}
	bus, err := pipeline.Open(ctx, d.spec, pipeline.BusOptions{Log: d.quietLog()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus(ctx, bus)) }()
	running, err := pipeline.Start(ctx, bus, operators(d.hooks()), pipeline.Options{Log: d.quietLog(), OnEvent: d.watch.event})
	if err != nil {
		return err
	}
	err = d.stages(ctx, bus, running)
	if errors.Is(err, errStopped) {
		err = nil // Stop, below, returns the reason.
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err = errors.Join(err, running.Stop(stopping))
	if err != nil || ctx.Err() != nil {
		// The last checkpoint is written to its file too.
		if e := exportModel(stopping, bus, d.o.arch, filepath.Join(d.o.out, demoModel)); e != nil && !errors.Is(e, modelstore.ErrNotFound) {
			err = errors.Join(err, e)
		}
		return errors.Join(err, ctx.Err())
	}
	return nil
}

// errStopped is returned where the operators have stopped by themselves.
var errStopped = errors.New("the operators have stopped")

func (d *demo) stages(ctx context.Context, bus *pipeline.Bus, running *pipeline.Pipeline) error {
	err := d.timed("publish", func() string { return count(d.published.Published, "recording", "recordings") }, func() (err error) {
		d.published, err = d.publishItems(ctx, bus, d.set.Items)
		return err
	})
	if err != nil {
		return err
	}
	err = d.timed("convert", func() string { return "to spectrograms, while the publishing went on" }, func() error {
		return d.watch.converted(ctx, running, d.published.Published-d.published.Duplicates)
	})
	if err != nil {
		return err
	}
	err = d.timed("train", func() string { return fmt.Sprintf("%d steps", d.checkpoint.Step) }, func() error {
		if err := d.watch.trained(ctx, bus, running); err != nil {
			return err
		}
		return d.fetchModel(ctx, bus)
	})
	if err != nil {
		return err
	}
	err = d.timed("train the classifier", func() string { return d.evaluation.summary() }, func() error { return d.trainClassifier(ctx) })
	if err != nil {
		return err
	}
	err = d.timed("generate", func() string { return count(len(d.clips), "clip", "clips") }, func() error { return d.generateAll(ctx, bus) })
	if err != nil {
		return err
	}
	return d.readLetters(ctx, bus)
}

// quietLog is the log of the operators. Faults of single recordings are in the summary and left out.
func (d *demo) quietLog() *slog.Logger {
	if d.level < slog.LevelInfo {
		return d.log
	}
	return d.logger(max(d.level, slog.LevelError))
}

func (d *demo) hooks() hooks {
	h := hooks{train: d.o.trainHooks}
	h.train.OnProgress = func(_ string, p models.Progress) { d.watch.progress(p) }
	h.train.OnEvent = d.watch.stored
	h.generate.OnModel = d.watch.inUse
	h.generate.Judge = func(ctx context.Context, clip audio.Clip, label string) (float64, bool) {
		c := d.classifier.Load()
		if c == nil {
			return 0, false
		}
		p, err := c.Predict(ctx, []audio.Clip{clip})
		at, ok := slices.BinarySearch(c.Labels(), label)
		if err != nil || !ok {
			return 0, false
		}
		return p.Probs[0][at], true
	}
	return h
}

// fetchModel reads the trained model from the bus, writes it to its file, and divides the recordings as it records them.
func (d *demo) fetchModel(ctx context.Context, bus *pipeline.Bus) error {
	entry, err := bus.Models().Get(ctx, d.o.arch)
	if err != nil {
		return err
	}
	content, err := bus.Models().Load(ctx, entry)
	if err != nil {
		return err
	}
	if d.checkpoint, err = models.Decode(content); err != nil {
		return err
	}
	if d.digest, err = d.checkpoint.Digest(); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(d.o.out, demoModel), content); err != nil {
		return err
	}
	d.labels = d.checkpoint.Labels
	if d.parts, err = divideDemo(d.checkpoint, d.recordings, d.o.rule(d.o.seed)); err != nil {
		return err
	}
	return d.watch.loaded(ctx, d.digest)
}

// readLetters reads the dead letters of the spectrogram operator: the recordings that it could not convert.
func (d *demo) readLetters(ctx context.Context, bus *pipeline.Bus) error {
	for l, err := range bus.DeadLetters().List(ctx, deadletter.Filter{Operator: "spectrogram"}) {
		if err != nil {
			return err
		}
		// The table names the recording already.
		reason := strings.TrimPrefix(strings.TrimPrefix(l.Reason, "spectrogram: "), l.Source+": ")
		d.letters = append(d.letters, report.Letter{Name: l.Source, Reason: reason})
	}
	slices.SortStableFunc(d.letters, func(a, b report.Letter) int { return cmp.Compare(a.Name, b.Name) })
	return ctx.Err()
}

// interrupted says how to go on after a Ctrl-C; other errors stay as they are.
func (d *demo) interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if step := d.watch.savedStep(); step > 0 {
		return fmt.Errorf("interrupted at step %d of the training, which is saved in %s; the same command goes on from there: %s",
			step, filepath.Join(d.o.out, demoModel), d.o.command())
	}
	return fmt.Errorf("interrupted; the same command begins again: %s", d.o.command())
}

// modelEvent reads the event of the current version of a model; false where there is none.
func modelEvent(ctx context.Context, bus *pipeline.Bus, name string) (train.Event, bool) {
	entry, err := bus.Models().Get(ctx, name)
	if err != nil {
		return train.Event{}, false
	}
	var e train.Event
	return e, json.Unmarshal(entry.Info, &e) == nil
}
