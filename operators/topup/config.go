package topup

import (
	"context"
	"errors"
	"strings"
	"time"

	"wavemill/audio/dataset"
	"wavemill/models/augment"
	"wavemill/models/sampling"
	"wavemill/pipeline"
)

// Config is the operator's configuration.
type Config struct {
	// To is how many clips each label is to have, recordings and generated clips together. It is required.
	To int `yaml:"to"`
	// Model names the model in the pipeline's model store that generates.
	Model string `yaml:"model"`
	// Seed is that of the first clip of each label, and of the classifiers of filter and proof.
	Seed uint64 `yaml:"seed"`
	// Confidence is the least probability of the right label, see augment.Job; 0: its default.
	Confidence float64 `yaml:"confidence"`
	// Proof publishes clips only where they are shown to help on recordings that the model has not seen. Without it, clips
	// that pass the filter are published.
	Proof bool `yaml:"proof"`
	// ProofSteps is the number of steps of each classifier of the proof; 0: 1500, see augment.Effort.
	ProofSteps int `yaml:"proof_steps"`
	// ProofSeeds is how many classifiers of each kind the proof trains; 0: 3.
	ProofSeeds int `yaml:"proof_seeds"`
	// ProofAugmentation names the policies of augmentation that the proof chooses from; empty: all.
	ProofAugmentation []string `yaml:"proof_augmentation" jsonschema:"enum=none,enum=light,enum=medium,enum=strong"`
	// ProofBudget is the longest time of the proof. Where the steps do not fit, there are fewer. 0: 30 minutes or, where
	// ProofSteps is given, no limit, so that nothing depends on the speed of the machine.
	ProofBudget time.Duration `yaml:"proof_budget"`
	// Idle is how long no recording must have come before a round begins.
	Idle time.Duration `yaml:"idle"`
	// Again is how many recordings must be new, and AgainShare which share of those of the last round, before another round
	// begins with the same model.
	Again      int     `yaml:"again"`
	AgainShare float64 `yaml:"again_share"`
	// MaxRecordings bounds the recordings in memory; of more, those with the smallest digests are kept.
	MaxRecordings int `yaml:"max_recordings"`
	// MaxClips bounds the clips of one round.
	MaxClips int `yaml:"max_clips"`
	// Lease is how long after the active replica another one takes over.
	Lease time.Duration `yaml:"lease"`
}

// Defaults are the configuration of an empty document, which lacks To.
func Defaults() Config {
	return Config{
		Model: "vae", Proof: true, Idle: 30 * time.Second, Again: 16, AgainShare: 0.1, MaxRecordings: 5000, MaxClips: 2000,
		Lease: 10 * time.Second,
	}
}

// effort is what the proof may take.
func (c Config) effort() augment.Effort {
	return augment.Effort{Steps: c.ProofSteps, Seeds: c.ProofSeeds, Augmentation: c.ProofAugmentation, Budget: c.ProofBudget}
}

// A Job is the work of a round; [augment.Job] is one.
type Job interface {
	Run(ctx context.Context, s *sampling.Sampler, recordings []dataset.Recording, split augment.Split) (augment.Report, error)
}

// Hooks connect the operator with the program around it. All may be nil.
type Hooks struct {
	// NewJob replaces the job of a round, for tests.
	NewJob func(augment.Job) Job
	// OnRound is called at the end of every round.
	OnRound func(Outcome)
}

// Factory builds the operator.
func Factory(h Hooks) pipeline.Factory {
	if h.NewJob == nil {
		h.NewJob = func(j augment.Job) Job { return j }
	}
	return pipeline.Typed(Defaults(), func(c Config, env pipeline.Env) (pipeline.Operator, error) {
		if err := c.check(); err != nil {
			return nil, err
		}
		return newOperator(c, env, h), nil
	})
}

// check reports every fault.
func (c Config) check() error {
	var faults []error
	fault := func(bad bool, text string) {
		if bad {
			faults = append(faults, errors.New(text))
		}
	}
	fault(c.To < 1, "to is missing: how many clips each label is to have")
	fault(c.Model == "" || pipeline.Slug(c.Model) != c.Model, "model: use letters, digits, - and _")
	fault(!(c.Confidence >= 0 && c.Confidence < 1), "confidence must be at least 0 and below 1")
	if err := c.effort().Validate(); err != nil {
		faults = append(faults, errors.New(strings.Replace(err.Error(), "proof-", "proof_", 1)))
	}
	fault(c.Idle <= 0, "idle must be positive")
	fault(c.Again < 1, "again must be at least 1")
	fault(!(c.AgainShare >= 0 && c.AgainShare <= 1), "again_share must be between 0 and 1")
	fault(c.MaxRecordings < 2, "max_recordings must be at least 2")
	fault(c.MaxClips < 1, "max_clips must be at least 1")
	fault(c.Lease < 300*time.Millisecond, "lease must be at least 300ms")
	return errors.Join(faults...)
}
