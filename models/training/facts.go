package training

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"wavemill/models"
)

// Facts describe a checkpoint and its training. As JSON they are a line of `wavemill inspect --json`.
type Facts struct {
	File       string             `json:"file"`
	Model      string             `json:"model"` // architecture
	Digest     string             `json:"digest"`
	Labels     []string           `json:"labels"`
	Step       int64              `json:"step"`
	Planned    int64              `json:"planned_steps"`
	Seed       uint64             `json:"seed"`
	BatchSize  int                `json:"batch_size"`
	Parameters int64              `json:"parameters"` // without those of the optimizer
	DataHash   string             `json:"data_hash,omitempty"`
	Channels   int                `json:"channels"` // of the clips that it makes
	FrontEnd   models.FrontEnd    `json:"front_end"`
	Config     json.RawMessage    `json:"config"`
	Metrics    map[string]float64 `json:"metrics"` // of the weights that generate

	WeightsStep int64             `json:"weights_step"` // of the weights that generate
	BestBy      string            `json:"best_by,omitempty"`
	Warnings    []models.Warning  `json:"warnings,omitempty"`
	Rollbacks   []models.Rollback `json:"rollbacks,omitempty"`

	Data *DataFacts `json:"data,omitempty"` // nil where the checkpoint does not record its recordings
}

// DataFacts are the recordings of a training in numbers, and the rule that split them.
type DataFacts struct {
	Train      int      `json:"train"`
	Validation int      `json:"validation"`
	HeldOut    int      `json:"held_out"`
	Share      float64  `json:"share"`            // held out
	ValShare   float64  `json:"validation_share"` // of the others
	Seed       uint64   `json:"seed"`
	Group      string   `json:"group,omitempty"`
	HoldOut    []string `json:"hold_out,omitempty"`
	Unlabelled int      `json:"unlabelled,omitempty"` // recordings that came without a label
	Assigned   int      `json:"assigned,omitempty"`   // of these, learnt from with an assigned one
}

// Describe returns the facts of a checkpoint that was read from a file.
func Describe(file string, c models.Checkpoint) (Facts, error) {
	digest, err := c.Digest()
	if err != nil {
		return Facts{}, err
	}
	f := Facts{
		File: file, Model: c.Arch, Digest: digest, Labels: c.Labels, Step: c.Step, Planned: c.Planned, Seed: c.Seed,
		BatchSize: c.BatchSize, DataHash: c.DataHash, Channels: max(1, c.FrontEnd.Spectrogram.Channels), FrontEnd: c.FrontEnd, Config: c.Config, Metrics: c.Metrics,
		WeightsStep: c.GeneratesFrom(), Warnings: c.Warnings, Rollbacks: c.Rollbacks,
	}
	if c.Best != nil {
		f.BestBy = c.Best.Metric
	}
	for _, t := range c.WithoutOptimizer().Tensors {
		f.Parameters += int64(len(t.Data))
	}
	if d := c.Data; d != nil {
		f.Data = &DataFacts{
			Train: len(d.Learnt), Validation: len(d.Chosen), HeldOut: len(d.HeldOut), Share: d.Share, ValShare: d.Validation,
			Seed: d.Seed, Group: d.Group, HoldOut: d.HoldOut,
		}
		if u := d.Unlabelled; u != nil {
			f.Data.Unlabelled, f.Data.Assigned = len(u.Used)+len(u.Unused), len(u.Used)
		}
	}
	return f, nil
}

// String describes the checkpoint in several lines, without a final newline.
func (f Facts) String() string {
	s := f.FrontEnd.Spectrogram
	recordings := "not recorded: what the model has seen is not known"
	if d := f.Data; d != nil {
		recordings = fmt.Sprintf("%d to learn from, %d for validation, %d held out (%s)", d.Train, d.Validation, d.HeldOut, d.rule())
		if d.Unlabelled > 0 {
			recordings += fmt.Sprintf("; %d without a label, of which %d were given one and learnt from", d.Unlabelled, d.Assigned)
		}
	}
	lines := []string{
		f.File + ": checkpoint of a " + f.Model,
		fmt.Sprintf("  labels      %d: %s", len(f.Labels), abridge(f.Labels, 20)),
		fmt.Sprintf("  steps       %d of %d planned, %d clips each, seed %d", f.Step, f.Planned, f.BatchSize, f.Seed),
		fmt.Sprintf("  parameters  %d", f.Parameters),
		fmt.Sprintf("  front end   %d frames by %d bins (%s, %s) at %d Hz, n_fft %d, hop %d", f.FrontEnd.Frames, s.Bins(), s.Scale, s.Value, s.SampleRate, s.NFFT, s.Hop),
		"  channels    " + f.channels(),
		"  config      " + string(f.Config),
		"  digest      " + f.Digest,
		"  recordings  " + recordings,
	}
	for _, name := range slices.Sorted(maps.Keys(f.Metrics)) {
		lines = append(lines, fmt.Sprintf("  %-20s %.5g", name, f.Metrics[name]))
	}
	if f.WeightsStep != f.Step {
		lines = append(lines, fmt.Sprintf("  rolled back to the weights of step %d", f.WeightsStep))
	}
	for _, r := range f.Rollbacks {
		lines = append(lines, fmt.Sprintf("  diverged at step %d, went back to %d", r.Step, r.To))
	}
	for _, w := range f.Warnings {
		lines = append(lines, "  warning: "+w.String())
	}
	return strings.Join(lines, "\n")
}

// channels describes those of the clips that the model makes.
func (f Facts) channels() string {
	if s := f.FrontEnd.Spectrogram; s.Channels == 2 {
		return fmt.Sprintf("2: the last %d bins hold pan and width", s.Image())
	}
	return "1"
}

// rule describes how recordings were held out.
func (d *DataFacts) rule() string {
	if d == nil {
		return "the rule is not recorded"
	}
	text := fmt.Sprintf("%g %% of the recordings, %g %% of the others for validation, seed %d", 100*d.Share, 100*d.ValShare, d.Seed)
	if d.Group != "" {
		text += ", by " + d.Group
	}
	if len(d.HoldOut) > 0 {
		text += ", and " + strings.Join(d.HoldOut, ", ")
	}
	return text
}

// WriteHeldOut writes a table of what a training held out, [HeldOutOf], with the rule.
func (f Facts) WriteHeldOut(w io.Writer, list []HeldOut) error {
	noun := "recordings"
	if len(list) == 1 {
		noun = "recording"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s: %d %s held out; %s\n", f.File, len(list), noun, f.Data.rule())
	if len(list) > 0 {
		fmt.Fprintln(t, "  label\tsource\tdigest")
	}
	for _, r := range list {
		fmt.Fprintf(t, "  %s\t%s\t%.16s\n", r.Label, r.Source, r.Digest)
	}
	return t.Flush()
}
