package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/eval/metric"
)

// EvaluatorOptions configure an evaluator. The zero value is usable.
type EvaluatorOptions struct {
	// Seed of the evaluator's classifier, clusters, resamples and everything else random.
	Seed uint64
	// Epochs of the evaluator's classifier; 0 means as Options says.
	Epochs int
	// Classifier, when not nil, is used in place of one that is trained. Its labels must be those of the clips, and it must have
	// been trained on clips that none of the held-out ones is among.
	Classifier *Classifier
	// Useful adds Row.Usefulness to the rows of models, which trains several classifiers a row.
	Useful bool
	// Quick trains one classifier of each kind for usefulness instead of three, with a third of the steps, and adds
	// clips to no share of the real ones. Its intervals do not cover the deviation from classifier to classifier.
	Quick bool
	// Shares of the real clips that generated ones are added to; nil means DefaultShares, an empty list none.
	Shares []float64
	// Steps of each classifier that usefulness trains; 0 means 1500 for gains and 1000 for others, or 300 where Quick.
	Steps int
	// Policies of augmentation that the baseline of gains is chosen from; nil means Policies.
	Policies []Policy
	// Groups of the held-out clips, in their order; nil: they have none and rows no Groups.
	Groups []Group
	// OnProgress, when not nil, is called with what is being done and which part of it is done, 0 to 1.
	OnProgress func(what string, part float64)

	gainSteps int
}

// A Group is the speaker, kit or session that a held-out clip belongs to.
type Group struct {
	Name    string
	Unknown bool // whether no training clip is of this group
}

const (
	// usefulSteps is the number of steps of a classifier that is trained on as many clips as there are recordings: where
	// the accuracy of most sets has settled.
	usefulSteps = 1000
	quickSteps  = 300 // where Quick
)

// complete fills in defaults.
func (o EvaluatorOptions) complete() (EvaluatorOptions, error) {
	if o.Shares == nil {
		o.Shares = DefaultShares()
	}
	if o.gainSteps = o.Steps; o.Steps == 0 {
		o.Steps, o.gainSteps = usefulSteps, tunedSteps
		if o.Quick {
			o.Steps = quickSteps
		}
	}
	if o.Quick {
		o.Shares = []float64{}
	}
	if o.OnProgress == nil {
		o.OnProgress = func(string, float64) {}
	}
	for _, s := range o.Shares {
		if !(s > 0 && s <= 1) {
			return o, fmt.Errorf("eval: a share of %g of the real clips", s)
		}
	}
	return o, nil
}

// DefaultShares are 5, 10, 50 and 100 %: where recordings are scarce, and where they are not.
func DefaultShares() []float64 { return []float64{0.05, 0.1, 0.5, 1} }

// embeddings are clips as the evaluator's classifier represents them.
type embeddings struct {
	batch       models.Batch // with true labels
	blurred     models.Batch // the same for classifiers with tuned augmentation; empty where no gains are measured
	predict     Prediction
	downsampled [][]float64 // spectrograms at half the resolution, for distances
	silent      []float64   // of each clip 1 where it has no sound, else 0
}

// An Evaluator compares sets of clips with real ones. It is for one goroutine.
type Evaluator struct {
	options        EvaluatorOptions
	classifier     *Classifier
	train, heldOut embeddings
	reference      *metric.Reference // of the training clips' features
	bins           *metric.Bins
	trainBins      []int
	shares         []float64            // of each label in the held-out clips
	onRecordings   map[uint64][]float64 // hits of classifiers trained on real clips, by their number
	tuned          *set                 // labels and front end of the classifiers of gains; nil: no gains are measured
	baselines      map[float64]Outcomes // of gains, by the share of the real clips
	report         Report
	real           Row
	diversity      draws         // of real clips: those held out or, where they are one a label, those trained on
	perStep        time.Duration // of the evaluator's own training
}

// NewEvaluator trains an evaluator on real training clips, those that the models to be evaluated learnt from, and
// measures it on real held-out clips, which no model may have seen. Both need labels; every label must be among the
// held-out clips.
func NewEvaluator(ctx context.Context, train, heldOut []audio.Clip, o EvaluatorOptions) (*Evaluator, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if len(o.Groups) != 0 && len(o.Groups) != len(heldOut) {
		return nil, fmt.Errorf("eval: %d groups for %d held-out clips", len(o.Groups), len(heldOut))
	}
	e := &Evaluator{options: o, onRecordings: map[uint64][]float64{}, baselines: map[float64]Outcomes{}}
	began := time.Now()
	if e.classifier = o.Classifier; e.classifier == nil {
		e.classifier, err = Train(ctx, train, Options{Seed: o.Seed, Epochs: o.Epochs, OnProgress: func(p Progress) {
			o.OnProgress("training the evaluator", float64(p.Epoch)/float64(p.Epochs))
		}})
		if err != nil {
			return nil, err
		}
	}
	e.perStep = time.Since(began) / time.Duration(max(e.classifier.steps, 1))
	if o.Useful && len(o.Shares) > 0 {
		if e.tuned, err = newTunedFront(train); err != nil {
			return nil, err
		}
	}
	o.OnProgress("evaluating real clips", 0)
	if e.train, err = e.embed(ctx, train); err != nil {
		return nil, err
	}
	if e.heldOut, err = e.embed(ctx, heldOut); err != nil {
		return nil, err
	}
	if err := e.measureReal(); err != nil {
		return nil, err
	}
	return e, nil
}

