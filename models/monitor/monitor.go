package monitor

import (
	"context"
	"errors"
	"fmt"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
)

// Names of the figures that a Monitor adds to a checkpoint's metrics. All but Distance are 1 where previews are like
// recordings.
const (
	Distance  = "preview/distance"  // to recordings, see Monitor.Evaluate; the lower the better
	Diversity = "preview/diversity" // mean distance within a label, divided by that of recordings
	Nearest   = "preview/nearest"   // 5 % quantile of the distance to the nearest training clip, by the median of held-out clips
)

// Previews are what a model made at one evaluation.
type Previews struct {
	Step   int64
	Labels []string
	Batch  models.Batch // labels in order, equally many clips of each
}

// Options say what a Monitor does beside measuring. The zero value is usable.
type Options struct {
	// Seed of the clips made at every evaluation, so that evaluations differ by the model alone, and of all that is
	// drawn from the data.
	Seed uint64
	// Clips is about how many are made; 0 means 256, some tens for each of ten labels, at a cost below that of twenty
	// training steps.
	Clips int
	// Previews, when not nil, writes pictures and sounds of some of them.
	Previews *PreviewWriter
	// Open opens the checkpoints; nil means architectures.Open.
	Open func(models.Checkpoint) (models.Generator, error)
}

// A Monitor evaluates the checkpoints of one training. It is for one goroutine.
type Monitor struct {
	options Options
	labels  []string
	front   *frontend.FrontEnd
	request models.Request
	basis   *basis
	real    *reference // nil where all recordings are equal
	sound   *soundLimits
	equal   []float64 // the features of the recordings where all are equal, else nil

	soundCheck *soundCheck
	recordings int              // to learn from
	found      []models.Warning // about the recordings
}

// Limits on the clips that are used.
const (
	defaultClips = 256
	realLimit    = 1024  // recordings that figures are taken from, evenly over labels
	nearLimit    = 16384 // recordings that previews might be copies of
	minHeldOut   = 20    // below, distances to the nearest clip are compared with those among training clips
)

// New prepares a Monitor for a training on the clips of train. val are clips that the training does not learn from; it may
// be empty. The batches are not kept.
func New(train, val models.Batch, labels []string, fe models.FrontEnd, o Options) (*Monitor, error) {
	if err := train.Validate(len(labels)); err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	if val.B > 0 {
		if err := val.Validate(len(labels)); err != nil {
			return nil, fmt.Errorf("monitor: held-out clips: %w", err)
		}
		if val.T != train.T || val.F != train.F {
			return nil, fmt.Errorf("monitor: held-out clips of [%d, %d], training clips of [%d, %d]", val.T, val.F, train.T, train.F)
		}
	}
	front, err := frontend.New(fe)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	if o.Open == nil {
		o.Open = architectures.Open
	}
	if o.Clips <= 0 {
		o.Clips = defaultClips
	}
	all := sample(train, len(labels), nearLimit)
	whole := train
	train = sample(train, len(labels), realLimit)
	w := &Monitor{options: o, labels: labels, front: front, sound: limitsOf(fe.Spectrogram, train)}
	w.request = request(len(labels), o.Clips, o.Seed)
	w.soundCheck, w.recordings = newSoundCheck(front, train, labels), whole.B
	if warning, found := imbalance(whole, labels); found {
		w.found = append(w.found, warning)
	}
	features := featuresOf(train)
	switch w.basis, err = newBasis(features); {
	case errors.Is(err, errEqual):
		w.equal = means(features)
		return w, nil
	case err != nil:
		return nil, fmt.Errorf("monitor: %w", err)
	}
	val = sample(val, len(labels), realLimit)
	held := w.basis.project(featuresOf(val))
	w.real = newReference(w.basis.project(features), train.Labels, w.basis.project(featuresOf(all)), held, len(labels))
	if warning, found := w.real.confusion(labels); found {
		w.found = append(w.found, warning)
	}
	return w, nil
}

// request asks for about so many clips, equally many of each label, or two of as many labels as there is room for.
func request(labels, clips int, seed uint64) models.Request {
	var of []int
	count := min(labels, max(1, clips/2))
	for i := range count {
		for range max(2, clips/count) {
			of = append(of, i*labels/count)
		}
	}
	return models.Series(of, seed, 0)
}

