package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"wavemill/audio"
	"wavemill/cmd/wavemill/progress"
	"wavemill/models"
	"wavemill/models/eval"
)

// evalOptions are the flags of `wavemill eval`.
type evalOptions struct {
	model  string
	data   []string
	labels string
	clips  int
	seed   uint64
	useful bool
	asJSON bool
}

func newEval(a *app) *cobra.Command {
	var o evalOptions
	cmd := &cobra.Command{
		Use:   "eval --model MODEL --data DIR",
		Short: "Judge a model by what its clips are good for",
		Long: `Eval generates clips, as WAV, and compares them with real recordings. The judge is
a classifier of its own, trained on the real recordings that the model may have
learnt from; it hears each clip as a listener does, after phase reconstruction.

The tenth of --data that "wavemill train" with the same seed held out is what
models are compared with. Four rows are printed: those real recordings; the same,
sent through the model's front end and back (the ceiling); noise; and the model.
--useful=false leaves out what takes longest: training classifiers on the clips.`,
		Example: `  wavemill eval --model model.safetensors --data recordings/
  wavemill eval --model model.safetensors --data recordings/ --useful=false --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.eval(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "checkpoint, such as model.safetensors (required)")
	f.StringArrayVar(&o.data, "data", nil, "folder or file with the recordings; may be repeated (required)")
	f.IntVar(&o.clips, "clips", 0, "clips to generate (default: as many as there are training recordings)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the judge and of the generated clips")
	f.BoolVar(&o.useful, "useful", true, "also train classifiers on the generated clips and test them on real ones")
	f.BoolVar(&o.asJSON, "json", false, "print the report as one line of JSON")
	addLabels(cmd, &o.labels)
	return cmd
}

func (a *app) eval(ctx context.Context, o evalOptions) error {
	switch {
	case o.model == "":
		return usagef("--model is missing: the checkpoint to judge")
	case len(o.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case o.clips < 0:
		return usagef("--clips %d: ask for one clip or more", o.clips)
	}
	checkpoint, err := models.Read(o.model)
	if err != nil {
		return err
	}
	all, err := a.recordings(ctx, o.data, o.labels)
	if err != nil {
		return err
	}
	trainPart, heldPart := split(all, checkpoint.Seed)
	if len(heldPart) == 0 {
		return errors.New("no label has two recordings: none can be held out to compare with")
	}
	b := &evaluation{app: a, seed: o.seed, clips: o.clips}
	if err := b.open(ctx, clipsOf(trainPart), clipsOf(heldPart), o.useful); err != nil {
		return err
	}
	defer b.done()
	report := b.judge.Report()
	for _, row := range []func() (eval.Row, error){
		func() (eval.Row, error) { return b.ceiling(ctx, checkpoint.FrontEnd) },
		func() (eval.Row, error) { return b.noise(ctx) },
		func() (eval.Row, error) {
			r, _, err := b.model(ctx, checkpoint.Arch, checkpoint)
			if r.Training != nil {
				r.Training.Checkpoint = o.model
			}
			return r, err
		},
	} {
		r, err := row()
		if err != nil {
			return err
		}
		report.Rows = append(report.Rows, r)
	}
	b.done()
	if o.asJSON {
		return a.printJSON(report)
	}
	return printReport(a.out, report)
}

// recordings scans and decodes; files that cannot be used are named and left out.
func (a *app) recordings(ctx context.Context, roots []string, labels string) ([]recording, error) {
	set, err := a.scan(ctx, roots, labels)
	if err != nil {
		return nil, err
	}
	all, err := a.decodeAll(ctx, set.Items)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.err != nil {
			a.note("skipped %s: %v", r.item.Path, r.err)
		}
	}
	usable := good(all)
	if len(usable) == 0 {
		return nil, errors.New("none of the recordings can be used")
	}
	return usable, nil
}

// An evaluation is a judge at work: it generates clips, has them judged and shows how far it is.
type evaluation struct {
	app   *app
	seed  uint64
	clips int // to generate for each model; 0: as many as training recordings

	shares []float64 // as eval.JudgeOptions; nil for the default

	judge          *eval.Evaluator
	train, heldOut []audio.Clip
	task           *progress.Task
	what           string
}

// open trains the judge.
func (e *evaluation) open(ctx context.Context, train, heldOut []audio.Clip, useful bool) error {
	e.train, e.heldOut = train, heldOut
	var err error
	e.judge, err = eval.NewEvaluator(ctx, train, heldOut, eval.EvaluatorOptions{Seed: e.seed, Useful: useful, Shares: e.shares, OnProgress: e.progress})
	if err != nil {
		e.done()
		return err
	}
	if v := e.judge.Report().Evaluator; !v.Trusted {
		e.app.note("the judge names only %.1f %% of the held-out recordings rightly, less than %.0f %%: read its figures as a comparison", 100*v.Accuracy, 100*eval.Gate)
	}
	return nil
}

// progress shows one stage after the other.
func (e *evaluation) progress(what string, part float64) {
	if what != e.what {
		e.done()
		e.what, e.task = what, e.app.console.Start(what, 100, "%")
	}
	e.task.Set(int64(100 * part))
}

// done ends the stage that is shown.
func (e *evaluation) done() {
	e.task.Set(100)
	e.task.Done()
	e.task, e.what = nil, ""
}

// ceiling is the row of held-out recordings sent through a front end and back.
func (e *evaluation) ceiling(ctx context.Context, fe models.FrontEnd) (eval.Row, error) {
	clips, err := eval.RoundTrip(ctx, fe, e.heldOut, e.seed)
	if err != nil {
		return eval.Row{}, err
	}
	return e.judge.Row(ctx, "ceiling", "ceiling", clips)
}

// noise is the row of a model that learnt nothing.
func (e *evaluation) noise(ctx context.Context) (eval.Row, error) {
	return e.judge.Row(ctx, "noise", "noise", eval.Noise(e.heldOut, e.seed))
}

// model is the row of a model, and its clips.
func (e *evaluation) model(ctx context.Context, name string, cp models.Checkpoint) (eval.Row, []audio.Clip, error) {
	digest, err := cp.Digest()
	if err != nil {
		return eval.Row{}, nil, err
	}
	labels, err := e.asked(cp)
	if err != nil {
		return eval.Row{}, nil, fmt.Errorf("%s: %w", name, err)
	}
	began := time.Now()
	clips, err := eval.Generate(ctx, cp, labels, e.seed, func(made int) {
		e.progress("generating with "+name, float64(made)/float64(len(labels)))
	})
	if err != nil {
		return eval.Row{}, nil, fmt.Errorf("%s: %w", name, err)
	}
	took := time.Since(began)
	row, err := e.judge.Row(ctx, name, "model", clips)
	row.Training = &eval.Training{
		Arch: cp.Arch, Digest: digest, Seed: cp.Seed, Steps: cp.Step,
		PerClip: 1000 * took.Seconds() / float64(len(clips)),
	}
	return row, clips, err
}

// asked returns the labels to generate, as indices into the checkpoint's: as often as they occur in the training
// recordings, or in that proportion.
func (e *evaluation) asked(cp models.Checkpoint) ([]int, error) {
	index := map[string]int{}
	for i, l := range cp.Labels {
		index[l] = i
	}
	n := e.clips
	if n == 0 {
		n = len(e.train)
	}
	labels := make([]int, n)
	for i := range labels {
		// Spread over the training recordings, which are sorted by name.
		want := e.train[i*len(e.train)/n%len(e.train)].Label
		l, ok := index[want]
		if !ok {
			return nil, fmt.Errorf("the model does not know the label %q of the recordings; it knows %s", want, abridge(cp.Labels, 12))
		}
		labels[i] = l
	}
	return labels, nil
}

// printReport prints a report as a table for people.
func printReport(w io.Writer, r eval.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	cells := func(values ...string) { fmt.Fprintln(t, strings.Join(values, "\t")+"\t") }
	cells("", "accuracy", "IS/real", "Fréchet/real", "KID", "NDB", "1-NN", "diversity", "memory", "trained on it")
	for _, row := range r.Rows {
		useful := "–"
		if u := row.Usefulness; u != nil {
			useful = fmt.Sprintf("%.3f of %.3f", u.Alone, u.Real)
		}
		memory := fmt.Sprintf("%.2f", row.Memorisation.Spectrogram)
		if row.Memorisation.Alarm {
			memory += " !"
		}
		cells(row.Name, fmt.Sprintf("%.3f", row.LabelAccuracy), fmt.Sprintf("%.3f", row.InceptionRatio), fmt.Sprintf("%.2f", row.FrechetRatio),
			fmt.Sprintf("%.4f", row.Kernel), fmt.Sprintf("%.2f", row.NDB), fmt.Sprintf("%.2f", (row.TwoSample.Real+row.TwoSample.Generated)/2),
			fmt.Sprintf("%.2f", row.DiversityRatio), memory, useful)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, row := range r.Rows {
		if row.Usefulness == nil {
			continue
		}
		for _, g := range row.Usefulness.Added {
			fmt.Fprintf(w, "%s: %d real clips (%.0f %%) alone %.3f, with %d generated ones %.3f: %+.1f points\n",
				row.Name, g.RealClips, 100*g.Share, g.Before, g.Added, g.After, g.Points)
		}
	}
	_, err := fmt.Fprintf(w, "judged on %d real recordings that no model has heard; the judge names %.3f of them rightly\n", r.HeldOut, r.Evaluator.Accuracy)
	return err
}
