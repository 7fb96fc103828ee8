package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/models/training"
	"wavemill/pipeline/modelstore"
)

// referenceKey is the key in the model store of the recordings that models are judged on.
func referenceKey(model string) string { return model + ".reference" }

// classifierKey is the key of the classifier that was trained on them.
func classifierKey(model string) string { return model + ".classifier" }

// Limits of a reference, and the batches of 32 that its classifier learns from: ten passes over as many recordings as there
// can be. They bound what the gate takes.
const (
	mostLearnt   = 640
	judgeSteps   = 200
	mostHeldOut  = 320
	leastHeldOut = 2 // Held-out recordings of a label, and learnt ones; other labels are not compared.
)

// Reference is what models of one name are judged on: recordings whose labels are taken for true. It is made of those of the
// first model that was accepted, and stays as it is, so that bad clips that are published later cannot shift the measure.
// Recordings of a new label are added when a model that knows it has been accepted.
type Reference struct {
	FrontEnd models.FrontEnd
	Labels   []string     // Sorted: the labels that have recordings in both parts.
	Learnt   models.Batch // What the classifier learns from; generated clips must not be copies of them. Labels are indices.
	HeldOut  models.Batch // What no model has learnt from.
	Seed     uint64
	Digest   string // Of all that.

	Classifier *models.Checkpoint // Trained on Learnt; nil: it is yet to be trained.

	learnt, heldOut []models.Recording // What the batches hold.
}

// evaluable reports whether a classifier can be trained.
func (f Reference) evaluable() bool { return len(f.Labels) > 1 && f.Learnt.B > 0 }

// checkpoint is the form in which a reference is stored.
func (f Reference) checkpoint() models.Checkpoint {
	tensor := func(name string, b models.Batch) models.Tensor {
		return models.Tensor{Name: name, Shape: []int{b.B, b.T, b.F}, Data: b.Data}
	}
	return models.Checkpoint{
		Format: models.Format, Arch: "reference", FrontEnd: f.FrontEnd, Labels: f.Labels, Seed: f.Seed,
		Data:    &models.TrainingData{Learnt: f.learnt, HeldOut: f.heldOut},
		Tensors: []models.Tensor{tensor("learnt", f.Learnt), tensor("held_out", f.HeldOut)},
	}
}

// openReference is the inverse.
func openReference(c models.Checkpoint) (f Reference, err error) {
	if c.Arch != "reference" || c.Data == nil {
		return f, errors.New("the entry holds no reference")
	}
	f = Reference{FrontEnd: c.FrontEnd, Labels: c.Labels, Seed: c.Seed, learnt: c.Data.Learnt, heldOut: c.Data.HeldOut}
	batch := func(name string, of []models.Recording) (models.Batch, error) {
		t, err := c.Tensor(name)
		if err != nil {
			return models.Batch{}, err
		}
		if len(t.Shape) != 3 || t.Shape[0] != len(of) {
			return models.Batch{}, fmt.Errorf("tensor %s has shape %v for %d recordings", name, t.Shape, len(of))
		}
		b := models.Batch{B: t.Shape[0], T: t.Shape[1], F: t.Shape[2], Data: t.Data}
		for _, x := range of {
			at, ok := slices.BinarySearch(c.Labels, x.Label)
			if !ok {
				return models.Batch{}, fmt.Errorf("%s has the label %q, which is not listed", x.Source, x.Label)
			}
			b.Labels = append(b.Labels, at)
		}
		return b, nil
	}
	if f.Learnt, err = batch("learnt", f.learnt); err != nil {
		return f, err
	}
	if f.HeldOut, err = batch("held_out", f.heldOut); err != nil {
		return f, err
	}
	f.Digest, err = c.Digest()
	return f, err
}

// gather makes a reference of the clips of this run, of the given labels. A label with too few recordings is left out.
func (r *run) gather(wanted func(label string) bool) (Reference, error) {
	part := map[string]string{}
	for name, of := range map[string][]models.Recording{"learnt": r.set.Data.Learnt, "held out": r.set.Data.HeldOut} {
		for _, x := range of {
			part[x.Digest] = name
		}
	}
	byPart := map[string][]training.Example{}
	for _, e := range r.clips.examples {
		if name := part[e.Identity.Digest]; name != "" && wanted(e.Identity.Label) && slices.Contains(r.set.Labels, e.Identity.Label) {
			byPart[name] = append(byPart[name], e)
		}
	}
	learnt, heldOut := countLabels(byPart["learnt"]), countLabels(byPart["held out"])
	f := Reference{FrontEnd: r.set.FrontEnd, Seed: r.config.Seed}
	for label, n := range heldOut {
		if n >= leastHeldOut && learnt[label] >= leastHeldOut {
			f.Labels = append(f.Labels, label)
		}
	}
	slices.Sort(f.Labels)
	var err error
	if f.Learnt, f.learnt, err = f.take(byPart["learnt"], mostLearnt); err != nil {
		return f, err
	}
	f.HeldOut, f.heldOut, err = f.take(byPart["held out"], mostHeldOut)
	return f, err
}

