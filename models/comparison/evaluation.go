package comparison

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/models/sampling"
	"wavemill/models/training"
)

// Data are the recordings of an evaluation. The caller has split them.
type Data struct {
	Learn   []audio.Clip // what the candidates may have learnt from; the evaluator learns from them too
	HeldOut []audio.Clip // what no candidate has seen; every label of Learn must be among them
	// Sources identify HeldOut, in its order; nil where they are not known.
	Sources []training.HeldOut
	// Groups are those of HeldOut, in its order; nil where recordings have no groups.
	Groups []eval.Group
	// Untrusted says why candidates may have seen held-out recordings all the same; "" where they have not.
	Untrusted string
}

// Progress shows what an evaluation is doing. Its methods are called from one goroutine.
type Progress interface {
	// Stage reports that a part, 0 to 1, of the named stage is done. A new name ends the stage before.
	Stage(name string, part float64)
	// Note reports something once.
	Note(format string, args ...any)
}

// silentProgress shows nothing.
type silentProgress struct{}

func (silentProgress) Stage(string, float64) {}
func (silentProgress) Note(string, ...any)   {}

// Options configure an evaluation. The zero value is usable.
type Options struct {
	Seed   uint64 // of the evaluator, of the generated clips and of all resampling
	Clips  int    // to generate with each candidate; 0: as many as Data.Learn
	Useful bool   // also train classifiers on the generated clips, which takes most of the time
	Quick  bool   // see eval.EvaluatorOptions.Quick
	// Epochs of the evaluator's classifier and Steps of those that Useful trains; 0: as eval.EvaluatorOptions says.
	Epochs, Steps int
	// Shares of the recordings that generated clips are added to; nil means eval.DefaultShares, an empty list none.
	Shares []float64
	// Candidates is how many will be evaluated, for the estimate of the time.
	Candidates int
	Progress   Progress // nil: none
}

// A Candidate is a model to evaluate.
type Candidate struct {
	Name       string // as it appears in the report
	Arch       string // the architecture that TrainAll is to train; "" where Checkpoint is given
	File       string // of the checkpoint; may be empty
	Checkpoint models.Checkpoint
	// Sampler generates the clips; nil: that of Checkpoint, whose architecture is then one of architectures.Known.
	Sampler *sampling.Sampler
	// What training took; 0: not known.
	Seconds, CPUSeconds float64
	History             training.History // the losses of the training; empty where the model was not trained here

	// Row and Clips are results, set by Run.
	Row   eval.Row
	Clips []audio.Clip
}

// An Evaluation measures candidates with one evaluator. It is for one goroutine.
type Evaluation struct {
	data      Data
	options   Options
	evaluator *eval.Evaluator
	left      int // candidates without a row
}

// Heard returns the data as the candidates hear it: mixed down where all of them have one channel, see frontend.InChannelsOf.
func (d Data) Heard(candidates []*Candidate) Data {
	var by []models.FrontEnd
	for _, c := range candidates {
		by = append(by, c.Checkpoint.FrontEnd)
	}
	d.Learn, d.HeldOut = frontend.InChannelsOf(d.Learn, by...), frontend.InChannelsOf(d.HeldOut, by...)
	return d
}

// CheckLabels reports the first candidate with a checkpoint that does not know a label of the recordings, as
// Evaluation.Model does after the evaluator was trained.
func CheckLabels(d Data, o Options, candidates []*Candidate) error {
	if err := d.check(); err != nil {
		return err
	}
	for _, c := range candidates {
		if c.Arch != "" {
			continue // It will learn the labels.
		}
		if _, err := o.requested(d, c.Checkpoint.Labels); err != nil {
			return fmt.Errorf("%s: %w", cmp.Or(c.File, c.Name), err)
		}
	}
	return nil
}

// Announce notes how long an evaluation will take. It measures some steps of a classifier, for about a second.
func Announce(ctx context.Context, d Data, o Options) error {
	if err := d.check(); err != nil {
		return err
	}
	cost, err := eval.EstimateCost(ctx, d.Learn, o.Candidates, o.evaluator(d))
	if err != nil {
		return held(d, err)
	}
	announce(o, cost)
	return nil
}

// evaluator are the options of the evaluator.
func (o Options) evaluator(d Data) eval.EvaluatorOptions {
	return eval.EvaluatorOptions{
		Seed: o.Seed, Epochs: o.Epochs, Useful: o.Useful, Quick: o.Quick, Steps: o.Steps, Shares: o.Shares, Groups: d.Groups, OnProgress: o.progress().Stage,
	}
}

