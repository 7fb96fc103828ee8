package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/eval/metric"
)

// EvaluatorOptions says how a judge works. The zero value is usable.
type EvaluatorOptions struct {
	// Seed is the judge's own, for its classifier, its clusters and everything else random.
	Seed uint64
	// Epochs of the judge's classifier; 0 means as Options says.
	Epochs int
	// Useful adds Row.Usefulness to the rows of models and the ceiling, which trains several classifiers a row.
	Useful bool
	// Shares of the real clips that generated ones are added to; nil means DefaultShares, an empty list none.
	Shares []float64
	// Steps of each classifier that usefulness trains; 0 means 1000.
	Steps int
	// OnProgress, when not nil, is called with what is being done and which part of it is done, 0 to 1.
	OnProgress func(what string, part float64)
}

// DefaultShares are 5, 10, 50 and 100 %: where recordings are dear, and where they are not.
func DefaultShares() []float64 { return []float64{0.05, 0.1, 0.5, 1} }

// A heard set is clips as the judge hears them.
type heard struct {
	batch    models.Batch // with true labels
	predict  Prediction
	pictures [][]float64 // spectrograms at half the resolution, for distances
	silent   float64
}

// A Evaluator compares sets of clips with real ones. It is for one goroutine.
type Evaluator struct {
	options        EvaluatorOptions
	classifier     *Classifier
	train, heldOut heard
	bins           *metric.Bins
	trainBins      []int
	shares         []float64            // of each label in the held-out clips
	baselines      map[baseline]float64 // accuracy of classifiers trained on real clips
	report         Report
	real           Row
	diversity      float64 // of real clips: those held out or, where they are one a label, those trained on
}

// NewEvaluator trains a judge on real training clips, those that the models to be judged learnt from, and measures it on
// real held-out clips, which no model may have seen. Both need labels; every label must be among the held-out clips.
func NewEvaluator(ctx context.Context, train, heldOut []audio.Clip, o EvaluatorOptions) (*Evaluator, error) {
	if o.Shares == nil {
		o.Shares = DefaultShares()
	}
	if o.Steps == 0 {
		o.Steps = trialSteps
	}
	if o.OnProgress == nil {
		o.OnProgress = func(string, float64) {}
	}
	for _, s := range o.Shares {
		if !(s > 0 && s <= 1) {
			return nil, fmt.Errorf("eval: a share of %g of the real clips", s)
		}
	}
	j := &Evaluator{options: o, baselines: map[baseline]float64{}}
	var err error
	j.classifier, err = Train(ctx, train, Options{Seed: o.Seed, Epochs: o.Epochs, OnProgress: func(p Progress) {
		o.OnProgress("training the judge", float64(p.Epoch)/float64(p.Epochs))
	}})
	if err != nil {
		return nil, err
	}
	o.OnProgress("listening to real clips", 0)
	if j.train, err = j.hear(ctx, train); err != nil {
		return nil, err
	}
	if j.heldOut, err = j.hear(ctx, heldOut); err != nil {
		return nil, err
	}
	if err := j.measureReal(); err != nil {
		return nil, err
	}
	return j, nil
}

// Classifier returns the judge's own.
func (j *Evaluator) Classifier() *Classifier { return j.classifier }

// Report returns what is known of the data and the judge, and the row of held-out real clips. The caller appends
// further rows.
func (j *Evaluator) Report() Report {
	r := j.report
	r.Rows = []Row{j.real}
	return r
}

// hear listens to labelled clips.
func (j *Evaluator) hear(ctx context.Context, clips []audio.Clip) (heard, error) {
	if len(clips) == 0 {
		return heard{}, errors.New("eval: no clips to judge")
	}
	s := set{labels: j.classifier.labels, front: j.classifier.model.front}
	b, err := s.batch(ctx, clips)
	if err != nil {
		return heard{}, err
	}
	answers, err := j.classifier.model.answers(ctx, b)
	if err != nil {
		return heard{}, err
	}
	h := heard{batch: b, predict: j.classifier.model.prediction(answers), pictures: pictures(b)}
	silent := 0
	for i := range b.B {
		if slices.Max(b.Clip(i)) <= silence {
			silent++
		}
	}
	h.silent = float64(silent) / float64(b.B)
	return h, nil
}

