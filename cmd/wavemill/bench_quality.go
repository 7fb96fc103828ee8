package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/models/benchmark"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// benchQuality holds the flags of `bench quality`.
type benchQuality struct {
	benchmark.Quality
	data   []string
	labels string
	write  string
	asJSON bool
}

func newBenchQuality(a *app) *cobra.Command {
	var b benchQuality
	cmd := &cobra.Command{
		Use:   "quality --data DIR --keep DIR",
		Short: "Train and evaluate every architecture with several seeds: the tables of docs/quality.md",
		Long: `Quality trains each --model for --budget or --steps with each of --seeds seeds,
evaluates it on the tenth of the recordings that was held out with that seed, and
prints means with 95 % intervals. A difference between models whose interval holds 0
is called none.

With --leave-out speaker, each speaker is held out whole in a training of its own,
beside a tenth of the others' recordings; accuracies on known and unknown speakers
are given apart. With --few, each model is also trained on that share of the
training recordings alone, and a classifier on those with and without its clips.

Results stay in --keep: the same command goes on where it was stopped.
--write FILE replaces the text between "<!-- quality NAME -->" and
"<!-- end NAME -->" in a document by the tables.`,
		Example: `  wavemill bench quality --data recordings/ --budget 10m --keep quality --write docs/quality.md --name digits-10m
  wavemill bench quality --data digits/ --labels '{label}_{speaker}_{n}' --leave-out speaker --steps 3000 --keep quality`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("steps") && b.Steps == 0 {
				return usagef("--steps must be positive")
			}
			if b.LeaveOut != "" && !cmd.Flags().Changed("seeds") {
				b.Seeds = 1 // the groups are the runs
			}
			// The folders of this machine are left out.
			given := givenFlags(cmd.Flags(), "data", "keep", "write", "name", "json")
			b.Command = "wavemill bench quality --data DIR --keep DIR " + strings.Join(given, " ")
			return a.benchQuality(cmd.Context(), b)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&b.data, "data", nil, "folder or file with the recordings; may be repeated (required)")
	f.StringSliceVar(&b.Models, "model", []string{"vae", "gan", "vaegan"}, "architectures to train")
	wordDefault(f, "model", strings.Join(b.Models, ","))
	f.DurationVar(&b.Budget, "budget", 10*time.Minute, "how long to train each")
	f.Int64Var(&b.Steps, "steps", 0, "train each for this number of steps instead of --budget: the same on every machine")
	f.IntVar(&b.Seeds, "seeds", 3, "seeds of split, training and evaluator: 1 to this")
	wordDefault(f, "seeds", "3; with --leave-out: 1")
	f.IntVar(&b.Clips, "clips", 0, "clips to generate with each (default: as many as there are training recordings)")
	f.Float64Var(&b.Few, "few", 0, "also train on this share of the training recordings alone, such as 0.05; 0 leaves it out")
	f.Float64SliceVar(&b.Shares, "shares", eval.DefaultShares(), "`shares` of the recordings to which clips are added, each with nine classifiers; 0 for none")
	wordDefault(f, "shares", strings.ReplaceAll(strings.Trim(fmt.Sprint(b.Shares), "[]"), " ", ","))
	f.BoolVar(&b.Quick, "quick", false, "train one classifier of each kind instead of three, with fewer steps, and add clips to no share of the recordings")
	f.StringVar(&b.Group, "group", "", "field of --labels that names a group (a speaker, a kit): groups are held out whole or not at all")
	f.StringVar(&b.LeaveOut, "leave-out", "", "field of --labels, such as speaker: hold out each of its values whole, in a training of its own")
	f.StringVar(&b.Keep, "keep", "", "folder for checkpoints and results (required)")
	f.StringVar(&b.write, "write", "", "document whose tables to replace")
	f.StringVar(&b.Name, "name", "", "name of the tables in the document (needed with --write)")
	f.BoolVar(&b.asJSON, "json", false, "print the result as one line of JSON")
	addLabels(cmd, &b.labels)
	return cmd
}

// check reports what is wrong with the flags, and turns shares of 0 into none.
func (b *benchQuality) check() error {
	if b.write != "" && b.Name == "" {
		return usagef("--write needs --name: the name of the tables in the document")
	}
	if slices.Equal(b.Shares, []float64{0}) {
		b.Shares = nil
	}
	if err := b.Validate(); err != nil {
		return usagef("--%w", err)
	}
	return nil
}

func (a *app) benchQuality(ctx context.Context, b benchQuality) error {
	if err := b.check(); err != nil {
		return err
	}
	group := b.Group
	if b.LeaveOut != "" {
		group = b.LeaveOut
	}
	set, err := a.scanGroups(ctx, b.data, b.labels, group)
	if err != nil {
		return err
	}
	recordings, err := a.decode(ctx, set.Items)
	if err != nil {
		return err
	}
	p := training.NewStages(a.console)
	b.DataHash, b.Progress = set.Hash(), p
	result, err := b.Run(ctx, recordings)
	p.Done()
	if err != nil {
		return err
	}
	if b.write != "" {
		if err := benchmark.ReplaceSection(b.write, b.Name, result.Markdown()); err != nil {
			return err
		}
	}
	return a.printResult(b.asJSON, result)
}
