package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/eval"
)

// A generation is one run of `wavemill generate` until its filter is open.
type generation struct {
	*app
	o          generateOptions
	checkpoint models.Checkpoint
	labels     []string     // asked for, in order
	filter     *eval.Filter // nil: none
}

// judgeOptions say which filter checks clips.
type judgeOptions struct {
	file   string   // a saved filter
	data   []string // recordings to train one on
	labels string   // source of their labels
}

func addJudge(f *pflag.FlagSet, o *judgeOptions) {
	f.StringVar(&o.file, "judge", "", "filter made by \"wavemill judge\": prints the probability of each clip's label")
	f.StringArrayVar(&o.data, "data", nil, "instead: folder or file with recordings to train a filter on; may be repeated")
	f.StringVar(&o.labels, "labels", "", "source of the labels of --data: folder, prefix, FILE.csv, FILE.jsonl or a pattern (default: detected)")
}

func (o judgeOptions) asked() bool { return o.file != "" || len(o.data) > 0 }

func (o judgeOptions) check() error {
	switch {
	case o.file != "" && len(o.data) > 0:
		return usagef("--judge is a filter, --data are recordings to train one on: use one of them")
	case o.labels != "" && len(o.data) == 0:
		return usagef("--labels says where the labels of --data come from, but --data is missing")
	}
	return nil
}

// orNoLimit returns a limit for eval.Limits, where 0 is the default and a negative value no limit. On the command line,
// 0 is no limit.
func orNoLimit(v float64) float64 {
	if v == 0 {
		return -1
	}
	return v
}

// openFilter opens or trains the filter, if the flags ask for one.
func (g *generation) openFilter(ctx context.Context) error {
	if !g.o.judge.asked() {
		return nil
	}
	open := g.newFilter
	if g.o.judge.file != "" {
		open = g.savedFilter
	}
	realness, err := open(ctx)
	if err != nil {
		return err
	}
	if g.o.UntilGood && g.o.realness == 0 {
		realness = nil
	}
	limits := eval.Limits{Confidence: orNoLimit(g.o.confidence), Realness: orNoLimit(g.o.realness), Newness: g.o.newness}
	if g.o.given("newness") {
		limits.Newness = orNoLimit(g.o.newness)
	}
	g.filter, err = g.filter.For(g.labels, limits, realness)
	return err
}

// savedFilter opens --judge. The discriminator's quantiles are nil where there are none.
func (g *generation) savedFilter(context.Context) (*eval.DiscriminatorQuantile, error) {
	file, err := models.Read(g.o.judge.file)
	if err != nil {
		return nil, err
	}
	if g.filter, err = eval.OpenFilter(file); err != nil {
		return nil, fmt.Errorf("%s: %w", g.o.judge.file, err)
	}
	r, err := eval.OpenDiscriminatorQuantile(file, g.checkpoint)
	return r, g.withoutRealness(err)
}

// newFilter trains a filter on --data.
func (g *generation) newFilter(ctx context.Context) (*eval.DiscriminatorQuantile, error) {
	// Checked before the training, which takes long.
	if _, err := architectures.OpenDiscriminator(g.checkpoint); err != nil {
		if err := g.withoutRealness(err); err != nil {
			return nil, err
		}
	}
	all, err := g.load(ctx, g.o.judge.data, g.o.judge.labels, holdoutFlags{})
	if err != nil {
		return nil, err
	}
	job, stop := g.filterJob(g.checkpoint.Seed)
	defer stop()
	if g.filter, err = job.Train(ctx, all); err != nil {
		return nil, err
	}
	r, err := job.Score(ctx, g.checkpoint, all)
	return r, g.withoutRealness(err)
}

// withoutRealness returns nil where the discriminator is not available and --realness does not require it.
func (g *generation) withoutRealness(err error) error {
	missing, notScored := errors.Is(err, models.ErrNoDiscriminator), errors.Is(err, eval.ErrNotScored)
	switch {
	case !missing && !notScored:
		return err
	case g.o.given("realness") && g.o.realness > 0:
		return fmt.Errorf("--realness: %w", err)
	case notScored:
		g.note("%v: clips are checked without it; \"wavemill judge --model %s\" adds it", err, g.o.model)
	}
	return nil
}