// take joins clips of the labels of the reference to a batch, at most so many, as many of each label.
func (f Reference) take(examples []training.Example, most int) (models.Batch, []models.Recording, error) {
	examples = slices.Clone(examples)
	slices.SortFunc(examples, func(a, b training.Example) int { // By digest: an even choice, whatever the order.
		return cmp.Or(cmp.Compare(a.Identity.Label, b.Identity.Label), cmp.Compare(a.Identity.Digest, b.Identity.Digest))
	})
	each, count := max(most/max(len(f.Labels), 1), leastHeldOut), map[string]int{}
	var specs []*spectrogram.Spectrogram
	var labels []int
	var of []models.Recording
	for _, e := range examples {
		at, ok := slices.BinarySearch(f.Labels, e.Identity.Label)
		if count[e.Identity.Label]++; !ok || count[e.Identity.Label] > each {
			continue
		}
		specs, labels = append(specs, e.Spectrogram), append(labels, at)
		of = append(of, models.Recording{Source: e.Identity.Source, Label: e.Identity.Label, Group: e.Identity.Group, Digest: e.Identity.Digest})
	}
	front, err := frontend.New(f.FrontEnd)
	if err != nil {
		return models.Batch{}, nil, err
	}
	b, err := front.Batch(specs, labels)
	return b, of, err
}

// limited is the reference with the labels that all the models know, and without held-out recordings that one of them has
// learnt from.
func (f Reference) limited(all ...models.Checkpoint) Reference {
	seen := map[string]bool{}
	for _, c := range all {
		if c.Data != nil {
			for _, x := range c.Data.Seen() {
				seen[x.Digest] = true
			}
		}
	}
	fresh := map[string]int{}
	for _, x := range f.heldOut {
		if !seen[x.Digest] {
			fresh[x.Label]++
		}
	}
	out := f
	out.Labels = slices.DeleteFunc(slices.Clone(f.Labels), func(label string) bool {
		unknown := slices.ContainsFunc(all, func(c models.Checkpoint) bool { return !slices.Contains(c.Labels, label) })
		return unknown || fresh[label] < leastHeldOut
	})
	if len(out.Labels) != len(f.Labels) {
		out.Classifier = nil
	}
	out.HeldOut, out.heldOut = out.only(f.HeldOut, f.heldOut, seen)
	out.Learnt, out.learnt = out.only(f.Learnt, f.learnt, nil)
	return out
}

// only takes the recordings with a label of the reference and without those that were seen.
func (f Reference) only(b models.Batch, of []models.Recording, seen map[string]bool) (models.Batch, []models.Recording) {
	var indices, labels []int
	var kept []models.Recording
	for i, x := range of {
		if at, ok := slices.BinarySearch(f.Labels, x.Label); ok && !seen[x.Digest] {
			indices, labels, kept = append(indices, i), append(labels, at), append(kept, x)
		}
	}
	out := b.Select(models.Batch{}, indices)
	out.Labels = labels
	return out, kept
}

// reference returns what the models are judged on: the stored reference, else one of the clips of this run, which is stored
// when the model has been accepted.
func (r *run) reference(ctx context.Context, all ...models.Checkpoint) (Reference, error) {
	if err := r.readReference(ctx); err != nil {
		return Reference{}, err
	}
	if r.stored.FrontEnd != r.set.FrontEnd || len(r.stored.Labels) == 0 {
		f, err := r.gather(func(string) bool { return true })
		if err == nil {
			f.Digest, err = f.checkpoint().Digest()
		}
		if err != nil {
			return f, err
		}
		r.stored = f
	}
	f := r.stored.limited(all...)
	if !f.evaluable() || r.hooks.NewLearner != nil || f.HeldOut.B == 0 {
		return f, nil
	}
	if f.Classifier == nil {
		c, err := r.trainClassifier(ctx, f)
		if err != nil {
			return f, err
		}
		f.Classifier = &c
		if len(f.Labels) == len(r.stored.Labels) {
			r.stored.Classifier = &c
		}
	}
	return f, nil
}

