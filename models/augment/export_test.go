package augment

// NewProof summarises outcomes of a baseline and an arm of added clips, [arm][seed][test recording].
func NewProof(outcomes [][][]bool) *Proof {
	return newProof([]arm{{name: "recordings"}, {name: "more"}}, outcomes, 10)
}

// WithSteps returns the job with the number of steps of the proof's classifiers.
func (j Job) WithSteps(steps int) Job {
	j.steps = steps
	return j
}
