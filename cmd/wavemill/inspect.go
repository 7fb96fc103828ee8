package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/models"
)

func newInspect(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Say what is in an audio file or a checkpoint",
		Example: `  wavemill inspect recording.flac
  wavemill inspect --json model.safetensors`,
		Args: needArgs("a file to look into"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var errs []error
			for _, path := range args {
				errs = append(errs, a.inspect(cmd.Context(), path, asJSON))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON for each file")
	return cmd
}

func (a *app) inspect(ctx context.Context, path string, asJSON bool) error {
	if strings.HasSuffix(path, ".safetensors") {
		return a.inspectCheckpoint(path, asJSON)
	}
	return a.inspectAudio(ctx, path, asJSON)
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
}

func (a *app) inspectCheckpoint(path string, asJSON bool) error {
	c, err := models.Read(path)
	if err != nil {
		return err
	}
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
	if asJSON {
		return a.printJSON(facts)
	}
	s := c.FrontEnd.Spectrogram
	lines := []string{
		path + ": checkpoint of a " + c.Arch,
		fmt.Sprintf("  labels      %d: %s", len(c.Labels), abridge(c.Labels, 20)),
		fmt.Sprintf("  steps       %d of %d planned, %d clips each, seed %d", c.Step, c.Planned, c.BatchSize, c.Seed),
		fmt.Sprintf("  parameters  %d", facts.Parameters),
		fmt.Sprintf("  front end   %d frames by %d bins (%s, %s) at %d Hz, n_fft %d, hop %d", c.FrontEnd.Frames, s.Bins(), s.Scale, s.Value, s.SampleRate, s.NFFT, s.Hop),
		"  config      " + string(c.Config),
		"  digest      " + digest,
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
	return a.say("%s", strings.Join(lines, "\n"))
}

// audioFacts is what inspect prints about an audio file.
type audioFacts struct {
	File       string            `json:"file"`
	Format     string            `json:"format"`
	Encoding   string            `json:"encoding"`
	SampleRate int               `json:"sample_rate"`
	Channels   int               `json:"channels"`
	Frames     int64             `json:"frames"`
	Duration   float64           `json:"duration"` // in seconds
	Peak       float64           `json:"peak"`
	RMS        float64           `json:"rms"`
	Bandwidth  float64           `json:"bandwidth"` // Hz below which 99.9 % of the power lies
	Truncated  bool              `json:"truncated,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Notes      []string          `json:"notes,omitempty"`
}

func (a *app) inspectAudio(ctx context.Context, path string, asJSON bool) error {
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		return fmt.Errorf("%s is a folder; inspect wants files", path)
	}
	facts, err := listen(ctx, path)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(facts)
	}
	lines := []string{
		fmt.Sprintf("%s: %s (%s)", path, facts.Format, facts.Encoding),
		fmt.Sprintf("  %d Hz, %d channels, %d frames, %.3f s", facts.SampleRate, facts.Channels, facts.Frames, facts.Duration),
		fmt.Sprintf("  peak %.4f (%s), rms %.4f (%s), bandwidth %.0f Hz", facts.Peak, level(facts.Peak), facts.RMS, level(facts.RMS), facts.Bandwidth),
	}
	for _, tag := range slices.Sorted(maps.Keys(facts.Tags)) {
		lines = append(lines, fmt.Sprintf("  %s: %s", tag, facts.Tags[tag]))
	}
	if facts.Truncated {
		lines = append(lines, "  truncated: the file ends before the data that its header declares")
	}
	for _, n := range facts.Notes {
		lines = append(lines, "  "+n)
	}
	return a.say("%s", strings.Join(lines, "\n"))
}

// listen decodes a file of any length block by block and measures it.
func listen(ctx context.Context, path string) (audioFacts, error) {
	r, err := codec.Open(ctx, path)
	if err != nil {
		return audioFacts{}, err
	}
	defer r.Close()
	const frames = 1 << 14
	channels := r.Info().Channels
	block, mono := make([]float32, frames*channels), make([]float32, frames)
	middle := newMiddle(r.Info().Frames)
	var peak, energy float64
	var samples int64
	for ctx.Err() == nil {
		n, err := r.ReadFrames(block)
		part := audio.Clip{Samples: block[:n*channels], Channels: channels, Rate: r.Info().SampleRate}
		rms := part.RMS()
		peak, energy = max(peak, part.Peak()), energy+rms*rms*float64(len(part.Samples))
		samples += int64(len(part.Samples))
		middle.add(mono[:audio.MixDown(mono, part.Samples, channels)])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return audioFacts{}, err
		}
	}
	info := r.Info() // Final now.
	facts := audioFacts{
		File: path, Format: info.Format, Encoding: info.Encoding, SampleRate: info.SampleRate, Channels: info.Channels,
		Frames: info.Frames, Duration: float64(info.Frames) / float64(info.SampleRate), Peak: peak,
		Bandwidth: audio.Bandwidth(audio.Clip{Samples: middle.samples, Channels: 1, Rate: info.SampleRate}),
		Truncated: info.Truncated, Tags: info.Tags, Notes: info.Notes,
	}
	if samples > 0 {
		facts.RMS = math.Sqrt(energy / float64(samples))
	}
	return facts, ctx.Err()
}

// middle keeps the middle of a signal, as much of it as audio.Bandwidth looks at.
type middle struct {
	skip    int64 // Samples still to pass.
	samples []float32
}

// newMiddle prepares for a signal of so many frames. Where nobody knows how many, it keeps the beginning.
func newMiddle(frames int64) *middle {
	return &middle{skip: max(0, (frames-middleSamples)/2)}
}

// middleSamples is what audio.Bandwidth looks at of a long clip.
const middleSamples = 1 << 20

func (m *middle) add(x []float32) {
	pass := min(m.skip, int64(len(x)))
	m.skip -= pass
	x = x[pass:]
	m.samples = append(m.samples, x[:min(len(x), middleSamples-len(m.samples))]...)
}

// level prints an amplitude in decibels below full scale.
func level(v float64) string {
	if v <= 0 || math.IsNaN(v) {
		return "silent"
	}
	return fmt.Sprintf("%.1f dBFS", audio.Decibels(v))
}
