package vae

import "slices"

// priorTransferred is the prior of a rare label, whatever the configuration says: the variation of other labels around its clips.
const priorTransferred = "transferred"

const (
	rareClips = 20 // with fewer, the clips of a label do not show how it varies
	rareShare = 4  // and others do: the median label has so many times as many
)

// rareLabels returns which labels have so few clips, beside others with many, that their variation is taken from those.
func rareLabels(groups [][]int) []bool {
	counts := make([]int, len(groups))
	for l, of := range groups {
		counts[l] = len(of)
	}
	sorted := slices.Sorted(slices.Values(counts))
	median := sorted[len(sorted)/2]
	out := make([]bool, len(groups))
	for l, n := range counts {
		out[l] = n < rareClips && n*rareShare <= median
	}
	return out
}

// transferredCentres is how far the centres move from the label's mean towards its clips.
const transferredCentres = 0.7

// transferred returns the centres of Gaussians around the latents of a rare label's few clips, which are moved towards their
// mean. The covariance of the Gaussians is that within all labels: how clips of other labels vary is how clips of a new one
// will. Clips that are drawn as near to the few as those of other labels are to their neighbours vary too little
// (docs/experiments.md, "A new label").
func transferred(z []float32, rows []int, mean []float64) mixture {
	latent := len(mean)
	var m mixture
	for _, r := range rows {
		for j, v := range z[r*latent : (r+1)*latent] {
			m.mean = append(m.mean, float32(mean[j]+transferredCentres*(float64(v)-mean[j])))
		}
	}
	m.weight = slices.Repeat([]float32{1 / float32(len(rows))}, len(rows))
	return m
}
