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
	m, steps, err := plainRecipe(o, epochs, steps).fit(ctx, s)
	if err != nil {
		return nil, err
	}
	c := &Classifier{labels: s.labels, model: m, steps: int64(steps)}
	return c, c.calibrate(ctx, s.heldOut)
}

// A recipe is how a network is trained.
type recipe struct {
	members       int // see ensemble
	alter         alteration
	mix           func(*rand.Rand) float64 // see feeder
	decay         float64                  // of weights
	seed          uint64
	epochs, steps int
	budget        time.Duration // 0: none
	onProgress    func(Progress)
}

// plainRecipe is that of the evaluator's own classifier and of filters.
func plainRecipe(o Options, epochs, steps int) recipe {
	return recipe{alter: augment, decay: 1e-4, seed: o.Seed, epochs: epochs, steps: steps, budget: o.Budget, onProgress: o.OnProgress}
}

// loss is the training graph's. Members are trained with the cross-entropy of all labels together, each with its own; one
// network with that of each label apart.
func (r recipe) loss(n *nn.Graph, logits []*nn.Tensor, targets *nn.Tensor) *nn.Tensor {
	if r.members == 0 {
		return n.BCEWithLogits(logits[0], targets)
	}
	losses := make([]*nn.Tensor, len(logits))
	for i, l := range logits {
		losses[i] = n.CrossEntropy(l, targets)
	}
	return n.Add(losses...)
}

// fit trains a network on the training clips of a set, and returns how many steps it made.
func (r recipe) fit(ctx context.Context, s *set) (*model, int, error) {
	began, steps := time.Now(), r.steps
	m := &model{front: s.front, params: nn.NewParams(r.seed), labels: len(s.labels), seed: r.seed, temperature: 1, members: r.members}
	frames, bins := s.front.Shape()
	n := nn.NewGraph(nn.Train, m.params)
	_, logits := ensemble(n, n.Input("x", batchSize, frames, bins, 1), m.labels, m.members)
	loss := n.Loss("loss", r.loss(n, logits, n.Input("targets", batchSize, m.labels)))
	machine, err := n.Compile(nn.Minimise(loss))
	if err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	adam := nn.NewAdam(m.params, nn.AdamConfig{
		Schedule: nn.Schedule{Rate: 8e-3, Warmup: int64(min(steps/10, 100)), Steps: int64(steps)},
		EMA:      0.99, EMAWarmup: true, WeightDecay: r.decay,
	})
	alter := r.alter.besides(s.front.Config().Spectrogram.Image())
	feed := newFeeder(s.train, s.train.B-s.generated, m.labels, alter, rand.New(rand.NewPCG(r.seed, 0x6a7564676521)))
	feed.mix = r.mix
	perEpoch := steps / r.epochs
	var sum float64
	done := 0
	for ; done < steps; done++ {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		feed.next(machine.Input("x"), machine.Input("targets"))
		if err := machine.Run(nn.Seed(r.seed + uint64(done))); err != nil {
			return nil, 0, fmt.Errorf("eval: training the classifier: step %d: %w", done+1, err)
		}
		if err := adam.Step(machine); err != nil {
			return nil, 0, fmt.Errorf("eval: training the classifier: step %d: %w", done+1, err)
		}
		sum += machine.Loss("loss") / float64(perEpoch)
		elapsed := time.Since(began)
		if epoch := (done + 1) / perEpoch; (done+1)%perEpoch == 0 {
			if r.onProgress != nil {
				r.onProgress(Progress{Epoch: epoch, Epochs: r.epochs, Loss: sum, Elapsed: elapsed})
			}
			sum = 0
		}
		if r.budget > 0 {
			if fit := int(float64(done+1) * float64(r.budget) / float64(elapsed)); fit < steps && done >= 10 {
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
	return c.calibrateOn(logits, heldOut.Labels)
}

// calibrateOn sets the temperature and the held-out figures by outputs for clips that were not trained on.
func (c *Classifier) calibrateOn(logits [][]float64, labels []int) error {
	var err error
	if c.model.temperature, err = metric.Temperature(logits, labels); err != nil {
		return err
	}
	var p Prediction
	for _, l := range logits {
		p.Probs = append(p.Probs, metric.Softmax(l, c.model.temperature))
	}
	c.heldOut = HeldOut{Clips: len(labels)}
	if c.heldOut.Accuracy, err = metric.Accuracy(labels, p.Labels()); err != nil {
		return err
	}
	if c.heldOut.NLL, err = metric.LogLoss(p.Probs, labels); err != nil {
		return err
	}
	c.heldOut.ECE, err = metric.CalibrationError(p.Probs, labels, 15)
	return err
}