func (o Options) progress() Progress {
	if o.Progress == nil {
		return silentProgress{}
	}
	return o.Progress
}

// check reports what is missing.
func (d Data) check() error {
	if len(d.HeldOut) == 0 {
		return errors.New("comparison: no recording is held out to evaluate with; give more recordings")
	}
	if d.Sources != nil && len(d.Sources) != len(d.HeldOut) {
		return fmt.Errorf("comparison: %d sources of %d held-out recordings", len(d.Sources), len(d.HeldOut))
	}
	if missing := labelsWithout(d); len(missing) > 0 {
		return fmt.Errorf("comparison: no recording labelled %q is left to evaluate with: each label needs a held-out one; give more recordings", missing[0])
	}
	return nil
}

// Open trains the evaluator.
func Open(ctx context.Context, d Data, o Options) (*Evaluation, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.Untrusted != "" {
		o.progress().Note("warning: %s", d.Untrusted)
	}
	e := &Evaluation{data: d, options: o, left: o.Candidates}
	var err error
	if e.evaluator, err = eval.NewEvaluator(ctx, d.Learn, d.HeldOut, o.evaluator(d)); err != nil {
		return nil, held(d, err)
	}
	if v := e.evaluator.Report().Evaluator; !v.Trusted {
		o.progress().Note("the evaluator assigns only %s of the held-out recordings to their label, less than %.0f %%: read its figures as a comparison",
			percent(v.Accuracy, v.Intervals["accuracy"]), 100*eval.Gate)
	}
	return e, nil
}

// held says how many recordings an evaluator that could not be trained was left with.
func held(d Data, err error) error {
	return fmt.Errorf("%d recordings to learn from, %d held out: %w", len(d.Learn), len(d.HeldOut), err)
}

// announce says how long the evaluation will take.
func announce(o Options, c eval.Cost) {
	text := fmt.Sprintf("evaluating %d models takes about %v", o.Candidates, round(c.Duration()))
	if o.Candidates == 1 {
		text = fmt.Sprintf("evaluating the model takes about %v", round(c.Duration()))
	}
	text += " beside generating the clips"
	if c.Classifiers > 0 {
		text += fmt.Sprintf(": it trains the evaluator and %d classifiers", c.Classifiers)
		if !o.Quick {
			text += "; --quick trains fewer, --useful=false none"
		}
	}
	o.progress().Note("%s", text)
}

// round makes a duration short enough to read.
func round(d time.Duration) time.Duration {
	switch {
	case d < 10*time.Second:
		return d.Round(time.Second) // so rough an estimate has no digits
	case d < 2*time.Minute:
		return d.Round(10 * time.Second)
	}
	return d.Round(time.Minute)
}

// labelsWithout returns the labels to learn from that are not among the held-out recordings.
func labelsWithout(d Data) []string {
	held := map[string]bool{}
	for _, c := range d.HeldOut {
		held[c.Label] = true
	}
	var missing []string
	for _, c := range d.Learn {
		if !held[c.Label] && !slices.Contains(missing, c.Label) {
			missing = append(missing, c.Label)
		}
	}
	slices.Sort(missing)
	return missing
}

// Evaluator returns the evaluator.
func (e *Evaluation) Evaluator() *eval.Evaluator { return e.evaluator }

// Data returns what Open was given.
func (e *Evaluation) Data() Data { return e.data }

// Real is the row of the held-out recordings.
func (e *Evaluation) Real() eval.Row { return e.evaluator.Report().Rows[0] }

// Ceiling is the row of held-out recordings sent through a front end and back.
func (e *Evaluation) Ceiling(ctx context.Context, fe models.FrontEnd) (eval.Row, error) {
	clips, err := eval.RoundTrip(ctx, fe, e.data.HeldOut, e.options.Seed)
	if err != nil {
		return eval.Row{}, err
	}
	row, err := e.evaluator.Row(ctx, "ceiling", "ceiling", clips)
	if err == nil {
		row.Sounds = eval.Sounds(e.data.HeldOut, clips, hopRate(fe), true)
	}
	return row, err
}

// hopRate is the number of frames a second of the spectrograms of a front end.
func hopRate(fe models.FrontEnd) float64 {
	return float64(fe.Spectrogram.SampleRate) / float64(fe.Spectrogram.Hop)
}

// Noise is the row of a model that has learnt nothing.
func (e *Evaluation) Noise(ctx context.Context) (eval.Row, error) {
	return e.evaluator.Row(ctx, "noise", "noise", eval.Noise(e.data.HeldOut, e.options.Seed))
}

