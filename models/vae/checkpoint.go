package vae

import (
	"fmt"

	"wavemill/models"
)

// Prefixes of tensors in a checkpoint.
const (
	prefixModel   = "model/"                            // the averaged weights, which generate
	prefixWeights = models.OptimizerPrefix + "weights/" // the weights as training left them
	prefixAdam    = models.OptimizerPrefix + "adam/"    // the optimiser's state

	tensorVariance = models.OptimizerPrefix + "variance" // [1]: the likelihood's, with several encoders
)

// Checkpoint implements models.Learner.
func (l *Learner) Checkpoint() (models.Checkpoint, error) {
	c, err := l.header.Checkpoint(l.weights.Adam.Steps(), l.planned)
	if err != nil {
		return c, err
	}
	c.Tensors = append(c.Tensors, l.weights.ModelTensors()...)
	c.Tensors = append(c.Tensors, l.prior.tensors()...)
	c.Tensors = append(c.Tensors, l.residual.tensors()...)
	c.Tensors = append(c.Tensors, l.weights.TrainingTensors()...)
	if l.flow != nil {
		c.Tensors = append(c.Tensors, l.flow.tensors()...)
	}
	if l.config.Encoders > 1 {
		c.Tensors = append(c.Tensors, models.Tensor{Name: tensorVariance, Shape: []int{1}, Data: []float32{l.variance}})
	}
	return c, nil
}

// Restore implements models.Learner.
func (l *Learner) Restore(c models.Checkpoint) error {
	if _, err := l.header.ReadMatching(ParseConfig, c); err != nil {
		return err
	}
	p, err := openPrior(c, l.config.priors(l.shape), l.config.Latent)
	if err != nil {
		return err
	}
	r, err := openResidualNoise(c, l.shape)
	if err != nil {
		return err
	}
	flow, variance, err := l.restoreOptions(c)
	if err != nil {
		return err
	}
	if err := l.weights.Restore(c); err != nil {
		return fmt.Errorf("vae: %w", err)
	}
	l.prior, l.residual, l.header.Seed = p, r, c.Seed
	l.flow, l.variance = flow, variance
	l.SetTotalSteps(c.Planned)
	return nil
}

// restoreOptions reads what only some configurations have: the flow's learner and the likelihood's variance.
func (l *Learner) restoreOptions(c models.Checkpoint) (flow *flowLearner, variance float32, err error) {
	if l.config.Prior == PriorFlow {
		if flow, err = restoreFlow(c, l.config, l.shape.Labels); err != nil {
			return nil, 0, err
		}
	}
	if l.config.Encoders <= 1 {
		return flow, 1, nil
	}
	t, err := c.Tensor(tensorVariance)
	if err != nil {
		return nil, 0, err
	}
	if len(t.Data) != 1 {
		return nil, 0, fmt.Errorf("vae: tensor %s has shape %v, want one value", tensorVariance, t.Shape)
	}
	return flow, t.Data[0], nil
}
