package guard

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/nats-io/nats.go/jetstream"

	"wavemill/models"
	"wavemill/models/guard"
	"wavemill/pipeline"
	"wavemill/pipeline/modelstore"
	"wavemill/pipeline/objectstore"
)

// A ruleSet holds the rules of the guard as they were fitted for the messages of a generation.
type ruleSet struct {
	generation generation
	detector   *guard.Detector
	model      *guard.Model // nil: none
	basis      basis
}

// ruleSet returns the rules of a generation. It keeps the last two: messages of one generation may be delivered again while
// those of the next are judged.
func (o *operator) ruleSet(ctx context.Context, g generation) (*ruleSet, error) {
	for _, r := range o.ruleSets {
		if r.generation == g {
			return r, nil
		}
	}
	r, err := o.open(ctx, g)
	if err != nil {
		return nil, err
	}
	o.ruleSets = append(o.ruleSets, r)
	if len(o.ruleSets) > 2 {
		o.ruleSets = o.ruleSets[1:]
	}
	o.log.Info("messages are judged by other ones", "from", g.First, "to", g.Last, "clips", r.basis.Clips, "labels", r.basis.Labels,
		"accuracy", r.basis.Accuracy, "model_version", r.basis.Version)
	return r, nil
}

// open fits a detector, and calibrates the model.
func (o *operator) open(ctx context.Context, g generation) (*ruleSet, error) {
	if err := o.ensure(ctx, g.From, g.UpTo); err != nil {
		return nil, err
	}
	recent := o.history.recent(g.From, g.UpTo)
	detector, err := guard.Fit(recent, o.limits)
	if err != nil {
		return nil, err
	}
	f := detector.Facts()
	r := &ruleSet{generation: g, detector: detector, basis: basis{
		From: g.From, UpTo: g.UpTo, Clips: f.Clips, Labels: len(f.Labels), Accuracy: math.Round(f.Accuracy*1e4) / 1e4,
	}}
	if g.Object == "" {
		return r, nil
	}
	model, err := o.load(ctx, g)
	switch {
	case errors.Is(err, jetstream.ErrObjectNotFound), errors.Is(err, errUnfit):
		o.log.Warn("the model cannot judge; messages are judged without it", "model", g.Model, "version", g.Version, "error", err)
		return r, nil
	case err != nil:
		return nil, &pipeline.Error{Kind: pipeline.Transient, Err: err}
	}
	if err := o.calibrate(ctx, g, detector, model); err != nil {
		return nil, err
	}
	r.model = model
	r.basis.Model, r.basis.Version, r.basis.Digest = g.Model, g.Version, g.Digest
	return r, nil
}

// errUnfit means that the content of a version is no model that can detector.
var errUnfit = errors.New("it is no model that can judge clips")

func (o *operator) load(ctx context.Context, g generation) (*guard.Model, error) {
	content, err := o.env.Bus.Models().Load(ctx, modelstore.Entry{Name: g.Model, Stored: modelstore.Stored{Version: g.Version, Object: g.Object}})
	if err != nil {
		return nil, err
	}
	checkpoint, err := models.Decode(content)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnfit, err)
	}
	m, err := guard.OpenModel(checkpoint)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnfit, err)
	}
	return m, nil
}

// calibrationClips is how many of the window's clips a model is calibrated on, at most.
const calibrationClips = 256

// calibrate sets the model's limits by clips of the window that the detector passes, which are read from the stream again.
func (o *operator) calibrate(ctx context.Context, g generation, detector *guard.Detector, model *guard.Model) error {
	step := max(1, (g.UpTo-g.From+1)/calibrationClips)
	var samples []guard.Sample
	var heard []string
	for m, err := range o.env.Bus.Messages(ctx, pipeline.Subscription{Stream: o.env.From, From: g.From, Last: true}) {
		if m == nil {
			if ctx.Err() == nil && err != nil && unreadable(err) {
				continue
			}
			return &pipeline.Error{Kind: pipeline.Transient, Err: err}
		}
		if m.Sequence > g.UpTo {
			break
		}
		if m.Sequence%step != 0 {
			continue
		}
		r, err := o.read(ctx, m)
		if err != nil {
			continue
		}
		v := detector.Of(r.Example)
		if s, ok := r.sample(model); ok && !v.Refused() {
			samples, heard = append(samples, s), append(heard, v.Scores.Heard)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return model.Calibrate(ctx, samples, heard, o.limits)
}

// unreadable reports that a single message could not be read, and that the iteration over the stream goes on.
func unreadable(err error) bool {
	return errors.Is(err, objectstore.ErrGone) || errors.Is(err, objectstore.ErrReference) || pipeline.KindOf(err) == pipeline.Invalid
}
