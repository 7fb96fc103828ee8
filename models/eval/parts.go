package eval

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"

	"wavemill/models/eval/metric"
)

// parts deals clips in turn into disjoint sets with as many of each label as there are held-out clips. Where there are
// too few for one such set, it is one with what there is.
func (e *Evaluator) parts(h embeddings) [][]int {
	k := len(e.classifier.labels)
	want := e.heldOut.counts(k)
	byLabel := make([][]int, k)
	for i, l := range h.batch.Labels {
		byLabel[l] = append(byLabel[l], i)
	}
	n := h.batch.B
	for l, of := range byLabel {
		n = min(n, len(of)/want[l])
	}
	parts := make([][]int, max(n, 1))
	for p := range parts {
		for l, of := range byLabel {
			for i := range want[l] {
				if at := p + i*len(parts); at < len(of) {
					parts[p] = append(parts[p], of[at])
				}
			}
		}
	}
	return parts
}

// The figures that depend on the number of clips, in the order of partFigures.
var partNames = [...]string{"inception_score", "modified_inception_score", "am_score", "frechet", "ndb"}

// leastOf and mostOf are the least and the greatest possible value of each of them.
var (
	leastOf = [...]float64{1, 1, 0, 0, 0}
	mostOf  = [...]float64{math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1), 1}
)

// partFigures are those figures of some clips.
func (e *Evaluator) partFigures(h embeddings, bins []int, clips []int) (v [len(partNames)]float64, err error) {
	probs, features := pick(h.predict.Probs, clips), pick(h.predict.Features, clips)
	var errs [len(partNames)]error
	v[0], _, errs[0] = metric.InceptionScore(probs, 1, e.options.Seed)
	v[1], errs[1] = metric.ModifiedInceptionScore(probs)
	v[2], errs[2] = metric.ActivationMaximization(probs, e.shares)
	if len(clips) > 1 && e.reference.Spread() > 0 {
		v[3], errs[3] = e.reference.Frechet(features)
	}
	count := make([]int, e.bins.Len())
	for _, i := range clips {
		count[bins[i]]++
	}
	v[4], errs[4] = metric.Different(e.trainBins, count)
	return v, errors.Join(errs[:]...)
}

// overParts fills in the figures that depend on the number of clips, with their draws.
func (e *Evaluator) overParts(r *Row, h embeddings) error {
	parts := e.parts(h)
	r.Parts = len(parts)
	bins, err := e.bins.Assign(h.predict.Features)
	if err != nil {
		return err
	}
	values := make([][len(partNames)]float64, len(parts))
	for p, part := range parts {
		if values[p], err = e.partFigures(h, bins, part); err != nil {
			return err
		}
	}
	resampled, err := e.partDraws(r.Name, h, bins, parts, values)
	if err != nil {
		return err
	}
	for at, to := range []*float64{&r.Inception, &r.ModifiedInception, &r.AM, &r.Frechet, &r.NDB} {
		d := draws{values: resampled[at]}
		for _, v := range values {
			d.value += v[at] / float64(len(values))
		}
		*to = d.value
		if partNames[at] == "frechet" {
			r.figures["frechet"] = d.rescaled()
		} else {
			r.figures[partNames[at]] = d.recentred(leastOf[at], mostOf[at])
		}
	}
	switch {
	case e.reference.Spread() == 0:
		r.unmeasured("frechet", "all training recordings have the same features")
	case len(parts[0]) < 2:
		r.unmeasured("frechet", "a single clip")
	}
	if _, missing := r.NotMeasured["frechet"]; missing {
		delete(r.figures, "frechet")
	}
	return e.twoSample(r, h, parts)
}

// partDraws returns the means over the parts on resamples: of the parts, where there are enough, else of the clips
// within each.
func (e *Evaluator) partDraws(name string, h embeddings, bins []int, parts [][]int, values [][len(partNames)]float64) (out [len(partNames)][]float64, err error) {
	for at := range out {
		out[at] = make([]float64, partResamples)
	}
	rng := stream(e.options.Seed, "parts of "+name, len(parts))
	n := float64(len(parts))
	if len(parts) >= leastParts {
		widen := math.Sqrt(n / (n - 1))
		for r := range partResamples {
			for range parts {
				v := values[rng.IntN(len(values))]
				for at := range out {
					out[at][r] += v[at] * widen / n
				}
			}
		}
		return out, nil
	}
	for r := range partResamples {
		for _, part := range parts {
			v, err := e.partFigures(h, bins, drawn(part, rng))
			if err != nil {
				return out, err
			}
			for at := range out {
				out[at][r] += v[at] / n
			}
		}
	}
	return out, nil
}

// drawn returns as many of the items, drawn with replacement.
func drawn(items []int, rng *rand.Rand) []int {
	out := make([]int, len(items))
	for i := range out {
		out[i] = items[rng.IntN(len(items))]
	}
	return out
}

// twoSample fills in the 1-nearest-neighbour test. The cases of the real half are the held-out clips, each with its mean
// over the parts.
func (e *Evaluator) twoSample(r *Row, h embeddings, parts [][]int) error {
	reference := e.heldOut.predict.Features
	var other [][]int
	if r.Kind == "real" {
		other = e.parts(e.train)
	}
	var ofReal, ofGenerated []float64
	for p, part := range parts {
		features := pick(h.predict.Features, part)
		if r.Kind == "real" {
			features = pick(e.train.predict.Features, other[p])
		}
		n := min(len(features), len(reference))
		if n < 2 {
			r.unmeasured("two_sample", "a single clip")
			return nil
		}
		real, generated, err := metric.TwoSampleHits(reference[:n], features[:n])
		if err != nil {
			return err
		}
		ofGenerated = append(ofGenerated, generated...)
		for i, v := range real {
			if i == len(ofReal) {
				ofReal = append(ofReal, 0)
			}
			ofReal[i] += v / float64(len(parts))
		}
	}
	seed := e.options.Seed
	x := shareDraws(ofReal, stream(seed, "recordings", len(ofReal)))
	y := shareDraws(ofGenerated, stream(seed, strings.Join([]string{"1-NN of", r.Name}, " "), len(ofGenerated)))
	r.figures["two_sample.real"], r.figures["two_sample.generated"] = x, y
	both := draws{value: (x.value + y.value) / 2, values: make([]float64, len(x.values)), cases: min(x.cases, y.cases)}
	for i := range both.values {
		both.values[i] = (x.values[i] + y.values[i]) / 2
	}
	r.figures["two_sample"] = both
	r.TwoSample = TwoSample{Real: x.value, Generated: y.value}
	return nil
}

func pick[T any](x []T, indices []int) []T {
	out := make([]T, len(indices))
	for i, at := range indices {
		out[i] = x[at]
	}
	return out
}
