package augment

import "wavemill/models/eval"

// NewProof summarises outcomes of a baseline and an arm of added clips, [arm][seed][test recording].
func NewProof(outcomes [][][]bool) *Proof {
	return newProof(eval.Outcomes{Plain: outcomes[0], Before: outcomes[0], After: outcomes[1]}, 10, 5)
}
