package eval

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"wavemill/models"
	"wavemill/models/eval/metric"
	"wavemill/models/nn"
)

const (
	defaultEpochs = 20
	leastSteps    = 400 // so few clips are still seen often enough
)

// steps is the number of steps that make the wanted epochs.
func (o Options) steps(clips int) (epochs, steps int) {
	perEpoch := (clips + batchSize - 1) / batchSize
	if o.Epochs > 0 {
		return o.Epochs, o.Epochs * perEpoch
	}
	epochs = defaultEpochs
	if epochs*perEpoch < leastSteps {
		epochs = (leastSteps + perEpoch - 1) / perEpoch
	}
	return epochs, epochs * perEpoch
}

// train makes a classifier from a set.
func train(ctx context.Context, s *set, o Options) (*Classifier, error) {
	epochs, steps := o.steps(s.train.B)
	m, steps, err := fit(ctx, s, o, epochs, steps)
	if err != nil {
		return nil, err
	}
	c := &Classifier{labels: s.labels, model: m, steps: int64(steps)}
	return c, c.calibrate(ctx, s.heldOut)
}

// fit trains a network on the training clips of a set for a number of steps, and returns how many it made.
func fit(ctx context.Context, s *set, o Options, epochs, steps int) (*model, int, error) {
	began := time.Now()
	m := &model{front: s.front, params: nn.NewParams(o.Seed), labels: len(s.labels), seed: o.Seed, temperature: 1}
	frames, bins := s.front.Shape()
	n := nn.NewGraph(nn.Train, m.params)
	_, logits := layers(n, n.Input("x", batchSize, frames, bins, 1), m.labels)
	loss := n.Loss("loss", n.BCEWithLogits(logits, n.Input("targets", batchSize, m.labels)))
	machine, err := n.Compile(nn.Minimise(loss))
	if err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	adam := nn.NewAdam(m.params, nn.AdamConfig{
		Schedule: nn.Schedule{Rate: 8e-3, Warmup: int64(min(steps/10, 100)), Steps: int64(steps)},
		EMA:      0.99, EMAWarmup: true, WeightDecay: 1e-4,
	})
	feed := newFeeder(s.train, s.train.B-s.generated, m.labels, rand.New(rand.NewPCG(o.Seed, 0x6a7564676521)))
	perEpoch := steps / epochs
	var sum float64
	done := 0
	for ; done < steps; done++ {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		feed.next(machine.Input("x"), machine.Input("targets"))
		if err := machine.Run(nn.Seed(o.Seed + uint64(done))); err != nil {
			return nil, 0, fmt.Errorf("eval: training the classifier: step %d: %w", done+1, err)
		}
		if err := adam.Step(machine); err != nil {
			return nil, 0, fmt.Errorf("eval: training the classifier: step %d: %w", done+1, err)
		}
		sum += machine.Loss("loss") / float64(perEpoch)
		elapsed := time.Since(began)
		if epoch := (done + 1) / perEpoch; (done+1)%perEpoch == 0 {
			if o.OnProgress != nil {
				o.OnProgress(Progress{Epoch: epoch, Epochs: epochs, Loss: sum, Elapsed: elapsed})
			}
			sum = 0
		}
		if o.Budget > 0 {
			if fit := int(float64(done+1) * float64(o.Budget) / float64(elapsed)); fit < steps && done >= 10 {
				steps = max(fit, done+1)
				adam.SetTotalSteps(int64(steps))
			}
		}
	}
	m.params = adam.Average()
	if err := m.compile(); err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	return m, done, nil
}

// calibrate measures the classifier on held-out clips and sets its temperature by them.
func (c *Classifier) calibrate(ctx context.Context, heldOut models.Batch) error {
	outputs, err := c.model.outputs(ctx, heldOut)
	if err != nil {
		return err
	}
	logits := make([][]float64, len(outputs))
	for i, a := range outputs {
		logits[i] = a.logits
	}
	if c.model.temperature, err = metric.Temperature(logits, heldOut.Labels); err != nil {
		return err
	}
	p := c.model.prediction(outputs)
	c.heldOut = HeldOut{Clips: heldOut.B}
	if c.heldOut.Accuracy, err = metric.Accuracy(heldOut.Labels, p.Labels()); err != nil {
		return err
	}
	if c.heldOut.NLL, err = metric.LogLoss(p.Probs, heldOut.Labels); err != nil {
		return err
	}
	c.heldOut.ECE, err = metric.CalibrationError(p.Probs, heldOut.Labels, 15)
	return err
}
