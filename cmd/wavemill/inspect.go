package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/training"
)

// inspectFlags are the flags of `wavemill inspect`.
type inspectFlags struct{ heldOut, asJSON bool }

func newInspect(a *app) *cobra.Command {
	var o inspectFlags
	cmd := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Print what an audio file or a checkpoint contains",
		Long: `Inspect prints the format and levels of audio files, and the architecture, labels,
front end, training and recordings of checkpoints. With --held-out it lists the
recordings that a checkpoint was not trained on.`,
		Example: `  wavemill inspect recording.flac
  wavemill inspect --json model.safetensors
  wavemill inspect --held-out model.safetensors`,
		Args: needArgs("a file to inspect"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, path := range args {
				errs = append(errs, a.inspect(cmd.Context(), path, o))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&o.heldOut, "held-out", false, "list the recordings that a checkpoint was not trained on")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print one line of JSON for each file")
	return cmd
}

func (a *app) inspect(ctx context.Context, path string, o inspectFlags) error {
	switch {
	case !strings.HasSuffix(path, ".safetensors") && o.heldOut:
		return usagef("--held-out is for checkpoints, such as model.safetensors; not for %s", path)
	case !strings.HasSuffix(path, ".safetensors"):
		return a.inspectAudio(ctx, path, o.asJSON)
	}
	c, err := models.Read(path)
	if err != nil {
		return err
	}
	if o.heldOut {
		return a.inspectHeldOut(path, c, o.asJSON)
	}
	return a.inspectCheckpoint(path, c, o.asJSON)
}

// inspectHeldOut lists the recordings that a checkpoint was not trained on.
func (a *app) inspectHeldOut(path string, c models.Checkpoint, asJSON bool) error {
	if c.Data == nil {
		return fmt.Errorf("%s does not record which recordings were held out: it was made by an earlier version, or trained further from a checkpoint of one", path)
	}
	list := training.HeldOutOf(c)
	if asJSON {
		return a.printJSON(struct {
			HeldOut []training.HeldOut `json:"held_out"`
		}{list})
	}
	if err := a.say("%s: %s held out; %s", path, count(len(list), "recording", "recordings"), splitText(*c.Data)); err != nil || len(list) == 0 {
		return err
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  label\tsource\tdigest")
	for _, r := range list {
		fmt.Fprintf(t, "  %s\t%s\t%.16s\n", r.Label, r.Source, r.Digest)
	}
	return t.Flush()
}

// splitText describes the rule by which recordings were held out.
func splitText(d models.TrainingData) string {
	text := fmt.Sprintf("%g %% of the recordings, %g %% of the others for validation, seed %d", 100*d.Share, 100*d.Validation, d.Seed)
	if d.Group != "" {
		text += ", by " + d.Group
	}
	if len(d.HoldOut) > 0 {
		text += ", and " + strings.Join(d.HoldOut, ", ")
	}
	return text
}

// checkpointFacts is what inspect prints about a checkpoint.
type checkpointFacts struct {
	File       string             `json:"file"`
	Model      string             `json:"model"`
	Digest     string             `json:"digest"`
	Labels     []string           `json:"labels"`
	Step       int64              `json:"step"`
	Planned    int64              `json:"planned_steps"`
	Seed       uint64             `json:"seed"`
	BatchSize  int                `json:"batch_size"`
	Parameters int64              `json:"parameters"`
	DataHash   string             `json:"data_hash,omitempty"`
	FrontEnd   models.FrontEnd    `json:"front_end"`
	Config     any                `json:"config"`
	Metrics    map[string]float64 `json:"metrics"` // of the weights that generate

	WeightsStep int64             `json:"weights_step"` // of the weights that generate
	BestBy      string            `json:"best_by,omitempty"`
	Warnings    []models.Warning  `json:"warnings,omitempty"`
	Rollbacks   []models.Rollback `json:"rollbacks,omitempty"`

	Data *dataFacts `json:"data,omitempty"` // nil where the checkpoint does not record its recordings
}

// dataFacts are the recordings of a training in numbers, and the rule that split them.
type dataFacts struct {
	Train      int      `json:"train"`
	Validation int      `json:"validation"`
	HeldOut    int      `json:"held_out"`
	Share      float64  `json:"share"`            // held out
	ValShare   float64  `json:"validation_share"` // of the others
	Seed       uint64   `json:"seed"`
	Group      string   `json:"group,omitempty"`
	HoldOut    []string `json:"hold_out,omitempty"`
}

func (a *app) inspectCheckpoint(path string, c models.Checkpoint, asJSON bool) error {
	digest, err := c.Digest()
	if err != nil {
		return err
	}
	facts := checkpointFacts{
		File: path, Model: c.Arch, Digest: digest, Labels: c.Labels, Step: c.Step, Planned: c.Planned, Seed: c.Seed,
		BatchSize: c.BatchSize, DataHash: c.DataHash, FrontEnd: c.FrontEnd, Config: c.Config, Metrics: c.Metrics,
		WeightsStep: c.GeneratesFrom(), Warnings: c.Warnings, Rollbacks: c.Rollbacks,
	}
	if c.Best != nil {
		facts.BestBy = c.Best.Metric
	}
	for _, t := range c.WithoutOptimizer().Tensors {
		facts.Parameters += int64(len(t.Data))
	}
	if d := c.Data; d != nil {
		facts.Data = &dataFacts{len(d.Learnt), len(d.Chosen), len(d.HeldOut), d.Share, d.Validation, d.Seed, d.Group, d.HoldOut}
	}
	if asJSON {
		return a.printJSON(facts)
	}
	return a.say("%s", facts.text(c))
}

// text describes a checkpoint for a person.
func (f checkpointFacts) text(c models.Checkpoint) string {
	s := c.FrontEnd.Spectrogram
	lines := []string{
		f.File + ": checkpoint of a " + c.Arch,
		fmt.Sprintf("  labels      %d: %s", len(c.Labels), abridge(c.Labels, 20)),
		fmt.Sprintf("  steps       %d of %d planned, %d clips each, seed %d", c.Step, c.Planned, c.BatchSize, c.Seed),
		fmt.Sprintf("  parameters  %d", f.Parameters),
		fmt.Sprintf("  front end   %d frames by %d bins (%s, %s) at %d Hz, n_fft %d, hop %d", c.FrontEnd.Frames, s.Bins(), s.Scale, s.Value, s.SampleRate, s.NFFT, s.Hop),
		"  config      " + string(c.Config),
		"  digest      " + f.Digest,
		"  recordings  " + recordingsText(c.Data),
	}
	for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
		lines = append(lines, fmt.Sprintf("  %-20s %.5g", name, c.Metrics[name]))
	}
	if c.GeneratesFrom() != c.Step {
		lines = append(lines, fmt.Sprintf("  rolled back to the weights of step %d", c.GeneratesFrom()))
	}
	for _, r := range c.Rollbacks {
		lines = append(lines, fmt.Sprintf("  diverged at step %d, went back to %d", r.Step, r.To))
	}
	for _, w := range c.Warnings {
		lines = append(lines, "  warning: "+w.String())
	}
	return strings.Join(lines, "\n")
}

// recordingsText describes the recordings of a training.
func recordingsText(d *models.TrainingData) string {
	if d == nil {
		return "not recorded: what the model has seen is not known"
	}
	return fmt.Sprintf("%d to learn from, %d for validation, %d held out (%s)", len(d.Learnt), len(d.Chosen), len(d.HeldOut), splitText(*d))
}