// sample returns about limit clips, evenly over the labels and over each label's clips; all, where there are no more.
func sample(b models.Batch, labels, limit int) models.Batch {
	if b.B <= limit {
		return b
	}
	of := make([][]int, labels)
	for i, l := range b.Labels {
		of[l] = append(of[l], i)
	}
	var chosen []int
	for _, clips := range of {
		n := min(len(clips), max(1, limit/labels))
		for i := range n {
			chosen = append(chosen, clips[i*len(clips)/n])
		}
	}
	return b.Select(models.Batch{}, chosen)
}

// Evaluate generates previews with a checkpoint and measures them: it is for models.Trainer.Evaluate.
//
// The figure Distance is the mean of two Fréchet distances between previews and training recordings, over 32 principal
// components of coarse spectrograms (means and deviations of 16 by 16 cells): one of all clips, and one within labels,
// with diagonal covariances; each divided by the recordings' own variance. 0 is equality; about 2 is no resemblance.
// Where all recordings are equal, so that they have no variance, it is the mean squared difference of the cells instead, and
// there is a warning. Sources: Heusel et al. 2017 for the distance, DeVries et al. 2019 for the distance within labels.
func (w *Monitor) Evaluate(ctx context.Context, c models.Checkpoint) (models.Evaluation, error) {
	g, err := w.options.Open(c)
	if err != nil {
		return models.Evaluation{}, err
	}
	b, err := g.Generate(ctx, w.request)
	if err != nil {
		return models.Evaluation{}, err
	}
	v, err := w.evaluate(b, c)
	if err != nil {
		return v, err
	}
	if c.Planned > 0 && float64(c.Step) >= measuredFrom*float64(c.Planned) {
		found, err := w.soundCheck.warnings(ctx, b)
		if err != nil {
			return v, fmt.Errorf("sounds of step %d: %w", c.Step, err)
		}
		v.Warnings = append(v.Warnings, found...)
	}
	if w.options.Previews != nil {
		if err := w.options.Previews.show(ctx, w.front, Previews{Step: c.Step, Labels: w.labels, Batch: b}); err != nil {
			// The figures are whole: files that are missing must not change the choice of the weights.
			v.Warnings = append(v.Warnings, unwritten(c.Step, err))
		}
	}
	return v, nil
}

// evaluate measures made clips.
func (w *Monitor) evaluate(b models.Batch, c models.Checkpoint) (models.Evaluation, error) {
	if err := b.Validate(len(w.labels)); err != nil {
		return models.Evaluation{}, err
	}
	for _, x := range b.Data {
		if x != x || x-x != 0 {
			return models.Evaluation{}, errors.New("a clip holds values that are not numbers")
		}
	}
	h := w.clipShapes(b)
	v := models.Evaluation{Metrics: map[string]float64{}}
	detectors := []func() (models.Warning, bool){
		func() (models.Warning, bool) { return w.silence(h) },
		func() (models.Warning, bool) { return w.tone(h) },
		func() (models.Warning, bool) { return w.noise(h) },
	}
	if w.equal != nil {
		v.Metrics[Distance] = squaredDistance(featuresOf(b), w.equal)
		detectors = append(detectors, equalRecordings)
	} else {
		made := w.basis.project(featuresOf(b))
		d, err := w.real.distance(made, b.Labels)
		if err != nil {
			return models.Evaluation{}, err
		}
		diversity, nearest := w.real.diversity(made, b.Labels), w.real.nearness(made)
		v.Metrics[Distance], v.Metrics[Nearest] = d, nearest
		if diversity.known {
			v.Metrics[Diversity] = diversity.mean
		}
		detectors = append(detectors,
			func() (models.Warning, bool) { return w.collapse(diversity) },
			func() (models.Warning, bool) { return w.memorisation(nearest) })
	}
	detectors = append(detectors,
		func() (models.Warning, bool) { return discriminator(c.Metrics) },
		func() (models.Warning, bool) { return steps(c, w.recordings, v.Metrics[Distance]) })
	for _, detect := range detectors {
		if warning, found := detect(); found {
			v.Warnings = append(v.Warnings, warning)
		}
	}
	v.Warnings = append(v.Warnings, w.found...)
	return v, nil
}

// squaredDistance is the mean squared difference of features from those of recordings that are all equal.
func squaredDistance(features [][]float64, of []float64) float64 {
	var sum float64
	for _, f := range features {
		for j, v := range f {
			sum += (v - of[j]) * (v - of[j])
		}
	}
	return sum / float64(len(features)*len(of))
}