// pictures are the spectrograms at half the resolution in both directions: a quarter of the values, and less sensitive
// to a shift by a frame.
func pictures(b models.Batch) [][]float64 {
	frames, bins := b.T/2, b.F/2
	out := make([][]float64, b.B)
	for i := range out {
		x := b.Clip(i)
		out[i] = make([]float64, frames*bins)
		for t := range frames {
			for f := range bins {
				at := 2*t*b.F + 2*f
				out[i][t*bins+f] = float64(x[at]+x[at+1]+x[at+b.F]+x[at+b.F+1]) / 4
			}
		}
	}
	return out
}

// counts returns the clips of each label.
func (h heard) counts(labels int) []int {
	n := make([]int, labels)
	for _, l := range h.batch.Labels {
		n[l]++
	}
	return n
}

// measureReal fills in everything that rows are compared with.
func (j *Evaluator) measureReal() error {
	k := len(j.classifier.labels)
	n := j.heldOut.counts(k)
	j.shares = make([]float64, k)
	for l, c := range n {
		if c == 0 {
			return fmt.Errorf("eval: no held-out clip is labelled %q", j.classifier.labels[l])
		}
		j.shares[l] = float64(c) / float64(j.heldOut.batch.B)
	}
	var err error
	// Fifty bins, as is usual, where they hold 20 training clips each.
	if j.bins, err = metric.Cluster(j.train.predict.Features, min(50, max(2, j.train.batch.B/20)), j.options.Seed); err != nil {
		return err
	}
	if j.trainBins, err = j.bins.Count(j.train.predict.Features); err != nil {
		return err
	}
	if j.diversity, err = diversity(j.heldOut); err == nil && j.diversity == 0 {
		j.diversity, err = diversity(j.train)
	}
	if err != nil {
		return err
	}
	if j.real, err = j.row("real", "real", j.heldOut); err != nil {
		return err
	}
	ece, err := metric.CalibrationError(j.heldOut.predict.Probs, j.heldOut.batch.Labels, 15)
	if err != nil {
		return err
	}
	j.report = Report{
		Format: 1, Labels: j.classifier.labels, TrainClips: j.train.batch.B, HeldOut: j.heldOut.batch.B, Seed: j.options.Seed,
		Evaluator: EvaluatorAccuracy{Validation: j.classifier.heldOut, Accuracy: j.real.LabelAccuracy, ECE: ece, Trusted: j.real.LabelAccuracy >= Gate},
	}
	return nil
}

// Row judges clips whose Label is what was asked for. The kind is "ceiling", "noise" or "model".
func (j *Evaluator) Row(ctx context.Context, name, kind string, clips []audio.Clip) (Row, error) {
	j.options.OnProgress("listening to "+name, 0)
	h, err := j.hear(ctx, clips)
	if err != nil {
		return Row{}, err
	}
	r, err := j.row(name, kind, h)
	if err != nil {
		return Row{}, err
	}
	if j.options.Useful && kind == "model" {
		r.Usefulness, err = j.usefulness(ctx, name, h)
	}
	return r, err
}

// row computes everything but usefulness.
func (j *Evaluator) row(name, kind string, h heard) (Row, error) {
	r := Row{Name: name, Kind: kind, Clips: h.batch.B, Silent: h.silent, Predicted: h.predict.Labels()}
	k := len(j.classifier.labels)
	var err error
	if r.Confusion, err = metric.Confusion(h.batch.Labels, r.Predicted, k); err != nil {
		return Row{}, err
	}
	r.LabelRecall = make([]float64, k)
	for l, n := range h.counts(k) {
		if n > 0 {
			r.LabelRecall[l] = float64(r.Confusion[l][l]) / float64(n)
		}
	}
	if r.LabelAccuracy, err = metric.Accuracy(h.batch.Labels, r.Predicted); err != nil {
		return Row{}, err
	}
	if err := j.overParts(&r, h); err != nil {
		return Row{}, err
	}
	if r.Kernel, err = metric.Kernel(h.predict.Features, j.train.predict.Features); err != nil {
		return Row{}, err
	}
	if r.Diversity, err = diversity(h); err != nil {
		return Row{}, err
	}
	if r.Memorisation, err = j.memorisation(h); err != nil {
		return Row{}, err
	}
	base := j.real
	if kind == "real" {
		base = r
	}
	r.InceptionRatio = ratio(r.Inception, base.Inception)
	r.ModifiedInceptionRatio = ratio(r.ModifiedInception, base.ModifiedInception)
	r.FrechetRatio = ratio(r.Frechet, base.Frechet)
	r.DiversityRatio = ratio(r.Diversity, j.diversity)
	return r, nil
}

