package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/models"
)

// Options says how a classifier is trained. The zero value is usable.
type Options struct {
	// Seed decides the initial weights, which clips are held out, the order of the others and every augmentation.
	Seed uint64
	// Epochs is the number of passes over the training clips; 0 means 20, or as many as make 400 steps. Two
	// classifiers with the same clips, seed and epochs are equal.
	Epochs int
	// Budget is the longest time that training may take; where the epochs take longer, there are fewer steps. 0 means
	// no limit. Where it cuts, the result depends on the machine's speed.
	Budget time.Duration
	// Holdout is the share of each label's clips that is not trained on but measures accuracy and sets the
	// temperature; 0 means 0.1. Every label with two clips or more has at least one held out.
	Holdout float64
	// OnProgress, when not nil, is called after every epoch from Train's goroutine.
	OnProgress func(Progress)
}

// Progress is the state of a training.
type Progress struct {
	Epoch, Epochs int           // made, planned
	Loss          float64       // mean cross-entropy of the epoch, in nats
	Elapsed       time.Duration // since Train began
}

// A Classifier assigns labels to clips. It is safe for concurrent use.
type Classifier struct {
	labels  []string
	model   *model
	heldOut HeldOut
	steps   int64
}

// HeldOut holds the figures of a classifier on clips that it was not trained on.
type HeldOut struct {
	Clips    int     `json:"clips"`
	Accuracy float64 `json:"accuracy"`
	NLL      float64 `json:"nll"` // mean negative log-likelihood of the true label in nats, after temperature scaling
	ECE      float64 `json:"ece"` // expected calibration error, 15 bins
}

// A Prediction holds the outputs of a classifier for n clips.
type Prediction struct {
	Probs    [][]float64 // [n][labels], calibrated, each row sums to 1
	Features [][]float64 // [n][FeatureSize]
}

// FeatureSize is the number of values in a clip's feature vector, the input of the last layer.
const FeatureSize = 64

// Label returns the most probable label of clip i, as an index into Classifier.Labels, and its probability.
func (p Prediction) Label(i int) (label int, confidence float64) {
	for j, v := range p.Probs[i] {
		if v > confidence {
			label, confidence = j, v
		}
	}
	return label, confidence
}

// Labels returns the most probable label of every clip.
func (p Prediction) Labels() []int {
	labels := make([]int, len(p.Probs))
	for i := range labels {
		labels[i], _ = p.Label(i)
	}
	return labels
}

// Train trains a classifier on clips of any rate and length. Every clip needs a Label; there must be two labels or
// more. Clips are brought to the channels, rate and length of a front end planned for them, and trimmed of silence.
// When ctx is cancelled, Train returns its error.
func Train(ctx context.Context, clips []audio.Clip, o Options) (*Classifier, error) {
	set, err := newSet(ctx, clips, o)
	if err != nil {
		return nil, err
	}
	return train(ctx, set, o)
}

// Labels returns the names of the labels, sorted. The caller must not change them.
func (c *Classifier) Labels() []string { return c.labels }

// HeldOutAccuracy is the share of the held-out clips whose label the classifier names.
func (c *Classifier) HeldOutAccuracy() float64 { return c.heldOut.Accuracy }

// HeldOut returns the figures on the held-out clips.
func (c *Classifier) HeldOut() HeldOut { return c.heldOut }

// Predict classifies clips of any rate and length. A silent clip is a valid one; samples that are not numbers are an
// error. Labels of the clips are ignored. Results do not depend on how clips are grouped into calls.
func (c *Classifier) Predict(ctx context.Context, clips []audio.Clip) (Prediction, error) {
	var p Prediction
	for part := range slices.Chunk(clips, 8*batchSize) {
		b, err := classifierInput(ctx, c.model.front, part)
		if err != nil {
			return Prediction{}, err
		}
		outputs, err := c.model.outputs(ctx, b)
		if err != nil {
			return Prediction{}, err
		}
		q := c.model.prediction(outputs)
		p.Probs, p.Features = append(p.Probs, q.Probs...), append(p.Features, q.Features...)
	}
	return p, nil
}

// Arch is the architecture's name in a classifier's checkpoint.
const Arch = "classifier"

// Open returns the classifier in a checkpoint made by Classifier.Checkpoint.
func Open(cp models.Checkpoint) (*Classifier, error) {
	if cp.Arch != Arch {
		return nil, fmt.Errorf("eval: the checkpoint holds a %q, not a %s", cp.Arch, Arch)
	}
	if len(cp.Labels) < 2 {
		return nil, errors.New("eval: the checkpoint names fewer than two labels")
	}
	return open(cp)
}
