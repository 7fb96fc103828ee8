package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// tiny keeps logarithms finite where a probability has underflowed.
const tiny = 1e-16

func logp(p float64) float64 { return math.Log(math.Max(p, tiny)) }

// InceptionScore is exp(E_x KL(p(y|x) || p(y))), between 1 and the number of labels: high when every clip is
// classified with confidence and all labels occur equally. The clips are dealt at random, by seed, into equal splits, p(y) is
// taken within each, and the scores' mean and standard deviation (divided by the number of splits) are returned.
// Surplus clips are left out.
//
// Source: Salimans et al., Improved Techniques for Training GANs, 2016.
func InceptionScore(probs [][]float64, splits int, seed uint64) (mean, sd float64, err error) {
	k, err := table("probabilities", probs, max(1, splits))
	if err != nil {
		return 0, 0, err
	}
	if splits < 1 {
		return 0, 0, fmt.Errorf("metric: %d splits", splits)
	}
	order := rand.New(rand.NewPCG(seed, 0x6973)).Perm(len(probs))
	size := len(probs) / splits
	scores := make([]float64, splits)
	for s := range scores {
		marginal := make([]float64, k)
		var negEntropy float64
		for _, i := range order[s*size : (s+1)*size] {
			for j, p := range probs[i] {
				marginal[j] += p / float64(size)
				negEntropy += p * logp(p) / float64(size)
			}
		}
		// E KL(p || m) = E sum p log p - sum m log m, because m is the mean of p.
		for _, m := range marginal {
			negEntropy -= m * logp(m)
		}
		scores[s] = math.Exp(negEntropy)
		mean += scores[s] / float64(splits)
	}
	for _, s := range scores {
		sd += (s - mean) * (s - mean) / float64(splits)
	}
	return mean, math.Sqrt(sd), nil
}

// ModifiedInceptionScore is exp(E_ij KL(p(y|x_i) || p(y|x_j))) over all n² ordered pairs of clips. It rewards
// diversity between clips of one label too, and has no upper bound. Taking all pairs has the expectation of the usual
// sample of 10,000 pairs and none of its variance; it costs no more, because the double sum falls apart.
//
// Source: Gurumurthy et al., DeLiGAN, 2017, as used by the SaShiMi and DiffWave papers for SC09.
func ModifiedInceptionScore(probs [][]float64) (float64, error) {
	k, err := table("probabilities", probs, 1)
	if err != nil {
		return 0, err
	}
	n := float64(len(probs))
	meanP, meanLog := make([]float64, k), make([]float64, k)
	var kl float64
	for _, row := range probs {
		for j, p := range row {
			l := logp(p)
			kl += p * l / n
			meanP[j] += p / n
			meanLog[j] += l / n
		}
	}
	for j, p := range meanP {
		kl -= p * meanLog[j]
	}
	return math.Exp(kl), nil
}

// ActivationMaximization is the AM score, KL(data(y) || p(y)) + E_x H(p(y|x)) in nats, where p(y) is the mean of
// probs: 0 is best, every clip classified with certainty and labels as frequent as in data, which holds the share of each
// label in the data.
//
// Source: Zhou et al., Activation Maximization Generative Adversarial Nets, 2018.
func ActivationMaximization(probs [][]float64, data []float64) (float64, error) {
	k, err := table("probabilities", probs, 1)
	if err != nil {
		return 0, err
	}
	if len(data) != k {
		return 0, fmt.Errorf("metric: shares of %d labels for probabilities of %d", len(data), k)
	}
	marginal := make([]float64, k)
	var am float64
	for _, row := range probs {
		for j, p := range row {
			am -= p * logp(p) / float64(len(probs))
			marginal[j] += p / float64(len(probs))
		}
	}
	for j, d := range data {
		if d > 0 {
			am += d * (math.Log(d) - logp(marginal[j]))
		}
	}
	return am, nil
}
