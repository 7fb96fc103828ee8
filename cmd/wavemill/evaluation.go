package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/models/comparison"
	"wavemill/models/report"
	"wavemill/models/training"
)

// evaluationFlags are the flags that commands share that evaluate models: eval and compare.
type evaluationFlags struct {
	holdoutFlags
	data   []string
	labels string
	test   []string
	clips  int
	seed   uint64
	useful bool
	quick  bool
	asJSON bool
	flags  *pflag.FlagSet // of the command line
}

func (e *evaluationFlags) addAll(cmd *cobra.Command) {
	f := cmd.Flags()
	e.flags = f
	f.StringArrayVar(&e.data, "data", nil, "folder or file with the recordings; may be repeated (required)")
	f.StringArrayVar(&e.test, "test", nil, "folder or file with other recordings to evaluate with; may be repeated (default: those of --data that no model has seen)")
	f.IntVar(&e.clips, "clips", 0, "clips to generate with each model (default: as many as there are training recordings)")
	f.Uint64Var(&e.seed, "seed", 1, "seed of everything random")
	f.BoolVar(&e.useful, "useful", true, "also train classifiers on the generated clips and test them on real ones")
	f.BoolVar(&e.quick, "quick", false, "train one classifier of each kind instead of three, with fewer steps, and add clips to no share of the recordings")
	f.BoolVar(&e.asJSON, "json", false, "print the report as one line of JSON")
	addLabels(cmd, &e.labels)
	e.holdoutFlags.add(cmd)
}

// maxEvaluated is the greatest --clips.
const maxEvaluated = 100_000

// checkAll reports the first wrong flag.
func (e *evaluationFlags) checkAll() error {
	// All clips of a model are in memory at once.
	if e.clips < 0 || e.clips > maxEvaluated {
		return usagef("--clips %d: ask for 1 to %d clips", e.clips, maxEvaluated)
	}
	return e.holdoutFlags.check()
}

// options of an evaluation of so many candidates.
func (e *evaluationFlags) options(a *app, candidates int) (comparison.Options, *training.Stages) {
	p := training.NewStages(a.console)
	return comparison.Options{
		Seed: e.seed, Clips: e.clips, Useful: e.useful, Quick: e.quick, Candidates: candidates, Progress: p,
	}, p
}

// evaluationData are the recordings of --data and --test, and what is known of the former.
type evaluationData struct {
	comparison.Recordings
	hash, labelSource string
}

// evaluationRecordings reads the recordings of --data and --test.
func (a *app) evaluationRecordings(ctx context.Context, o evaluationFlags) (evaluationData, error) {
	var d evaluationData
	d.Rule = o.rule(o.seed)
	set, err := a.scanGroups(ctx, o.data, o.labels, o.group)
	if err != nil {
		return d, err
	}
	d.hash, d.labelSource = set.Hash(), set.LabelSource
	if d.All, err = a.loadItems(ctx, set.Items); err != nil {
		return d, err
	}
	if len(o.test) > 0 {
		d.Test, err = a.load(ctx, o.test, o.labels, o.holdoutFlags)
	}
	return d, err
}

// recordingFacts are the facts about the recordings that an HTML report shows.
func recordingFacts(d evaluationData, seed uint64) []report.Fact {
	return []report.Fact{{Name: "labels from", Value: d.labelSource}, {Name: "data", Value: d.hash}, {Name: "seed", Value: strconv.FormatUint(seed, 10)}}
}
