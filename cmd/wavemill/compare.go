package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wavemill/audio"
	"wavemill/cmd/wavemill/comparison"
	"wavemill/cmd/wavemill/report"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/eval"
)

// compareOptions are the flags of `wavemill compare`.
type compareOptions struct {
	data   []string
	labels string
	models []string
	out    string
	budget time.Duration
	steps  int64
	clips  int
	seed   uint64
	useful bool
	asJSON bool
}

func newCompare(a *app) *cobra.Command {
	var o compareOptions
	cmd := &cobra.Command{
		Use:   "compare --data DIR --model A --model B --out DIR",
		Short: "Train and judge several models on the same recordings: which one to ship, and why",
		Long: `Compare judges models side by side on the same recordings and writes report.json
and report.html, one file with the table, sounds, pictures and a verdict.

Each --model is an architecture (` + strings.Join(architectures.Names(), ", ") + `), which is trained for --budget on
the training recordings, or a checkpoint file. A tenth of the recordings is held
out: no model and no judge learns from it.`,
		Example: `  wavemill compare --data recordings/ --model vae --model gan --out comparison --budget 10m
  wavemill compare --data recordings/ --model old.safetensors --model vaegan --out comparison`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.compare(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.data, "data", nil, "folder or file with the recordings; may be repeated (required)")
	f.StringArrayVar(&o.models, "model", nil, "architecture to train or checkpoint to take; repeat it (required)")
	f.StringVar(&o.out, "out", "", "folder for the reports and the trained checkpoints; it is made if it is not there (required)")
	f.DurationVar(&o.budget, "budget", 10*time.Minute, "how long to train each architecture")
	f.Int64Var(&o.steps, "steps", 0, "steps to train each architecture, instead of --budget")
	f.IntVar(&o.clips, "clips", 0, "clips to generate with each model (default: as many as there are training recordings)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of everything random: split, training, judge, clips")
	f.BoolVar(&o.useful, "useful", true, "also train classifiers on the generated clips and test them on real ones")
	f.BoolVar(&o.asJSON, "json", false, "print the report as one line of JSON")
	addLabels(cmd, &o.labels)
	return cmd
}

func (o *compareOptions) check() error {
	switch {
	case len(o.data) == 0:
		return usagef("--data is missing: a folder with recordings")
	case len(o.models) == 0:
		return usagef("--model is missing: an architecture (%s) or a checkpoint; repeat it to compare", strings.Join(architectures.Names(), ", "))
	case o.out == "":
		return usagef("--out is missing: the folder for the reports")
	case o.budget <= 0:
		return usagef("--budget %v: training takes time", o.budget)
	case o.clips < 0 || o.steps < 0:
		return usagef("--clips and --steps must not be negative")
	}
	for _, m := range o.models {
		if slices.Contains(architectures.Names(), m) {
			continue
		}
		if _, err := os.Stat(m); err != nil {
			return usagef("--model %s is neither an architecture (%s) nor a checkpoint: %w", m, strings.Join(architectures.Names(), ", "), err)
		}
	}
	return nil
}

// contestants are the names under which models appear: the architecture or the file's name, numbered where twice.
func (o *compareOptions) contestants() []string {
	names := make([]string, len(o.models))
	seen := map[string]int{}
	for i, m := range o.models {
		name := strings.TrimSuffix(filepath.Base(m), filepath.Ext(m))
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s %d", name, seen[name])
		}
		names[i] = name
	}
	return names
}

// comparedReport is report.json: the judgement of each model, and what follows from it.
type comparedReport struct {
	eval.Report
	Verdict     comparison.Verdict `json:"verdict"`
	DataHash    string             `json:"data_hash"` // of the recordings' names, labels and sizes
	LabelSource string             `json:"label_source"`
	Budget      float64            `json:"budget_seconds"`
	Command     string             `json:"command"`
}

// A contestant is a model to compare, and what it made.
type contestant struct {
	name       string
	checkpoint models.Checkpoint
	file       string
	training   schooling // how it was trained, if it was
	row        eval.Row
	clips      []audio.Clip
}

