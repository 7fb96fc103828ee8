package models

import "context"

// An Evaluation is the result of Trainer.Evaluate: measurements of the clips that a model generates.
type Evaluation struct {
	Metrics  map[string]float64 // figures by name, such as "preview/distance"; finite
	Warnings []Warning
}

// A Warning says that a model goes wrong in a way that is known, and what to do about it.
type Warning struct {
	Kind    string `json:"kind"` // of the detector, such as "collapse"
	Finding string `json:"saw"`  // what was seen, with its figures
	Advice  string `json:"try"`  // what to try
}

// String returns one line for a person.
func (w Warning) String() string { return w.Kind + ": " + w.Finding + "; try: " + w.Advice }

// LRScaler is a Learner whose learning rates can be scaled; the Trainer lowers them when training has diverged.
type LRScaler interface {
	// ScaleLR multiplies the configured learning rates by factor, from the next step on. It is not cumulative, and not part
	// of the checkpoint: the Trainer sets it again when it resumes.
	ScaleLR(factor float64)
}

// ModeFitter is a Learner that analyses the training data before the first step. The Trainer calls FitModes before the first
// step of a training that is not resumed, or is resumed with other data (Trainer.NewData). A Learner whose FitModes is never
// called trains without modes.
type ModeFitter interface {
	// FitModes takes from the training data what the learner's steps need to know of all of it. It keeps none of it.
	FitModes(ctx context.Context, train Batch) error
}

// LearningRater is a Learner that reports its learning rate.
type LearningRater interface {
	// LearningRate returns the learning rate of the next step; of a GAN, the generator's.
	LearningRate() float64
}
