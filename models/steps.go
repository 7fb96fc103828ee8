package models

// A Stepper is a Generator that makes clips in a number of steps, which is a setting of generation: more steps take longer
// and follow the learned distribution more closely.
type Stepper interface {
	Generator
	// WithSteps returns a generator of the same model that takes so many steps. It shares the model's memory. A number
	// that the model cannot take is an error.
	WithSteps(steps int) (Generator, error)
}
