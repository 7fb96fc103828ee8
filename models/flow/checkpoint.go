package flow

import (
	"slices"

	"wavemill/models"
	"wavemill/models/internal/state"
)

// Names of tensors in a checkpoint, and prefixes of names.
const (
	prefixModel         = "model/"            // the averaged weights of the autoencoder
	prefixFlow          = "prior/flow/model/" // the averaged weights of the flow
	prefixDiscriminator = "discriminator/"    // the discriminator's weights
	prefixWeights       = models.OptimizerPrefix + "weights/"
	prefixAdam          = models.OptimizerPrefix + "adam/"
	prefixFlowWeights   = models.OptimizerPrefix + "flow/weights/"
	prefixFlowAdam      = models.OptimizerPrefix + "flow/adam/"
	prefixSharpWeights  = models.OptimizerPrefix + "sharp/weights/"
	prefixSharpAdam     = models.OptimizerPrefix + "sharp/adam/"
	prefixAdamD         = models.OptimizerPrefix + "discriminator/adam/"

	tensorMean      = "latents/mean"                          // [C]
	tensorVariance  = "latents/variance"                      // [C]
	tensorLabelMean = "latents/label_mean"                    // [labels, Z]
	tensorSeen      = models.OptimizerPrefix + "latents/seen" // [1]: batches in the statistics
)

// Checkpoint implements models.Learner.
func (l *Learner) Checkpoint() (models.Checkpoint, error) {
	step := l.first
	if l.second != nil {
		step += l.second.Decoder.Adam.Steps()
	}
	c, err := l.header.Checkpoint(step, l.planned)
	if err != nil {
		return c, err
	}
	if l.second != nil {
		c.Tensors = l.second.Tensors(prefixDiscriminator, prefixAdamD)
	} else {
		c.Tensors = append(l.coder.ModelTensors(), l.coder.TrainingTensors()...)
	}
	c.Tensors = append(c.Tensors, l.flow.tensors()...)
	labels := l.shape.Labels
	c.Tensors = append(c.Tensors, models.Tensor{Name: tensorLabelMean, Shape: []int{labels, len(l.labelMean) / labels}, Data: slices.Clone(l.labelMean)})
	return c, nil
}

// Restore implements models.Learner.
func (l *Learner) Restore(c models.Checkpoint) error {
	h, err := l.header.ReadMatching(ParseConfig, c)
	if err != nil {
		return err
	}
	restored, err := newLearner(h)
	if err != nil {
		return err
	}
	restored.header.Labels = l.header.Labels
	if err := restored.read(c); err != nil {
		return wrap(err)
	}
	if l.scale > 0 {
		restored.ScaleLR(l.scale)
	}
	*l = *restored
	return nil
}

// read puts a new learner into the state of c.
func (l *Learner) read(c models.Checkpoint) error {
	if err := readTensor(c, tensorLabelMean, l.labelMean); err != nil {
		return err
	}
	if err := l.flow.restore(c); err != nil {
		return err
	}
	l.planned, l.first = c.Planned, c.Step
	if !state.Has(c.Tensors, prefixDiscriminator) {
		if err := l.coder.Restore(c); err != nil {
			return err
		}
		l.SetTotalSteps(c.Planned)
		return nil
	}
	if err := l.beginSecondPhase(); err != nil {
		return err
	}
	if err := l.second.Restore(c, prefixDiscriminator, prefixAdamD); err != nil {
		return err
	}
	l.first -= l.second.Decoder.Adam.Steps()
	l.SetTotalSteps(c.Planned)
	return nil
}
