package eval

import (
	"context"
	"fmt"
	"math/rand/v2"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/eval/metric"
	"wavemill/models/frontend"
)

// TunedOptions say how a classifier with tuned augmentation is trained. The zero value is usable.
type TunedOptions struct {
	// Seed decides the folds, the initial weights, the order of the clips and every augmentation.
	Seed uint64
	// Steps of the classifier, of 32 examples; 0 means 1500, where the accuracy on few recordings has settled. Each
	// training by which a policy is chosen makes a sixth of them, with one network.
	Steps int
	// Policies to choose from; nil means Policies. With a single one there is nothing to choose, and no held-out figures
	// are measured.
	Policies []Policy
	// OnProgress, when not nil, is called with what is being done and which part of it is done, 0 to 1.
	OnProgress func(what string, part float64)
}

const (
	tunedSteps = 1500
	// tuningPart is the part of the classifier's steps that each training for the choice of a policy makes.
	tuningPart = 6
	// tuningFolds is how many parts the recordings are divided into for the choice. Every one is held out once or, of
	// many recordings, the first alone.
	tuningFolds = 3
	manyToTune  = 600
)

func (o TunedOptions) complete() TunedOptions {
	if o.Steps == 0 {
		o.Steps = tunedSteps
	}
	if len(o.Policies) == 0 {
		o.Policies = Policies()
	}
	if o.OnProgress == nil {
		o.OnProgress = func(string, float64) {}
	}
	return o
}

// A Tuning is the choice of a policy by cross-validation on the recordings to train on.
type Tuning struct {
	Policy   Policy          `json:"policy"` // the chosen one
	Steps    int             `json:"steps"`  // of each training for the choice; 0 where there was none
	Clips    int             `json:"clips"`  // that the figures below were measured on; none of them was trained on
	Policies []PolicyFigures `json:"policies,omitempty"`
}

// PolicyFigures are those of classifiers trained with one policy, on recordings held out of them.
type PolicyFigures struct {
	Policy   string  `json:"policy"`
	Accuracy float64 `json:"accuracy"`
	NLL      float64 `json:"nll"` // mean negative log-likelihood of the true label in nats; the least decides
}

// TrainTuned trains a classifier, the mean of three networks, on few or many labelled recordings, with the augmentation that
// suits them best: it chooses a policy by cross-validation on the recordings, then trains on all of them. It is the baseline by which
// generated clips have to be measured: what augmentation gives needs no model. Clips are treated as by Train, but for a
// front end with half the bins and windows, in which the pitch of a voice is blurred. Classifier.HeldOut has the figures
// of the cross-validation.
func TrainTuned(ctx context.Context, clips []audio.Clip, o TunedOptions) (*Classifier, Tuning, error) {
	o = o.complete()
	s, err := newTunedSet(ctx, clips)
	if err != nil {
		return nil, Tuning{}, err
	}
	tuning, held, err := s.tune(ctx, o)
	if err != nil {
		return nil, Tuning{}, err
	}
	r := tunedRecipe(tuning.Policy, members, o.Seed, o.Steps)
	r.onProgress = func(p Progress) { o.OnProgress("training the classifier", min(1, float64(p.Epoch)/float64(p.Epochs))) }
	m, steps, err := r.fit(ctx, s)
	if err != nil {
		return nil, Tuning{}, err
	}
	c := &Classifier{labels: s.labels, model: m, steps: int64(steps)}
	if len(held.labels) > 0 {
		err = c.calibrateOn(held.logits, held.labels)
	}
	return c, tuning, err
}

// members is how many networks a classifier with tuned augmentation is the mean of.
const members = 3

// tunedRecipe is that of a classifier with a policy, of so many members.
func tunedRecipe(p Policy, members int, seed uint64, steps int) recipe {
	epochs := min(steps, 20) // of equal length: how often progress is reported
	return recipe{members: members, alter: p.alter, mix: p.mix, decay: 0.01, seed: seed, epochs: epochs, steps: steps}
}

// newTunedFront returns a set without clips for classifiers with tuned augmentation.
func newTunedFront(clips []audio.Clip) (*set, error) {
	s, err := newFront(clips)
	if err != nil {
		return nil, err
	}
	if s.front, err = frontend.New(blurred(s.front.Config())); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	return s, nil
}

// newTunedSet analyzes clips to train a classifier on with tuned augmentation.
func newTunedSet(ctx context.Context, clips []audio.Clip) (*set, error) {
	s, err := newTunedFront(clips)
	if err != nil {
		return nil, err
	}
	s.train, err = s.batch(ctx, clips)
	return s, err
}

// grain is the number of frames and of bins that the input of a grid is a multiple of.
const grain = 16

