package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wavemill/audio"
	"wavemill/internal/text"
	"wavemill/models"
	"wavemill/models/report"
	"wavemill/operators/files"
	"wavemill/operators/train"
	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/modelstore"
)

// What the end of a run may take, also after its ctx is done.
const (
	stopTimeout  = time.Minute      // of the operators: the train operator stores a checkpoint
	closeTimeout = 30 * time.Second // of the bus
)

// onBus runs the stages on the bus, from the publication of the recordings to the last clip.
func (r *run) onBus(ctx context.Context) (err error) {
	r.watch = newWatch(r.o, len(r.recordings))
	if r.spec, err = r.pipelineSpec(); err != nil {
		return err
	}
	bus, err := pipeline.Open(ctx, r.spec, pipeline.BusOptions{Log: r.o.operatorLog()})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, bus.Close(closing))
	}()
	running, err := pipeline.Start(ctx, bus, r.o.Operators(r.hooks()), pipeline.Options{Log: r.o.operatorLog(), OnEvent: r.watch.event, FailFast: true})
	if err != nil {
		return err
	}
	err = r.stages(ctx, bus, running)
	if errors.Is(err, errStopped) {
		err = nil // Stop, below, returns the reason.
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err = errors.Join(err, running.Stop(stopping))
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, r.writeLast(stopping, bus), ctx.Err())
	}
	return nil
}

// writeLast writes the last checkpoint to its file: that of the training which was stopped, else the complete one.
func (r *run) writeLast(ctx context.Context, bus *pipeline.Bus) error {
	for _, key := range []string{train.Unfinished(r.o.Arch), r.o.Arch} {
		err := bus.Models().WriteFile(ctx, key, filepath.Join(r.o.Out, ModelFile))
		if !errors.Is(err, modelstore.ErrNotFound) {
			return err
		}
	}
	return nil
}

// errStopped is returned where the operators have stopped by themselves.
var errStopped = errors.New("the operators have stopped")

// stages runs the stages in order.
func (r *run) stages(ctx context.Context, bus *pipeline.Bus, running *pipeline.Pipeline) error {
	for _, stage := range []struct {
		name   string
		detail func() string
		do     func() error
	}{
		{"publish", func() string { return text.Count(r.published.Published, "recording", "recordings") }, func() error { return r.publish(ctx, bus) }},
		{"convert", func() string { return "to spectrograms, while the publishing went on" }, func() error {
			return r.watch.converted(ctx, running, r.published.Published-r.published.Duplicates)
		}},
		{"train", func() string { return fmt.Sprintf("%d steps", r.checkpoint.Step) }, func() error {
			if err := r.watch.trained(ctx, bus, running); err != nil {
				return err
			}
			return r.fetchModel(ctx, bus)
		}},
		{"train the classifier", func() string { return r.evaluation.summary() }, func() error { return r.trainClassifier(ctx) }},
		{"generate", func() string { return text.Count(len(r.clips), "clip", "clips") }, func() error { return r.generateAll(ctx, bus) }},
	} {
		if err := r.timed(stage.name, stage.detail, stage.do); err != nil {
			return err
		}
	}
	return r.readLetters(ctx, bus)
}

// publish publishes the recordings.
func (r *run) publish(ctx context.Context, bus *pipeline.Bus) (err error) {
	task := r.o.Progress.Start("publish", int64(len(r.set.Items)), "files")
	defer task.Done()
	r.published, err = files.Publish(ctx, bus, r.set.Items, func() { task.Add(1) })
	return err
}

// hooks are the callbacks with which the demo follows the operators, and the confidences of its classifier.
func (r *run) hooks() Hooks {
	var h Hooks
	h.Train.OnProgress = func(_ string, p models.Progress) { r.watch.progress(p) }
	h.Train.OnEvent = r.watch.stored
	h.Generate.OnModel = r.watch.inUse
	h.Generate.Judge = r.confidence
	return h
}

// confidence is the probability that the classifier gives the requested label of a clip; false where there is none.
func (r *run) confidence(ctx context.Context, clip audio.Clip, label string) (float64, bool) {
	c := r.classifier.Load()
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

// fetchModel reads the trained model from the bus, writes it to its file, and divides the recordings as it records them.
func (r *run) fetchModel(ctx context.Context, bus *pipeline.Bus) error {
	entry, err := bus.Models().Get(ctx, r.o.Arch)
	if err != nil {
		return err
	}
	content, err := bus.Models().Load(ctx, entry)
	if err != nil {
		return err
	}
	if r.checkpoint, err = models.Decode(content); err != nil {
		return err
	}
	if r.digest, err = r.checkpoint.Digest(); err != nil {
		return err
	}
	if err := write(filepath.Join(r.o.Out, ModelFile), content); err != nil {
		return err
	}
	r.labels = r.checkpoint.Labels
	if r.parts, err = divide(r.checkpoint, r.recordings, r.o.Holdout); err != nil {
		return err
	}
	return r.watch.loaded(ctx, r.digest)
}

// readLetters reads the dead letters of the spectrogram operator: the recordings that it could not convert.
func (r *run) readLetters(ctx context.Context, bus *pipeline.Bus) error {
	for l, err := range bus.DeadLetters().List(ctx, deadletter.Filter{Operator: "spectrogram"}) {
		if err != nil {
			return err
		}
		// The table names the recording already.
		reason := strings.TrimPrefix(strings.TrimPrefix(l.Reason, "spectrogram: "), l.Source+": ")
		r.letters = append(r.letters, report.Letter{Name: l.Source, Reason: reason})
	}
	slices.SortStableFunc(r.letters, func(a, b report.Letter) int { return cmp.Compare(a.Name, b.Name) })
	return ctx.Err()
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
