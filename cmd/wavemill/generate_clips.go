package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/sampling"
)

// A generation is one run of `wavemill generate`.
type generation struct {
	*app
	o          generateOptions
	checkpoint models.Checkpoint
	sampler    *sampling.Sampler
	labels     []string     // asked for, in order
	filter     *eval.Filter // nil: none
	kinds      []sampling.Kind
}

func (a *app) generate(ctx context.Context, o generateOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	checkpoint, sampler, err := openSampler(o.model)
	if err != nil {
		return err
	}
	g := &generation{app: a, o: o, checkpoint: checkpoint, sampler: sampler}
	// Every check comes before a filter is trained and a file is written.
	if g.labels, err = o.plan().Select(sampler.Labels); err != nil {
		return usagef("--%w", err)
	}
	if len(o.likes) > 0 && !sampler.CanEncode() {
		return fmt.Errorf("--like: %w; %s is a %s", sampling.ErrNoEncoder, o.model, sampler.Arch)
	}
	if err := g.openFilter(ctx); err != nil {
		return err
	}
	likes, err := g.references(ctx)
	if err != nil {
		return err
	}
	if g.kinds, err = o.plan().Kinds(g.labels, likes); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if o.untilGood {
		return g.untilGood(ctx)
	}
	return g.all(ctx)
}

// openSampler opens a checkpoint to generate with.
func openSampler(path string) (models.Checkpoint, *sampling.Sampler, error) {
	c, err := models.Read(path)
	if err != nil {
		return c, nil, err
	}
	s, err := sampling.Open(c)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return c, s, err
}

// chosenLabels returns the labels that --label asks for, each once, in the order of the command line.
func chosenLabels(asked, known []string) ([]string, error) {
	labels, err := sampling.SelectLabels(asked, known)
	if err != nil {
		return nil, usagef("--label: %w", err)
	}
	return labels, nil
}

// references reads and encodes the clips of --like.
func (g *generation) references(ctx context.Context) ([]sampling.Reference, error) {
	var classifier *eval.Classifier
	if g.filter != nil {
		classifier = g.filter.Classifier()
	}
	out := make([]sampling.Reference, len(g.o.likes))
	for i, path := range g.o.likes {
		label := ""
		if len(g.labels) > 0 {
			label = g.labels[min(i, len(g.labels)-1)]
		}
		var err error
		out[i], err = g.sampler.ReadReference(ctx, path, label, classifier, g.note)
		if errors.Is(err, sampling.ErrNoLabel) {
			return nil, usagef("--like %s: %w; name it with --label, or give a classifier with --judge", path, err)
		}
		if err != nil {
			return nil, fmt.Errorf("--like %s: %w", path, err)
		}
	}
	return out, nil
}

// all generates n clips of every kind. With a filter, its figures are printed and nothing is rejected.
func (g *generation) all(ctx context.Context) error {
	ps, kindOf := g.o.plan().Series(g.kinds, g.o.seed, g.o.n)
	task := g.console.Start("generate", int64(len(ps)), "clips")
	defer task.Done()
	var filter sampling.Filter
	if g.filter != nil {
		filter = g.filter
	}
	err := g.sampler.StreamChecked(ctx, ps, filter, func(i int, c sampling.Clip, r *eval.FilterResult) error {
		facts := c.Facts()
		if r != nil {
			facts.Add(*r)
		}
		task.Add(1)
		return g.write(kindOf(i), c, facts)
	})
	if errors.Is(err, sampling.ErrSilent) {
		return fmt.Errorf("%w; try another --seed, skip such seeds with --until-good, or train the model longer", err)
	}
	return err
}

// untilGood generates n clips of every kind that pass the filter.
func (g *generation) untilGood(ctx context.Context) error {
	failed := 0
	policy := sampling.Policy{N: g.o.n, Seed: g.o.seed, MaxTries: g.o.maxTries, KeepBest: g.o.keepBest}
	for _, k := range g.kinds {
		task := g.console.Start("generate "+k.Stem, int64(g.o.n), "clips")
		t, err := g.sampler.Accept(ctx, k, g.filter, policy, func(a sampling.Attempt) error {
			task.Add(1)
			return g.settle(k, a)
		})
		task.Done()
		if err != nil {
			return err
		}
		failed += t.Failed
		g.note("%s: %v", k.Stem, t)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d clips are missing: none of %d tries passed for them; raise --max-tries, lower the conditions (--confidence, --realness, --newness), train the model longer, or keep the best with --keep-best",
			failed, g.o.n*len(g.kinds), g.o.maxTries)
	}
	return nil
}

// settle writes a clip that is kept, and prints its line. A failed clip has a line in JSON alone.
func (g *generation) settle(k sampling.Kind, a sampling.Attempt) error {
	switch {
	case a.Kept:
		return g.write(k, a.Clip, a.Facts())
	default:
		g.note("%s: %v", k.Stem, a)
	}
	if g.o.asJSON {
		return g.printJSON(a.Facts())
	}
	return nil
}

// write writes a clip to its file and prints its line.
func (g *generation) write(k sampling.Kind, c sampling.Clip, facts sampling.ClipFacts) error {
	data, err := c.WAV(wav.PCM16)
	if err != nil {
		return err
	}
	facts.File = filepath.Join(g.o.out, k.FileName(c.Seed))
	if err := writeFile(facts.File, data); err != nil {
		return err
	}
	if g.o.asJSON {
		return g.printJSON(facts)
	}
	return g.say("%s", facts.File)
}