// blurred is a front end with half the bins and half the window, so that it shows formants more than harmonics. That of
// one-shots keeps its windows, which differ between low and high bins already.
func blurred(fe models.FrontEnd) models.FrontEnd {
	up := func(n int) int { return (n + grain - 1) / grain * grain }
	fe.Frames = up(fe.Frames)
	c := &fe.Spectrogram
	if c.Scale == spectrogram.ScaleOneShot {
		c.Mels = up((c.Bins()+1)/2) - c.Marks() // the marks are bins too
		return fe
	}
	c.Mels = up((c.Mels + 1) / 2)
	if c.NFFT >= 2*c.Hop && c.NFFT >= 256 {
		// A window of half the length gives half the magnitudes.
		c.NFFT /= 2
		const ln2 = 0.6931471805599453
		c.Floor, c.Min, c.Max = c.Floor/2, c.Min-ln2, c.Max-ln2
	}
	return fe
}

// outOfFold are the outputs of classifiers for clips that were held out of them.
type outOfFold struct {
	logits [][]float64
	labels []int
}

// tune chooses a policy for the training clips of a set.
func (s *set) tune(ctx context.Context, o TunedOptions) (Tuning, outOfFold, error) {
	t := Tuning{Policy: o.Policies[0]}
	if len(o.Policies) == 1 {
		return t, outOfFold{}, nil
	}
	parts := s.folds(o.Seed)
	if len(parts) == 0 {
		t.Policy = o.Policies[len(o.Policies)/2] // one clip a label: nothing to choose by
		return t, outOfFold{}, nil
	}
	t.Steps = max(o.Steps/tuningPart, 1)
	var best outOfFold
	for i, p := range o.Policies {
		var held outOfFold
		for k, part := range parts {
			o.OnProgress("choosing the augmentation", float64(i*len(parts)+k)/float64(len(o.Policies)*len(parts)))
			logits, err := part.outputsOf(ctx, tunedRecipe(p, 1, o.Seed+uint64(k), t.Steps))
			if err != nil {
				return Tuning{}, outOfFold{}, err
			}
			held.logits = append(held.logits, logits...)
			held.labels = append(held.labels, part.heldOut.Labels...)
		}
		f, err := held.figures(p.Name)
		if err != nil {
			return Tuning{}, outOfFold{}, err
		}
		if i == 0 || f.NLL < t.figuresOf(t.Policy.Name).NLL {
			t.Policy, best = p, held
		}
		t.Policies, t.Clips = append(t.Policies, f), len(held.labels)
	}
	return t, best, nil
}

func (t Tuning) figuresOf(name string) PolicyFigures {
	for _, f := range t.Policies {
		if f.Policy == name {
			return f
		}
	}
	return PolicyFigures{}
}

// figures measures outputs.
func (h outOfFold) figures(policy string) (PolicyFigures, error) {
	probs, hits := make([][]float64, len(h.logits)), 0
	for i, l := range h.logits {
		probs[i] = metric.Softmax(l, 1)
		if label, _ := (Prediction{Probs: probs}).Label(i); label == h.labels[i] {
			hits++
		}
	}
	nll, err := metric.LogLoss(probs, h.labels)
	return PolicyFigures{Policy: policy, Accuracy: float64(hits) / float64(len(h.labels)), NLL: nll}, err
}

// outputsOf trains a classifier and returns its outputs for the held-out clips.
func (s *set) outputsOf(ctx context.Context, r recipe) ([][]float64, error) {
	m, _, err := r.fit(ctx, s)
	if err != nil {
		return nil, err
	}
	outputs, err := m.outputs(ctx, s.heldOut)
	if err != nil {
		return nil, err
	}
	logits := make([][]float64, len(outputs))
	for i, a := range outputs {
		logits[i] = a.logits
	}
	return logits, nil
}

// folds divides the training clips: each part trains on all but one fold, and holds that out. A label's clips are spread
// evenly over the folds; the only clip of a label is never held out. There are none where each label has one clip.
func (s *set) folds(seed uint64) []*set {
	rng := rand.New(rand.NewPCG(seed, 0x666f6c6473))
	fold, count := make([]int, s.train.B), map[int]int{}
	for _, l := range s.train.Labels {
		count[l]++
	}
	next := map[int]int{}
	for _, i := range rng.Perm(s.train.B) {
		l := s.train.Labels[i]
		fold[i] = (next[l] + l) % tuningFolds
		next[l]++
		if count[l] == 1 {
			fold[i] = -1
		}
	}
	var parts []*set
	for k := range tuningFolds {
		var train, held []int
		for i, f := range fold {
			if f == k {
				held = append(held, i)
			} else {
				train = append(train, i)
			}
		}
		if len(held) == 0 {
			continue
		}
		part := *s
		part.train, part.heldOut = s.train.Select(models.Batch{}, train), s.train.Select(models.Batch{}, held)
		parts = append(parts, &part)
		if s.train.B >= manyToTune {
			break
		}
	}
	return parts
}
