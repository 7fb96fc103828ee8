package eval

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"wavemill/internal/stats"
	"wavemill/models/eval/metric"
)

// row computes everything but usefulness.
func (e *Evaluator) row(name, kind string, h embeddings) (Row, error) {
	r := Row{Name: name, Kind: kind, Clips: h.batch.B, Predicted: h.predict.Labels(), figures: figures{}}
	for _, fill := range []func(*Row, embeddings) error{e.accuracies, e.overParts, e.kernel, e.audioKernel, e.frechetLimit, e.diversities, e.memorisation} {
		if err := fill(&r, h); err != nil {
			return Row{}, err
		}
	}
	e.ratios(&r)
	r.Intervals = r.figures.intervals()
	return r, nil
}

// accuracies fills in the shares of clips.
func (e *Evaluator) accuracies(r *Row, h embeddings) error {
	k := len(e.classifier.labels)
	var err error
	if r.Confusion, err = metric.Confusion(h.batch.Labels, r.Predicted, k); err != nil {
		return err
	}
	hits, seed := h.hits(), e.options.Seed
	r.figures["label_accuracy"] = shareDraws(hits, stream(seed, "clips", len(hits)))
	r.figures["silent"] = shareDraws(h.silent, stream(seed, "clips", len(hits)))
	r.LabelAccuracy, r.Silent = r.figures["label_accuracy"].value, r.figures["silent"].value
	r.LabelRecall = make([]float64, k)
	byLabel := make([][]float64, k)
	for i, l := range h.batch.Labels {
		byLabel[l] = append(byLabel[l], hits[i])
	}
	for l, of := range byLabel {
		if len(of) > 0 {
			d := shareDraws(of, stream(seed, "clips of "+e.classifier.labels[l], len(of)))
			r.LabelRecall[l] = d.value
			r.figures["label_recall."+e.classifier.labels[l]] = d
		}
	}
	return nil
}

// kernel fills in the kernel distance.
func (e *Evaluator) kernel(r *Row, h embeddings) error {
	n := h.batch.B
	if n < 2 {
		r.unmeasured("kernel_distance", "a single clip")
		return nil
	}
	counts := resampledCounts(n, stream(e.options.Seed, "kernel "+r.Name, n))
	value, values, err := metric.KernelResampled(h.predict.Features, e.train.predict.Features, counts)
	if err != nil {
		return err
	}
	r.Kernel = value
	r.figures["kernel_distance"] = draws{value: value, values: values}.recentred(math.Inf(-1), math.Inf(1))
	return nil
}

// diversities fills in the diversity.
func (e *Evaluator) diversities(r *Row, h embeddings) error {
	d, err := e.diversityOf(r.Name, h)
	if err != nil {
		return err
	}
	if len(d.values) == 0 {
		r.unmeasured("diversity", "no label has two clips")
		return nil
	}
	r.Diversity = d.value
	r.figures["diversity"] = d
	return nil
}

// diversityOf is that of a set of clips, 0 and without draws where no label has two.
func (e *Evaluator) diversityOf(name string, h embeddings) (draws, error) {
	terms, err := metric.DiversityTerms(h.predict.Features, h.batch.Labels)
	if errors.Is(err, metric.ErrNoPairs) {
		return draws{}, nil
	}
	if err != nil {
		return draws{}, err
	}
	d := draws{values: make([]float64, resamples)}
	rng := stream(e.options.Seed, "diversity of "+name, h.batch.B)
	for _, of := range terms {
		mean := average(of)
		d.value += mean / float64(len(terms))
		for i, v := range meanDraws(of, resamples, rng) {
			d.values[i] += (2*v - mean) / float64(len(terms))
		}
	}
	for i, v := range d.values {
		d.values[i] = max(v, 0)
	}
	return d, nil
}

// ratio is x / y, 0 where y is 0: JSON has no infinity.
func ratio(x, y float64) float64 {
	if y == 0 {
		return 0
	}
	return x / y
}

// ratios fills in the ratios to real clips. Those of real clips are 1 by definition.
func (e *Evaluator) ratios(r *Row) {
	base := e.real.figures
	if r.Kind == "real" {
		base = r.figures
	}
	fill := func(to *float64, name string, d, by draws) {
		if len(d.values) == 0 || by.value == 0 {
			if len(d.values) > 0 {
				r.unmeasured(name, "it is 0 of the real clips")
			}
			return
		}
		q := d.over(by)
		*to = q.value
		if r.Kind != "real" {
			r.figures[name] = q
		} else {
			r.figures[name] = draws{value: q.value, values: []float64{q.value}}
		}
	}
	f := r.figures
	fill(&r.InceptionRatio, "inception_ratio", f["inception_score"], base["inception_score"])
	fill(&r.ModifiedInceptionRatio, "modified_inception_ratio", f["modified_inception_score"], base["modified_inception_score"])
	fill(&r.FrechetRatio, "frechet_ratio", f["frechet"], base["frechet"])
	fill(&r.DiversityRatio, "diversity_ratio", f["diversity"], e.diversity)
}