// diversity is that of a set of clips, 0 where no label has two.
func diversity(h heard) (float64, error) {
	d, err := metric.Diversity(h.predict.Features, h.batch.Labels)
	if errors.Is(err, metric.ErrNoPairs) {
		return 0, nil
	}
	return d, err
}

// ratio is x / y, 0 where y is 0: JSON has no infinity.
func ratio(x, y float64) float64 {
	if y == 0 {
		return 0
	}
	return x / y
}

// memorisation compares the distances of clips to their nearest training clips with those of held-out clips.
func (j *Evaluator) memorisation(h heard) (Memorisation, error) {
	byPicture, err := metric.Memorise(h.pictures, j.heldOut.pictures, j.train.pictures)
	if err != nil {
		return Memorisation{}, err
	}
	byFeature, err := metric.Memorise(h.predict.Features, j.heldOut.predict.Features, j.train.predict.Features)
	if err != nil {
		return Memorisation{}, err
	}
	return Memorisation{
		Spectrogram: byPicture.Ratio, Features: byFeature.Ratio,
		RealSpectrogram: byPicture.HeldOut, RealFeatures: byFeature.HeldOut,
		Alarm:   byPicture.Alarm,
		Nearest: byPicture.Nearest, Ratios: byPicture.Ratios,
	}, nil
}

// parts deals clips in turn into disjoint sets with as many of each label as there are held-out clips. Where there are
// too few for one such set, it is one with what there is.
func (j *Evaluator) parts(h heard) [][]int {
	k := len(j.classifier.labels)
	want := j.heldOut.counts(k)
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

// overParts fills in the figures that depend on the number of clips.
func (j *Evaluator) overParts(r *Row, h heard) error {
	parts := j.parts(h)
	r.Parts = len(parts)
	weight := 1 / float64(len(parts))
	reference := j.heldOut.predict.Features
	for p, part := range parts {
		probs, features := pick(h.predict.Probs, part), pick(h.predict.Features, part)
		add := func(sum *float64, v float64, err error) error {
			*sum += v * weight
			return err
		}
		inception, _, err := metric.InceptionScore(probs, 1, j.options.Seed)
		err = errors.Join(err, add(&r.Inception, inception, nil))
		modified, e := metric.ModifiedInceptionScore(probs)
		err = errors.Join(err, add(&r.ModifiedInception, modified, e))
		am, e := metric.ActivationMaximization(probs, j.shares)
		err = errors.Join(err, add(&r.AM, am, e))
		frechet, e := metric.Frechet(features, j.train.predict.Features)
		err = errors.Join(err, add(&r.Frechet, frechet, e))
		count, e := j.bins.Count(features)
		if e == nil {
			var ndb float64
			ndb, e = metric.Different(j.trainBins, count)
			r.NDB += ndb * weight
		}
		err = errors.Join(err, e)
		if r.Kind == "real" {
			features = pick(j.train.predict.Features, j.parts(j.train)[p])
		}
		n := min(len(features), len(reference))
		ofReal, ofGenerated, e := metric.TwoSample(reference[:n], features[:n])
		r.TwoSample.Real += ofReal * weight
		r.TwoSample.Generated += ofGenerated * weight
		if err = errors.Join(err, e); err != nil {
			return err
		}
	}
	return nil
}

func pick[T any](x []T, indices []int) []T {
	out := make([]T, len(indices))
	for i, at := range indices {
		out[i] = x[at]
	}
	return out
}
