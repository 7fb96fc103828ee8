package eval

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"wavemill/models/eval/metric"
)

// audioKernel fills in the kernel audio distance.
func (e *Evaluator) audioKernel(r *Row, h embeddings) error {
	n := h.batch.B
	if n < 2 {
		r.unmeasured("kernel_audio_distance", "a single clip")
		return nil
	}
	value, values, err := metric.AudioKernelResampled(h.predict.Features, e.train.predict.Features, resampledCounts(n, stream(e.options.Seed, "audio kernel "+r.Name, n)))
	if errors.Is(err, metric.ErrNoSpread) {
		r.unmeasured("kernel_audio_distance", "most training recordings have the same features")
		return nil
	}
	if err != nil {
		return err
	}
	r.AudioKernel = value
	r.figures["kernel_audio_distance"] = draws{value: value, values: values}.recentred(math.Inf(-1), math.Inf(1))
	return nil
}

// resampledCounts says how often each of n clips is in each of kernelResamples resamples.
func resampledCounts(n int, rng *rand.Rand) [][]float64 {
	counts := make([][]float64, kernelResamples)
	for i := range counts {
		counts[i] = make([]float64, n)
		for range n {
			counts[i][rng.IntN(n)]++
		}
	}
	return counts
}

// frechetLimit fills in the Fréchet distance without the bias of few clips.
func (e *Evaluator) frechetLimit(r *Row, h embeddings) error {
	if e.reference.Spread() == 0 {
		r.unmeasured("frechet_limit", "all training recordings have the same features")
		return nil
	}
	if least := e.reference.LimitRows(); h.batch.B < least {
		r.unmeasured("frechet_limit", fmt.Sprintf("%d clips; it takes %d", h.batch.B, least))
		return nil
	}
	limit, without, err := e.reference.FrechetLimit(h.predict.Features, e.options.Seed)
	if err != nil {
		return err
	}
	r.FrechetLimit = limit
	// The draws are means of resampled pseudo-values of the jackknife (Tukey 1958).
	d := draws{value: limit, values: make([]float64, resamples)}
	groups := float64(len(without))
	rng := stream(e.options.Seed, "Fréchet limit of "+r.Name, h.batch.B)
	for i := range d.values {
		for range without {
			d.values[i] += (groups*limit - (groups-1)*without[rng.IntN(len(without))]) / groups
		}
	}
	r.figures["frechet_limit"] = d.recentred(math.Inf(-1), math.Inf(1))
	return nil
}