// unmeasured notes why a figure could not be measured.
func (r *Row) unmeasured(figure, why string) {
	if r.NotMeasured == nil {
		r.NotMeasured = map[string]string{}
	}
	r.NotMeasured[figure] = why
}

// memorisation compares the distances of clips to their nearest training clips with those of held-out clips.
func (e *Evaluator) memorisation(r *Row, h embeddings) error {
	bySpectrogram, err := metric.Memorise(h.downsampled, e.heldOut.downsampled, e.train.downsampled)
	if err != nil {
		return err
	}
	byFeature, err := metric.Memorise(h.predict.Features, e.heldOut.predict.Features, e.train.predict.Features)
	if err != nil {
		return err
	}
	r.Memorisation = Memorisation{
		Spectrogram: bySpectrogram.Ratio, Features: byFeature.Ratio,
		RealSpectrogram: bySpectrogram.HeldOut, RealFeatures: byFeature.HeldOut,
		Limit: bySpectrogram.Limit, Alarm: bySpectrogram.Alarm, Judged: bySpectrogram.Judged, Reason: bySpectrogram.Reason,
		Nearest: bySpectrogram.Nearest, Ratios: bySpectrogram.Ratios,
	}
	if !bySpectrogram.Judged {
		r.unmeasured("memorisation", bySpectrogram.Reason)
	}
	e.quantileDraws(r, "memorisation.spectrogram", bySpectrogram)
	e.quantileDraws(r, "memorisation.features", byFeature)
	return nil
}

// quantileDraws resamples the generated clips and, for the unit of distance, the real ones.
func (e *Evaluator) quantileDraws(r *Row, name string, m metric.Memorisation) {
	if len(m.Reference) == 0 {
		return
	}
	clips, real := stream(e.options.Seed, name, len(m.Ratios)), stream(e.options.Seed, "scale of "+name, len(m.Reference))
	d := draws{value: m.Ratio, values: make([]float64, partResamples)}
	x, y := make([]float64, len(m.Ratios)), make([]float64, len(m.Reference))
	for i := range d.values {
		for at := range x {
			x[at] = m.Ratios[clips.IntN(len(m.Ratios))]
		}
		for at := range y {
			y[at] = m.Reference[real.IntN(len(m.Reference))]
		}
		d.values[i] = ratio(stats.Quantile(x, 0.05), stats.Median(y))
	}
	r.figures[name] = d
}

// figure returns a figure by its JSON name.
func (r Row) figure(name string) (float64, bool) {
	if d, ok := r.figures[name]; ok {
		return d.value, true
	}
	values := map[string]float64{
		"label_accuracy": r.LabelAccuracy, "silent": r.Silent, "inception_score": r.Inception, "inception_ratio": r.InceptionRatio,
		"modified_inception_score": r.ModifiedInception, "modified_inception_ratio": r.ModifiedInceptionRatio, "am_score": r.AM,
		"frechet": r.Frechet, "frechet_ratio": r.FrechetRatio, "kernel_distance": r.Kernel,
		"kernel_audio_distance": r.AudioKernel, "frechet_limit": r.FrechetLimit, "ndb": r.NDB,
		"two_sample":      (r.TwoSample.Real + r.TwoSample.Generated) / 2,
		"two_sample.real": r.TwoSample.Real, "two_sample.generated": r.TwoSample.Generated,
		"memorisation.spectrogram": r.Memorisation.Spectrogram, "memorisation.features": r.Memorisation.Features,
		"diversity": r.Diversity, "diversity_ratio": r.DiversityRatio,
	}
	if u := r.Usefulness; u != nil {
		values[FigureAlone], values[FigureReal], values[FigureRatio] = u.Alone, u.Real, u.Ratio
		for _, g := range u.Added {
			values[FigureGain(g.Share)] = g.Points
		}
	}
	v, ok := values[name]
	return v, ok
}

// Interval returns the interval of a figure by its JSON name: those of Row.Intervals, and of usefulness those below.
func (r Row) Interval(figure string) (Interval, bool) { return r.interval(figure) }

func (r Row) interval(figure string) (Interval, bool) {
	if i, ok := r.Intervals[figure]; ok {
		return i, true
	}
	u := r.Usefulness
	if u == nil {
		return Interval{}, false
	}
	for at, name := range []string{FigureAlone, FigureReal, FigureRatio} {
		if name == figure {
			i, ok := u.Intervals[[]string{"trained_on_synthetic", "trained_on_real", "ratio"}[at]]
			return i, ok
		}
	}
	at := slices.IndexFunc(u.Added, func(g Gain) bool { return FigureGain(g.Share) == figure })
	if at < 0 {
		return Interval{}, false
	}
	i, ok := u.Added[at].Intervals["gain_points"]
	return i, ok
}

// Names of the figures of usefulness, for Compare.
const (
	FigureAlone = "usefulness.trained_on_synthetic"
	FigureReal  = "usefulness.trained_on_real"
	FigureRatio = "usefulness.ratio"
	FigureGains = "usefulness.gain_points." // before a share, see FigureGain
)

// FigureGain names the gain beside a share of the recordings.
func FigureGain(share float64) string { return fmt.Sprintf("%s%g", FigureGains, share) }
