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

// A court is what the messages of a generation are judged by.
type court struct {
	generation generation
	judge      *guard.Judge
	model      *guard.Model // nil: none
	basis      basis
}

// court returns the court of a generation. It keeps the last two: messages of one generation may be delivered again while
// those of the next are judged.
func (o *operator) court(ctx context.Context, g generation) (*court, error) {
	for _, c := range o.courts {
		if c.generation == g {
			return c, nil
		}
	}
	c, err := o.open(ctx, g)
	if err != nil {
		return nil, err
	}
	o.courts = append(o.courts, c)
	if len(o.courts) > 2 {
		o.courts = o.courts[1:]
	}
	o.log.Info("messages are judged by other ones", "from", g.First, "to", g.Last, "clips", c.basis.Clips, "labels", c.basis.Labels,
		"accuracy", c.basis.Accuracy, "model_version", c.basis.Version)
	return c, nil
}

// open fits a judge, and calibrates the model.
func (o *operator) open(ctx context.Context, g generation) (*court, error) {
	if err := o.ensure(ctx, g.From, g.UpTo); err != nil {
		return nil, err
	}
	recent := o.history.recent(g.From, g.UpTo)
	judge, err := guard.Fit(recent, o.limits)
	if err != nil {
		return nil, err
	}
	f := judge.Facts()
	c := &court{generation: g, judge: judge, basis: basis{
		From: g.From, UpTo: g.UpTo, Clips: f.Clips, Labels: len(f.Labels), Accuracy: math.Round(f.Accuracy*1e4) / 1e4,
	}}
	if g.Object == "" {
		return c, nil
	}
	model, err := o.load(ctx, g)
	switch {
	case errors.Is(err, jetstream.ErrObjectNotFound), errors.Is(err, errUnfit):
		o.log.Warn("the model cannot judge; messages are judged without it", "model", g.Model, "version", g.Version, "error", err)
		return c, nil
	case err != nil:
		return nil, &pipeline.Error{Kind: pipeline.Transient, Err: err}
	}
	if err := o.calibrate(ctx, g, judge, model); err != nil {
		return nil, err
	}
	c.model = model
	c.basis.Model, c.basis.Version, c.basis.Digest = g.Model, g.Version, g.Digest
	return c, nil
}

// errUnfit means that the content of a version is no model that can judge.
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

// calibrate sets the model's limits by clips of the window that the judge passes, which are read from the stream again.
func (o *operator) calibrate(ctx context.Context, g generation, judge *guard.Judge, model *guard.Model) error {
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
		v := judge.Of(r.Example)
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
