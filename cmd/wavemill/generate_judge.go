package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/eval"
)

// judgeOptions say who judges clips.
type judgeOptions struct {
	file   string   // a judge that was saved
	data   []string // recordings to train one on
	labels string   // where their labels come from
}

func addJudge(f *pflag.FlagSet, o *judgeOptions) {
	f.StringVar(&o.file, "judge", "", "judge made by \"wavemill judge\": says how clearly each clip is heard")
	f.StringArrayVar(&o.data, "data", nil, "instead: folder or file with recordings to train a judge on; may be repeated")
	f.StringVar(&o.labels, "labels", "", "where labels of --data come from: folder, prefix, FILE.csv, FILE.jsonl or a pattern (default: detected)")
}

func (o judgeOptions) asked() bool { return o.file != "" || len(o.data) > 0 }

func (o judgeOptions) check() error {
	switch {
	case o.file != "" && len(o.data) > 0:
		return usagef("--judge is a judge, --data are recordings to train one on: use one of them")
	case o.labels != "" && len(o.data) == 0:
		return usagef("--labels says where the labels of --data come from, which is not there")
	}
	return nil
}

// newJudge is `wavemill judge`.
func newJudge(a *app) *cobra.Command {
	var o judgeCommand
	cmd := &cobra.Command{
		Use:   "judge --data DIR --out JUDGE",
		Short: "Train the judge that generate --until-good asks",
		Long: `Judge trains a classifier on recordings and saves it with what it takes to recognise
copies of them: pictures at half the resolution of their spectrograms. With --model,
it also listens to what the discriminators of those models (gan, vaegan) say of the
recordings that training held out.

The file holds enough of the recordings to show their outlines: share it as you would
share them.`,
		Example: `  wavemill judge --data recordings/ --out judge.safetensors
  wavemill judge --data recordings/ --model vaegan.safetensors --out judge.safetensors
  wavemill generate --model vaegan.safetensors --label three --n 50 --until-good --judge judge.safetensors --out clips`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.judge(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with the recordings that models learnt from; may be repeated (required)")
	f.StringArrayVar(&o.models, "model", nil, "checkpoint whose discriminator is to be asked too; may be repeated")
	f.StringVar(&o.out, "out", "", "file for the judge, such as judge.safetensors (required)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the classifier")
	f.BoolVar(&o.overwrite, "overwrite", false, "write although --out is there already")
	f.BoolVar(&o.asJSON, "json", false, "print the result as one line of JSON")
	addLabels(cmd, &o.labels)
	return cmd
}

// judgeCommand are the flags of `wavemill judge`.
type judgeCommand struct {
	data, models []string
	labels, out  string
	seed         uint64
	overwrite    bool
	asJSON       bool
}

// judgeResult is what `wavemill judge --json` prints.
type judgeResult struct {
	Out            string       `json:"out"`
	Recordings     int          `json:"recordings"`
	Labels         []string     `json:"labels"`
	HeldOut        eval.HeldOut `json:"held_out"`       // the classifier on recordings that it was not trained on
	Discriminators []string     `json:"discriminators"` // digests of models
	Seed           uint64       `json:"seed"`
}

func (a *app) judge(ctx context.Context, o judgeCommand) error {
	switch {
	case len(o.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case o.out == "":
		return usagef("--out is missing: the file for the judge")
	}
	if _, err := os.Stat(o.out); err == nil && !o.overwrite {
		return fmt.Errorf("%s is there already; --overwrite writes over it", o.out)
	}
	checkpoints := make([]models.Checkpoint, len(o.models))
	for i, path := range o.models {
		var err error
		if checkpoints[i], err = models.Read(path); err != nil {
			return err
		}
	}
	all, err := a.recordings(ctx, o.data, o.labels)
	if err != nil {
		return err
	}
	sieve, err := a.trainSieve(ctx, all, o.seed)
	if err != nil {
		return err
	}
	result := judgeResult{Out: o.out, Recordings: len(all), Labels: sieve.Classifier().Labels(), HeldOut: sieve.Classifier().HeldOut(), Discriminators: []string{}, Seed: o.seed}
	var known []*eval.DiscriminatorQuantile
	for i, cp := range checkpoints {
		r, err := a.listen(ctx, cp, all)
		if errors.Is(err, models.ErrNoDiscriminator) {
			a.note("%s: %v; its clips are judged by the classifier and by their newness alone", o.models[i], err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", o.models[i], err)
		}
		known = append(known, r)
		result.Discriminators = append(result.Discriminators, r.Digest())
	}
	file, err := sieve.Checkpoint(known...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	if err := file.Write(o.out); err != nil {
		return err
	}
	if o.asJSON {
		return a.printJSON(result)
	}
	return a.say("%s: a judge of %d labels, trained on %d recordings; of %d others it names %.1f %% rightly",
		o.out, len(result.Labels), len(all), result.HeldOut.Clips, 100*result.HeldOut.Accuracy)
}

// trainSieve trains a classifier on recordings, and says where it is not to be trusted.
func (a *app) trainSieve(ctx context.Context, all []recording, seed uint64) (*eval.Filter, error) {
	task := a.console.Start("train the judge", 0, "epochs")
	defer task.Done()
	clips := clipsOf(all)
	c, err := eval.Train(ctx, clips, eval.Options{Seed: seed, OnProgress: func(p eval.Progress) {
		task.Total(int64(p.Epochs))
		task.Set(int64(p.Epoch))
	}})
	if err != nil {
		return nil, err
	}
	if held := c.HeldOutAccuracy(); held < eval.Gate {
		a.note("the judge names only %.1f %% of the held-out recordings rightly, less than %.0f %%: it will refuse good clips and pass bad ones", 100*held, 100*eval.Gate)
	}
	return eval.NewFilter(ctx, c, clips, 0)
}

// listen asks the discriminator of a checkpoint about the recordings that its training held out, if it learnt from
// these, or about all where they are few.
func (a *app) listen(ctx context.Context, cp models.Checkpoint, all []recording) (*eval.DiscriminatorQuantile, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(r recording) bool { return !slices.Contains(cp.Labels, r.item.Label) })
	const few = 50
	if _, held := split(all, cp.Seed); len(held) >= few {
		all = held
	}
	task := a.console.Start("ask the discriminator", int64(len(all)), "recordings")
	defer task.Done()
	r, err := eval.NewDiscriminatorQuantile(ctx, cp, clipsOf(all), cp.Seed)
	task.Set(int64(len(all)))
	return r, err
}

// orNothing returns a limit of a sieve, which takes 0 for its default: who writes 0 here asks for nothing.
func orNothing(v float64) float64 {
	if v == 0 {
		return -1
	}
	return v
}

// openJudge opens or trains the judge, if there is to be one.
func (g *generation) openJudge(ctx context.Context) error {
	if !g.o.judge.asked() {
		return nil
	}
	var realness *eval.DiscriminatorQuantile
	var err error
	if g.o.judge.file != "" {
		realness, err = g.savedJudge()
	} else {
		realness, err = g.freshJudge(ctx)
	}
	if err != nil {
		return err
	}
	known := g.sieve.Classifier().Labels()
	for _, label := range g.labels {
		if !slices.Contains(known, label) {
			return fmt.Errorf("the judge does not know the label %q; it knows %s", label, abridge(known, 12))
		}
	}
	limits := eval.Limits{Confidence: orNothing(g.o.confidence), Realness: orNothing(g.o.realness), Newness: g.o.newness}
	if g.o.given("newness") {
		limits.Newness = orNothing(g.o.newness)
	}
	if g.sieve, err = g.sieve.Within(limits); err != nil {
		return err
	}
	if realness != nil && (g.o.realness > 0 || !g.o.untilGood) {
		g.sieve = g.sieve.WithDiscriminator(realness)
	}
	return nil
}

// savedJudge opens --judge. The realness is nil where there is none.
func (g *generation) savedJudge() (*eval.DiscriminatorQuantile, error) {
	file, err := models.Read(g.o.judge.file)
	if err != nil {
		return nil, err
	}
	if file.Arch != eval.FilterArch {
		return nil, fmt.Errorf("%s holds a %s and no judge; \"wavemill judge\" makes one", g.o.judge.file, file.Arch)
	}
	if g.sieve, err = eval.OpenFilter(file); err != nil {
		return nil, fmt.Errorf("%s: %w", g.o.judge.file, err)
	}
	r, err := eval.OpenDiscriminatorQuantile(file, g.checkpoint)
	return r, g.withoutRealness(err)
}

// freshJudge trains a judge on --data.
func (g *generation) freshJudge(ctx context.Context) (*eval.DiscriminatorQuantile, error) {
	// Asked before the judge is trained, so that nobody waits for a refusal.
	if _, err := architectures.OpenDiscriminator(g.checkpoint); err != nil {
		if err := g.withoutRealness(err); err != nil {
			return nil, err
		}
	}
	all, err := g.recordings(ctx, g.o.judge.data, g.o.judge.labels)
	if err != nil {
		return nil, err
	}
	if g.sieve, err = g.trainSieve(ctx, all, g.checkpoint.Seed); err != nil {
		return nil, err
	}
	r, err := g.listen(ctx, g.checkpoint, all)
	return r, g.withoutRealness(err)
}

// withoutRealness says that the discriminator cannot be asked, and lets it be so unless somebody insists.
func (g *generation) withoutRealness(err error) error {
	missing, unheard := errors.Is(err, models.ErrNoDiscriminator), errors.Is(err, eval.ErrNotScored)
	switch {
	case !missing && !unheard:
		return err
	case g.o.given("realness") && g.o.realness > 0:
		return fmt.Errorf("--realness: %w", err)
	case unheard:
		g.note("%v: clips are judged without it; \"wavemill judge --model %s\" lets it listen", err, g.o.model)
	}
	return nil
}