// Classifier returns the evaluator's own.
func (e *Evaluator) Classifier() *Classifier { return e.classifier }

// Report returns what is known of the data and the evaluator, and the row of held-out real clips. The caller appends
// further rows.
func (e *Evaluator) Report() Report {
	r := e.report
	r.Rows = []Row{e.real}
	return r
}

// embed classifies labelled clips and downsamples their spectrograms.
func (e *Evaluator) embed(ctx context.Context, clips []audio.Clip) (embeddings, error) {
	if len(clips) == 0 {
		return embeddings{}, errors.New("eval: no clips to evaluate")
	}
	s := set{labels: e.classifier.labels, front: e.classifier.model.front}
	b, err := s.batch(ctx, clips)
	if err != nil {
		return embeddings{}, err
	}
	outputs, err := e.classifier.model.outputs(ctx, b)
	if err != nil {
		return embeddings{}, err
	}
	h := embeddings{batch: b, predict: e.classifier.model.prediction(outputs), downsampled: downsampled(b), silent: make([]float64, b.B)}
	if e.tuned != nil {
		if h.blurred, err = e.tuned.batch(ctx, clips); err != nil {
			return embeddings{}, err
		}
	}
	for i := range b.B {
		if slices.Max(b.Clip(i)) <= silence {
			h.silent[i] = 1
		}
	}
	return h, nil
}

// downsampled are the spectrograms at half the resolution in both directions: a quarter of the values, and less
// sensitive to a shift by a frame.
func downsampled(b models.Batch) [][]float64 {
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
func (h embeddings) counts(labels int) []int {
	n := make([]int, labels)
	for _, l := range h.batch.Labels {
		n[l]++
	}
	return n
}

// hits returns for each clip 1 where the classifier names its label, else 0.
func (h embeddings) hits() []float64 {
	out := make([]float64, h.batch.B)
	for i, l := range h.predict.Labels() {
		if l == h.batch.Labels[i] {
			out[i] = 1
		}
	}
	return out
}

// measureReal fills in everything that rows are compared with.
func (e *Evaluator) measureReal() error {
	k := len(e.classifier.labels)
	e.shares = make([]float64, k)
	for l, c := range e.heldOut.counts(k) {
		if c == 0 {
			return fmt.Errorf("eval: no held-out clip is labelled %q", e.classifier.labels[l])
		}
		e.shares[l] = float64(c) / float64(e.heldOut.batch.B)
	}
	features := e.train.predict.Features
	var err error
	if e.reference, err = metric.NewReference(features); err != nil {
		return err
	}
	// Fifty bins, as is usual, where they hold 20 training clips each.
	if e.bins, err = metric.Cluster(features, min(50, max(2, e.train.batch.B/20)), e.options.Seed); err != nil {
		return err
	}
	if e.trainBins, err = e.bins.Count(features); err != nil {
		return err
	}
	if e.diversity, err = e.diversityOf("real", e.heldOut); err == nil && e.diversity.value == 0 {
		e.diversity, err = e.diversityOf("training", e.train)
	}
	if err != nil {
		return err
	}
	if e.real, err = e.row("real", "real", e.heldOut); err != nil {
		return err
	}
	e.real.Groups = e.groupsOfReal()
	ece, err := metric.CalibrationError(e.heldOut.predict.Probs, e.heldOut.batch.Labels, 15)
	if err != nil {
		return err
	}
	e.report = Report{
		Format: 1, Labels: e.classifier.labels, TrainClips: e.train.batch.B, HeldOut: e.heldOut.batch.B, Seed: e.options.Seed,
		Quick: e.options.Quick,
		Evaluator: EvaluatorAccuracy{
			Validation: e.classifier.heldOut, Accuracy: e.real.LabelAccuracy, ECE: ece, Trusted: e.real.LabelAccuracy >= Gate,
			Intervals: Intervals{"accuracy": e.real.Intervals["label_accuracy"]},
		},
	}
	return nil
}

// Row measures clips whose Label is the requested one. The kind is "ceiling", "noise" or "model".
func (e *Evaluator) Row(ctx context.Context, name, kind string, clips []audio.Clip) (Row, error) {
	e.options.OnProgress("evaluating "+name, 0)
	h, err := e.embed(ctx, clips)
	if err != nil {
		return Row{}, err
	}
	r, err := e.row(name, kind, h)
	if err != nil {
		return Row{}, err
	}
	if e.options.Useful && kind == "model" {
		err = e.usefulness(ctx, &r, h)
	}
	return r, err
}
