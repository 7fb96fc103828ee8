package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/latentmap"
)

// latentsOptions are the flags of `wavemill latents`.
type latentsOptions struct {
	latentmap.Files
	model  string
	data   []string
	source string // of the labels of data
	labels []string
	asJSON bool
}

func newLatents(a *app) *cobra.Command {
	var o latentsOptions
	cmd := &cobra.Command{
		Use:   "latents --model MODEL --out DIR",
		Short: "Draw the latent space of a model",
		Long: `Latents draws the latent space of a VAE, VAE-GAN or flow. plane.png shows spectrograms
decoded from a grid of points, one plane per label; the points lie at the quantiles
of latents drawn for the label. With --data, scatter.png shows the places of
recordings, by label, and latents.csv and latents.jsonl list their latents.

A space of two latents is shown whole. Of a larger one, the pictures show the plane
of the first two principal components: of the recordings' latents or, without
--data, of drawn latents. The other directions are kept at the mean of the label's
draws.`,
		Example: `  wavemill latents --model model.safetensors --data recordings/ --out map
  wavemill latents --model model.safetensors --label three --grid 16 --out map`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.latents(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "checkpoint of a vae, vaegan or flow (required)")
	f.StringVar(&o.Dir, "out", "", "folder for the pictures and tables (required)")
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings to place in the space; may be repeated")
	f.StringArrayVar(&o.labels, "label", nil, "label whose plane is drawn, or all; may be repeated (default: the first 12)")
	f.IntVar(&o.Grid, "grid", 9, "points along each side of a plane")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the draws that space the grid")
	f.BoolVar(&o.asJSON, "json", false, "print the files and the shares of variance as one line of JSON")
	addLabels(cmd, &o.source)
	return cmd
}

func (a *app) latents(ctx context.Context, o latentsOptions) error {
	if err := o.Validate(); err != nil {
		return usagef("--%w", err)
	}
	if err := checkOut("out", o.Dir); err != nil {
		return err
	}
	c, err := models.Read(o.model)
	if err != nil {
		return err
	}
	m, err := latentmap.Open(c)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	o.Labels = c.Labels[:min(len(c.Labels), latentmap.MostPlanes)]
	if len(o.labels) > 0 {
		if o.Labels, err = chosenLabels(o.labels, c.Labels); err != nil {
			return err
		}
	} else if left := len(c.Labels) - len(o.Labels); left > 0 {
		a.note("the picture shows the planes of %d labels and leaves out %d; name others with --label", len(o.Labels), left)
	}
	if len(o.data) > 0 {
		if err := a.placeRecordings(ctx, m, o); err != nil {
			return err
		}
	}
	if err := m.Fit(o.Seed); err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return err
	}
	o.Store = writeFile
	report, err := m.Write(ctx, o.Files)
	if err != nil {
		return err
	}
	return a.printResult(o.asJSON, report)
}

// placeRecordings adds the recordings of --data to the map and names those that are left out.
func (a *app) placeRecordings(ctx context.Context, m *latentmap.Map, o latentsOptions) error {
	recordings, err := a.load(ctx, o.data, o.source, holdoutFlags{})
	if err != nil {
		return err
	}
	task := a.console.Start("encode", int64(len(recordings)), "recordings")
	defer task.Done()
	skipped, err := m.Add(ctx, recordings, func(done int) { task.Set(int64(done)) })
	for _, s := range skipped {
		a.note("skipped %s: %v", s.File, s.Reason)
	}
	if err == nil && len(m.Points()) < 2 {
		err = errors.New("fewer than two of the recordings can be placed in the model's latent space")
	}
	return err
}