// Model generates the clips of a candidate and sets its Row and Clips.
func (e *Evaluation) Model(ctx context.Context, c *Candidate) error {
	digest, err := c.Checkpoint.Digest()
	if err != nil {
		return err
	}
	labels, err := e.options.requested(e.data, c.Checkpoint.Labels)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	if left := e.evaluator.Remaining(e.left); left > time.Minute {
		e.options.progress().Note("%s: about %v left", c.Name, round(left))
	}
	e.left = max(e.left-1, 0)
	began := time.Now()
	if err := e.generate(ctx, c, labels); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	took := time.Since(began)
	if c.Row, err = e.evaluator.Row(ctx, c.Name, "model", c.Clips); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	c.Row.Sounds = eval.Sounds(e.data.HeldOut, c.Clips, hopRate(c.Checkpoint.FrontEnd), false)
	c.Row.Training = &eval.Training{
		Arch: c.Checkpoint.Arch, Checkpoint: c.File, Digest: digest, Seed: c.Checkpoint.Seed, Steps: c.Checkpoint.Step,
		Seconds: c.Seconds, CPUSeconds: c.CPUSeconds, PerClip: 1000 * took.Seconds() / float64(len(c.Clips)),
	}
	return nil
}

// generate sets the clips of a candidate, one per label: clip i is that of seed+i, as its 16-bit WAV file decodes, and
// silence where the model made nothing else.
func (e *Evaluation) generate(ctx context.Context, c *Candidate, labels []string) error {
	s := c.Sampler
	if s == nil {
		var err error
		if s, err = sampling.Open(c.Checkpoint); err != nil {
			return err
		}
	}
	requests := make([]sampling.Provenance, len(labels))
	for i, l := range labels {
		requests[i] = sampling.Provenance{Label: l, Seed: e.options.Seed + uint64(i)}
	}
	c.Clips = make([]audio.Clip, 0, len(labels))
	return s.WithSilence().Stream(ctx, requests, func(i int, clip sampling.Clip) error {
		decoded, err := clip.Decoded()
		if err != nil {
			return err
		}
		c.Clips = append(c.Clips, decoded)
		e.options.progress().Stage("generating with "+c.Name, float64(i+1)/float64(len(labels)))
		return nil
	})
}

// requested returns the labels to generate: as often as they occur among the recordings to learn from, or in that
// proportion.
func (o Options) requested(d Data, known []string) ([]string, error) {
	n := o.Clips
	if n == 0 {
		n = len(d.Learn)
	}
	labels := make([]string, n)
	for i := range labels {
		// Spread over the recordings, which are in a fixed order.
		want := d.Learn[i*len(d.Learn)/n%len(d.Learn)].Label
		if !slices.Contains(known, want) {
			return nil, fmt.Errorf("the model does not know the label %q of the recordings; it knows %q; is this the right --data or --labels?", want, known[:min(len(known), 12)])
		}
		labels[i] = want
	}
	return labels, nil
}

// Run evaluates the ceiling of each front end, noise and the candidates, whose Row and Clips it sets.
func (e *Evaluation) Run(ctx context.Context, candidates []*Candidate) (Report, error) {
	r := Report{
		Report: e.evaluator.Report(), HeldOut: e.data.Sources, Trusted: e.data.Untrusted == "", Warnings: []string{},
	}
	if r.HeldOut == nil {
		r.HeldOut = []training.HeldOut{}
	}
	if e.data.Untrusted != "" {
		r.Warnings = append(r.Warnings, e.data.Untrusted)
	}
	var seen []models.FrontEnd
	for _, c := range candidates {
		if slices.Contains(seen, c.Checkpoint.FrontEnd) {
			continue
		}
		seen = append(seen, c.Checkpoint.FrontEnd)
		row, err := e.Ceiling(ctx, c.Checkpoint.FrontEnd)
		if err != nil {
			return Report{}, err
		}
		if len(seen) > 1 {
			row.Name = "ceiling of " + c.Name
		}
		r.Rows = append(r.Rows, row)
	}
	row, err := e.Noise(ctx)
	if err != nil {
		return Report{}, err
	}
	r.Rows = append(r.Rows, row)
	for _, c := range candidates {
		if err := e.Model(ctx, c); err != nil {
			return Report{}, err
		}
		r.Rows = append(r.Rows, c.Row)
	}
	r.Differences = Differences(r.Rows)
	return r, nil
}
