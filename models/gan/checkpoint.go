package gan

import (
	"fmt"

	"wavemill/models"
	"wavemill/models/internal/state"
)

// Prefixes of tensors in a checkpoint.
const (
	prefixModel         = "model/"         // the averaged generator, which generates
	prefixDiscriminator = "discriminator/" // the discriminator
	prefixWeights       = models.OptimizerPrefix + "generator/weights/"
	prefixGenerator     = models.OptimizerPrefix + "generator/adam/"
	prefixAdamD         = models.OptimizerPrefix + "discriminator/adam/"
)

// modeMeansName is the generator's parameter with the mean latents of the modes. Its average lies in tensorMean.
const modeMeansName = "generator/modes/w"

// Checkpoint implements models.Learner.
func (l *Learner) Checkpoint() (models.Checkpoint, error) {
	c, err := l.header.Checkpoint(l.steps, l.planned)
	if err != nil {
		return c, err
	}
	c.Tensors = append(c.Tensors, l.generator.ModelTensors()...)
	c.Tensors = append(c.Tensors, state.Tensors(l.discriminator.Export(prefixDiscriminator))...)
	c.Tensors = append(c.Tensors, l.generator.TrainingTensors()...)
	c.Tensors = append(c.Tensors, state.Tensors(l.adamD.Export(prefixAdamD))...)
	if l.modes != nil {
		c.Tensors = append(c.Tensors, l.modes.tensors()...)
	}
	if l.config.corrects() {
		c.Tensors = append(c.Tensors, l.correctionTensor())
	}
	return c, nil
}

// Restore implements models.Learner.
func (l *Learner) Restore(c models.Checkpoint) error {
	if _, err := l.header.ReadMatching(ParseConfig, c); err != nil {
		return err
	}
	a := state.Arrays(c.Tensors)
	for _, err := range []error{
		l.generator.Restore(c), l.discriminator.Import(prefixDiscriminator, a), l.adamD.Import(prefixAdamD, a),
	} {
		if err != nil {
			return fmt.Errorf("gan: %w", err)
		}
	}
	if l.modes != nil {
		if err := l.modes.restore(c); err != nil {
			return fmt.Errorf("gan: modes: %w", err)
		}
	}
	if l.config.corrects() {
		if err := l.restoreCorrection(c); err != nil {
			return fmt.Errorf("gan: %w", err)
		}
	}
	l.header.Seed, l.steps = c.Seed, c.Step
	l.SetTotalSteps(c.Planned)
	return nil
}
