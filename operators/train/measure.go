package train

import (
	"context"
	"fmt"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/sampling"
	"wavemill/models/training"
)

// The clips of a model that are measured: gateClips in all, but leastPerLabel of each label. 256 clips take about a second on one
// processor, and the interval of an accuracy of 90 % is then 8 points wide.
const (
	gateClips     = 256
	leastPerLabel = 4
)

// memorisation is the name of the figure in models/eval.
const memorisation = "memorisation.spectrogram"

// NewMeasure returns the usual measurement on a reference, of models of the known architectures: the evaluator of models/eval
// on sounds. Where no classifier can be trained, it measures spectrograms.
func NewMeasure(ref Reference) (Measure, error) {
	if !ref.evaluable() {
		return plainMeasure(ref)
	}
	var evaluator *eval.Evaluator
	return func(ctx context.Context, c models.Checkpoint) (Figures, error) {
		if evaluator == nil {
			var err error
			if evaluator, err = newEvaluator(ctx, ref); err != nil {
				return Figures{}, err
			}
		}
		clips, err := generated(ctx, c, ref)
		if err != nil {
			return Figures{}, err
		}
		row, err := evaluator.Row(ctx, fmt.Sprintf("step %d", c.Step), "model", clips)
		if err != nil {
			return Figures{}, err
		}
		return figuresOf(row, evaluator.Report()), nil
	}, nil
}

// newEvaluator makes the evaluator of a reference.
func newEvaluator(ctx context.Context, ref Reference) (*eval.Evaluator, error) {
	o := eval.EvaluatorOptions{Seed: ref.Seed, Quick: true}
	if ref.Classifier != nil {
		var err error
		if o.Classifier, err = eval.Open(*ref.Classifier); err != nil {
			return nil, err
		}
	}
	learnt, err := ref.clips(ref.Learnt)
	if err != nil {
		return nil, err
	}
	heldOut, err := ref.clips(ref.HeldOut)
	if err != nil {
		return nil, err
	}
	return eval.NewEvaluator(ctx, learnt, heldOut, o)
}

// generated are clips of a model, of all labels of a reference; the same requests for every model.
func generated(ctx context.Context, c models.Checkpoint, ref Reference) ([]audio.Clip, error) {
	s, err := sampling.Open(c)
	if err != nil {
		return nil, err
	}
	var ps []sampling.Provenance
	for i := range max(gateClips, leastPerLabel*len(ref.Labels)) {
		ps = append(ps, sampling.Provenance{Label: ref.Labels[i%len(ref.Labels)], Seed: ref.Seed<<20 + uint64(i)})
	}
	made, err := s.WithSilence().Series(ctx, ps, nil)
	if err != nil {
		return nil, err
	}
	clips := make([]audio.Clip, len(made))
	for i, m := range made {
		clips[i] = m.Audio
	}
	return clips, nil
}

// figuresOf takes the gate's figures from a row.
func figuresOf(row eval.Row, report eval.Report) Figures {
	f := Figures{row: &row, RealMemorisation: row.Memorisation.RealSpectrogram}
	figure := func(name string, value float64) *Figure {
		i, ok := row.Interval(name)
		if _, missing := row.NotMeasured[name]; missing || !ok {
			return nil
		}
		return &Figure{value, i[0], i[1]}
	}
	f.Accuracy = figure("label_accuracy", row.LabelAccuracy)
	f.distance = "kernel_audio_distance"
	if f.Distance = figure(f.distance, row.AudioKernel); f.Distance == nil {
		f.distance = "frechet"
		f.Distance = figure(f.distance, row.Frechet)
	}
	if row.Memorisation.Judged {
		f.Memorisation = figure(memorisation, row.Memorisation.Spectrogram)
	}
	if i, ok := report.Evaluator.Intervals["accuracy"]; ok {
		f.Recordings = &Figure{report.Evaluator.Accuracy, i[0], i[1]}
	}
	return f
}

// agreement is the share of the clips that this training has learnt from, and the served model has not, whose label the classifier
// of the reference agrees with; nil where there are none. Clips of other labels are not judged.
func (r *run) agreement(ctx context.Context, ref Reference, served models.Checkpoint) (*Figure, error) {
	if ref.Classifier == nil {
		return nil, nil // Nothing to judge by is an answer.
	}
	known := map[string]bool{}
	for _, x := range ref.learnt {
		known[x.Digest] = true
	}
	if served.Data != nil {
		for _, x := range served.Data.Seen() {
			known[x.Digest] = true
		}
	}
	fresh := map[string]bool{}
	for _, x := range r.set.Data.Learnt {
		fresh[x.Digest] = !known[x.Digest]
	}
	var news []training.Example
	for _, e := range r.clips.examples {
		if fresh[e.Identity.Digest] {
			news = append(news, e)
		}
	}
	batch, _, err := ref.take(news, mostHeldOut)
	if err != nil || batch.B == 0 {
		return nil, err
	}
	clips, err := ref.clips(batch)
	if err != nil || len(clips) == 0 {
		return nil, err
	}
	c, err := eval.Open(*ref.Classifier)
	if err != nil {
		return nil, err
	}
	p, err := c.Predict(ctx, clips)
	if err != nil {
		return nil, err
	}
	right := 0
	for i, label := range p.Labels() {
		if c.Labels()[label] == clips[i].Label {
			right++
		}
	}
	return share(right, len(clips)), nil
}