// readReference reads the stored reference into r.stored, once. One that cannot be read is replaced.
func (r *run) readReference(ctx context.Context) error {
	if len(r.stored.Labels) > 0 {
		return nil
	}
	var found [2]models.Checkpoint
	for i, key := range []string{referenceKey(r.config.Name), classifierKey(r.config.Name)} {
		entry, err := r.working.Get(ctx, key)
		if errors.Is(err, modelstore.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := r.working.Load(ctx, entry)
		if err != nil {
			return err
		}
		if found[i], err = models.Decode(content); err != nil {
			r.log.Warn("the recordings that models are judged on cannot be read; they are chosen anew", "key", key, "error", err)
			return nil
		}
	}
	f, err := openReference(found[0])
	if err != nil {
		r.log.Warn("the recordings that models are judged on cannot be read; they are chosen anew", "key", referenceKey(r.config.Name), "error", err)
		return nil
	}
	if slices.Equal(found[1].Labels, f.Labels) {
		f.Classifier = &found[1]
	}
	r.stored = f
	return nil
}

// keepReference stores the reference of an accepted model, with its new labels. It is no reason not to serve the model: what
// fails is done at the next one.
func (r *run) keepReference(ctx context.Context) {
	if !r.config.Gate || r.hooks.NewLearner != nil {
		return
	}
	if err := r.storeReference(ctx); err != nil {
		r.log.Warn("the recordings that models are judged on could not be stored; this is tried again with the next model", "error", err)
	}
}

func (r *run) storeReference(ctx context.Context) error {
	added, err := r.gather(func(label string) bool { return !slices.Contains(r.stored.Labels, label) })
	if err != nil {
		return err
	}
	f := r.stored
	if len(added.Labels) > 0 && len(f.Labels) > 0 && f.FrontEnd == added.FrontEnd {
		f = f.joined(added)
	}
	if !f.evaluable() {
		return nil
	}
	if f.Classifier == nil {
		c, err := r.trainClassifier(ctx, f)
		if err != nil {
			return err
		}
		f.Classifier = &c
	}
	for key, c := range map[string]models.Checkpoint{referenceKey(r.config.Name): f.checkpoint(), classifierKey(r.config.Name): *f.Classifier} {
		digest, err := c.Digest()
		if err != nil {
			return err
		}
		old, err := r.working.Get(ctx, key)
		if err != nil && !errors.Is(err, modelstore.ErrNotFound) {
			return err
		}
		if old.Digest == digest {
			continue
		}
		content, err := c.Encode()
		if err != nil {
			return err
		}
		if _, err := r.working.Put(ctx, key, digest, content, nil, old); err != nil {
			return err
		}
	}
	r.stored = f
	return nil
}

// joined adds the recordings of another reference, of other labels.
func (f Reference) joined(g Reference) Reference {
	out := Reference{FrontEnd: f.FrontEnd, Seed: f.Seed, Labels: slices.Sorted(slices.Values(slices.Concat(f.Labels, g.Labels)))}
	join := func(a, b models.Batch, ofA, ofB []models.Recording) (models.Batch, []models.Recording) {
		of := slices.Concat(ofA, ofB)
		x := models.Batch{B: len(of), T: a.T, F: a.F, Data: slices.Concat(a.Data, b.Data)}
		for _, y := range of {
			at, _ := slices.BinarySearch(out.Labels, y.Label)
			x.Labels = append(x.Labels, at)
		}
		return x, of
	}
	out.Learnt, out.learnt = join(f.Learnt, g.Learnt, f.learnt, g.learnt)
	out.HeldOut, out.heldOut = join(f.HeldOut, g.HeldOut, f.heldOut, g.heldOut)
	return out
}

// clips turns recordings back into sound, in the way that generated spectrograms become sound.
func (f Reference) clips(b models.Batch) ([]audio.Clip, error) {
	front, err := frontend.New(f.FrontEnd)
	if err != nil {
		return nil, err
	}
	var out []audio.Clip
	for i := range b.B {
		c, err := front.Synthesize(b, i, f.Seed+uint64(i))
		if errors.Is(err, frontend.ErrSilent) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c.Label = f.Labels[b.Labels[i]]
		out = append(out, c)
	}
	return out, nil
}

// trainClassifier trains the classifier of a reference, and logs how long that took.
func (r *run) trainClassifier(ctx context.Context, f Reference) (models.Checkpoint, error) {
	began := time.Now()
	c, err := f.train(ctx)
	if err == nil {
		r.log.Info("the classifier that models are judged by was trained", "recordings", f.Learnt.B, "labels", len(f.Labels), "seconds", time.Since(began).Seconds())
	}
	return c, err
}

// train trains the classifier.
func (f Reference) train(ctx context.Context) (models.Checkpoint, error) {
	clips, err := f.clips(f.Learnt)
	if err != nil {
		return models.Checkpoint{}, err
	}
	batches := (len(clips) + 31) / 32
	c, err := eval.Train(ctx, clips, eval.Options{Seed: f.Seed, Epochs: max(judgeSteps/max(batches, 1), 1)})
	if err != nil {
		return models.Checkpoint{}, err
	}
	return c.Checkpoint()
}