func (a *app) compare(ctx context.Context, o compareOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	set, err := a.scan(ctx, o.data, o.labels)
	if err != nil {
		return err
	}
	decoded, err := a.decodeAll(ctx, set.Items)
	if err != nil {
		return err
	}
	for _, r := range decoded {
		if r.err != nil {
			a.note("skipped %s: %v", r.item.Path, r.err)
		}
	}
	trainPart, heldPart := split(good(decoded), o.seed)
	if len(heldPart) == 0 {
		return errors.New("no label has two recordings that can be used: none can be held out to compare with")
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	contestants, err := a.gather(ctx, o, trainPart)
	if err != nil {
		return err
	}
	e := &evaluation{app: a, seed: o.seed, clips: o.clips}
	if err := e.open(ctx, clipsOf(trainPart), clipsOf(heldPart), o.useful); err != nil {
		return err
	}
	defer e.done()
	result := comparedReport{
		Report: e.judge.Report(), DataHash: set.Hash(), LabelSource: set.LabelSource,
		Budget: o.budget.Seconds(), Command: o.command(),
	}
	if result.Rows, err = e.rows(ctx, result.Rows, contestants); err != nil {
		return err
	}
	e.done()
	result.Verdict = comparison.Decide(result.Report)
	return a.writeComparison(o, result, e, contestants)
}

// rows judges the ceiling of each front end, noise and the contestants, whose rows and clips it keeps.
func (e *evaluation) rows(ctx context.Context, rows []eval.Row, contestants []*contestant) ([]eval.Row, error) {
	var seen []models.FrontEnd
	for _, c := range contestants {
		if slices.Contains(seen, c.checkpoint.FrontEnd) {
			continue
		}
		seen = append(seen, c.checkpoint.FrontEnd)
		row, err := e.ceiling(ctx, c.checkpoint.FrontEnd)
		if err != nil {
			return nil, err
		}
		if len(seen) > 1 {
			row.Name = "ceiling of " + c.name
		}
		rows = append(rows, row)
	}
	row, err := e.noise(ctx)
	if err != nil {
		return nil, err
	}
	rows = append(rows, row)
	for _, c := range contestants {
		if c.row, c.clips, err = e.model(ctx, c.name, c.checkpoint); err != nil {
			return nil, err
		}
		c.row.Training.Checkpoint = c.file
		c.row.Training.Seconds, c.row.Training.CPUSeconds = c.training.seconds, c.training.cpuSeconds
		rows = append(rows, c.row)
	}
	return rows, nil
}

// gather reads the checkpoints and trains the architectures.
func (a *app) gather(ctx context.Context, o compareOptions, recordings []recording) ([]*contestant, error) {
	out := make([]*contestant, len(o.models))
	s := &school{app: a, seed: o.seed, budget: o.budget, steps: o.steps}
	for i, name := range o.contestants() {
		c := &contestant{name: name, file: o.models[i]}
		var err error
		if slices.Contains(architectures.Names(), o.models[i]) {
			c.file = filepath.Join(o.out, strings.ReplaceAll(name, " ", "-")+".safetensors")
			c.checkpoint, c.training, err = s.train(ctx, o.models[i], recordings, c.file)
		} else {
			c.checkpoint, err = models.Read(c.file)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[i] = c
	}
	return out, nil
}

// command is the command line that makes the comparison again.
func (o *compareOptions) command() string {
	parts := []string{"wavemill compare"}
	for _, d := range o.data {
		parts = append(parts, "--data "+quote(d))
	}
	for _, m := range o.models {
		parts = append(parts, "--model "+quote(m))
	}
	if o.labels != "" {
		parts = append(parts, "--labels "+quote(o.labels))
	}
	parts = append(parts, "--out "+quote(o.out), fmt.Sprintf("--seed %d", o.seed))
	if o.steps > 0 {
		parts = append(parts, fmt.Sprintf("--steps %d", o.steps))
	} else {
		parts = append(parts, fmt.Sprintf("--budget %v", o.budget))
	}
	if o.clips > 0 {
		parts = append(parts, fmt.Sprintf("--clips %d", o.clips))
	}
	if !o.useful {
		parts = append(parts, "--useful=false")
	}
	return strings.Join(parts, " ")
}

// The files of a comparison.
const (
	compareJSON = "report.json"
	compareHTML = "report.html"
)

// writeComparison writes both reports and prints the result.
func (a *app) writeComparison(o compareOptions, result comparedReport, e *evaluation, contestants []*contestant) error {
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(o.out, compareJSON), append(text, '\n')); err != nil {
		return err
	}
	labels, err := comparedLabels(result.Report, e, contestants)
	if err != nil {
		return err
	}
	page := comparison.Page{
		Title: fmt.Sprintf("%d models, %d recordings, one verdict", len(contestants), result.TrainClips+result.HeldOut),
		Made:  time.Now(), Verdict: result.Verdict, Report: result.Report, Labels: labels, Command: result.Command,
		Facts: []report.Fact{
			{Name: "recordings", Value: fmt.Sprintf("%d to learn from, %d held out, %d labels (%s)", result.TrainClips, result.HeldOut, len(result.Report.Labels), result.LabelSource)},
			{Name: "data", Value: result.DataHash},
			{Name: "seed", Value: strconv.FormatUint(o.seed, 10)},
		},
	}
	for _, c := range contestants {
		page.Curves = append(page.Curves, c.training.curves(c.name)...)
		page.Facts = append(page.Facts, report.Fact{Name: c.name, Value: fmt.Sprintf("%s, %d steps, digest %s, %s", c.checkpoint.Arch, c.checkpoint.Step, c.row.Training.Digest[:12], c.file)})
	}
	var html bytes.Buffer
	if err := comparison.Write(&html, page); err != nil {
		return err
	}
	path := filepath.Join(o.out, compareHTML)
	if err := writeFile(path, html.Bytes()); err != nil {
		return err
	}
	if o.asJSON {
		return a.printJSON(result)
	}
	if err := printReport(a.out, result.Report); err != nil {
		return err
	}
	for _, line := range slices.Concat([]string{"", result.Verdict.Headline}, result.Verdict.Reasons, result.Verdict.Cautions, []string{"", path}) {
		if err := a.say("%s", line); err != nil {
			return err
		}
	}
	return nil
}
