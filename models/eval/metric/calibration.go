package metric

import (
	"fmt"
	"math"
)

// Softmax returns the probabilities of logits divided by a temperature, which must be above zero.
func Softmax(logits []float64, temperature float64) []float64 {
	top := math.Inf(-1)
	for _, v := range logits {
		top = math.Max(top, v)
	}
	p := make([]float64, len(logits))
	var sum float64
	for i, v := range logits {
		p[i] = math.Exp((v - top) / temperature)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// Temperatures are searched between these.
const (
	coldest = 1e-2
	hottest = 1e2
)

// Temperature returns the T that makes softmax(logits / T) the most likely explanation of the labels: the minimum of
// the mean negative log-likelihood, which is convex in 1/T. Its argmax, and so the accuracy, stays.
//
// A classifier that is right about every clip would be driven to certainty; as Platt did, the targets are therefore
// (n+1)/(n+2) for the true label, the rest shared among the others: what n right answers in a row let one believe.
//
// Source: Guo et al., On Calibration of Modern Neural Networks, 2017; Platt, Probabilistic Outputs for Support Vector
// Machines, 1999.
func Temperature(logits [][]float64, labels []int) (float64, error) {
	k, err := table("logits", logits, 1)
	if err != nil {
		return 0, err
	}
	if err := classes("labels", labels, len(logits), k); err != nil {
		return 0, err
	}
	if k < 2 {
		return 0, fmt.Errorf("metric: a temperature for %d label", k)
	}
	n := float64(len(logits))
	right := (n + 1) / (n + 2)
	wrong := (1 - right) / float64(k-1)
	// slope is the derivative of the mean loss by 1/T; it grows with 1/T.
	slope := func(inverse float64) float64 {
		var s float64
		for i, row := range logits {
			for j, p := range Softmax(row, 1/inverse) {
				target := wrong
				if j == labels[i] {
					target = right
				}
				s += (p - target) * row[j]
			}
		}
		return s
	}
	lo, hi := 1/hottest, 1/coldest
	for range 100 {
		mid := math.Sqrt(lo * hi)
		if slope(mid) < 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return 1 / math.Sqrt(lo*hi), nil
}

// LogLoss is the mean negative log-likelihood of the labels in nats.
func LogLoss(probs [][]float64, labels []int) (float64, error) {
	k, err := table("probabilities", probs, 1)
	if err != nil {
		return 0, err
	}
	if err := classes("labels", labels, len(probs), k); err != nil {
		return 0, err
	}
	var loss float64
	for i, l := range labels {
		loss -= logp(probs[i][l]) / float64(len(labels))
	}
	return loss, nil
}

// CalibrationError is the expected calibration error: clips are binned by the confidence of their most probable label
// into bins of equal width, and the gaps between accuracy and mean confidence are averaged, weighted by clips. 15 bins
// are usual.
//
// Source: Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, 2015; Guo et al., 2017.
func CalibrationError(probs [][]float64, labels []int, bins int) (float64, error) {
	k, err := table("probabilities", probs, 1)
	if err != nil {
		return 0, err
	}
	if err := classes("labels", labels, len(probs), k); err != nil {
		return 0, err
	}
	if bins < 1 {
		return 0, fmt.Errorf("metric: %d bins", bins)
	}
	// gap[b] is the sum over the bin's clips of correctness minus confidence.
	gap := make([]float64, bins)
	for i, row := range probs {
		best := 0
		for j, p := range row {
			if p > row[best] {
				best = j
			}
		}
		b := min(max(int(math.Ceil(row[best]*float64(bins)))-1, 0), bins-1) // bins are open below, closed above
		gap[b] -= row[best]
		if best == labels[i] {
			gap[b]++
		}
	}
	var e float64
	for _, g := range gap {
		e += math.Abs(g) / float64(len(probs))
	}
	return e, nil
}
