package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/vae"
)

// latentsOptions are the flags of `wavemill latents`.
type latentsOptions struct {
	model, out string
	data       []string
	source     string // of the labels of data
	labels     []string
	grid       int
	seed       uint64
	asJSON     bool
}

func newLatents(a *app) *cobra.Command {
	var o latentsOptions
	cmd := &cobra.Command{
		Use:   "latents --model MODEL --out DIR",
		Short: "Draw the map of what a model has learnt: its latent space",
		Long: `Latents draws the latent space of a VAE or VAE-GAN. plane.png shows spectrograms
decoded from a grid of its points, a plane for each label, spaced as the label's own
draws are (by quantiles). With --data, scatter.png shows where recordings lie, by
label, and latents.csv and latents.jsonl hold their latents.

A model of two latents is shown whole. Of a model with more, the pictures show the
plane of the two principal components: of the recordings' latents or, without
--data, of the latents that the model draws. The other directions are then as in
the middle of the label's draws.`,
		Example: `  wavemill latents --model model.safetensors --data recordings/ --out map
  wavemill latents --model model.safetensors --label three --grid 16 --out map`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.latents(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "checkpoint of a vae or vaegan (required)")
	f.StringVar(&o.out, "out", "", "folder for the pictures and tables (required)")
	f.StringArrayVar(&o.data, "data", nil, "folder or file with recordings to find in the space; may be repeated")
	f.StringArrayVar(&o.labels, "label", nil, "label whose plane is drawn, or all; may be repeated (default: the first 12)")
	f.IntVar(&o.grid, "grid", 9, "points along each side of a plane")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the draws that space the grid")
	f.BoolVar(&o.asJSON, "json", false, "print what was written, and the shares of variance, as one line of JSON")
	addLabels(cmd, &o.source)
	return cmd
}

// mostPlanes is how many labels a picture shows unless they are named, and gridLimit the most points on a side.
const (
	mostPlanes = 12
	gridLimit  = 32
)

func (o *latentsOptions) check() error {
	switch {
	case o.model == "":
		return usagef("--model is missing: the checkpoint of a vae or vaegan")
	case o.out == "":
		return usagef("--out is missing: a folder for the pictures")
	case o.grid < 2 || o.grid > gridLimit:
		return usagef("--grid %d is not between 2 and %d", o.grid, gridLimit)
	}
	return nil
}

// mapped is the result of the command as --json prints it.
type mapped struct {
	Model     string     `json:"model"`
	Digest    string     `json:"digest"`
	Latent    int        `json:"latent"`
	Axes      string     `json:"axes"` // latents or principal
	Explained [2]float64 `json:"explained"`
	Clips     int        `json:"clips"`  // found in the space
	Labels    []string   `json:"labels"` // whose planes are drawn
	Seed      uint64     `json:"seed"`
	Plane     string     `json:"plane"`
	Scatter   string     `json:"scatter,omitempty"`
	CSV       string     `json:"csv,omitempty"`
	JSONL     string     `json:"jsonl,omitempty"`
}

// An explorer can be shown as a map: it finds latents, draws them and makes clips from them.
type explorer interface {
	models.Autoencoder
	Draw(r models.Request) ([]float32, error)
}

// A latentMap is a model's latent space, as it is drawn.
type latentMap struct {
	checkpoint models.Checkpoint
	space      explorer
	plane      vae.Plane
	found      []foundClip // recordings
}

// A foundClip is a recording in the latent space.
type foundClip struct {
	file, label string
	latents     []float32
}

func (a *app) latents(ctx context.Context, o latentsOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	m, err := openMap(o.model)
	if err != nil {
		return err
	}
	labels, err := m.chosen(o.labels)
	if err != nil {
		return err
	}
	if left := len(m.checkpoint.Labels) - len(labels); left > 0 && len(o.labels) == 0 {
		a.note("the picture shows the planes of %d labels and leaves out %d; name those you want with --label", len(labels), left)
	}
	if len(o.data) > 0 {
		if err := m.find(ctx, a, o); err != nil {
			return err
		}
	}
	if err := m.lay(o.seed); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	return a.writeMap(ctx, o, m, labels)
}

// openMap opens a checkpoint whose architecture has latents to show.
func openMap(path string) (*latentMap, error) {
	c, err := models.Read(path)
	if err != nil {
		return nil, err
	}
	g, err := architectures.Open(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	space, ok := g.(explorer)
	if !ok {
		return nil, fmt.Errorf("%s: a %s finds no latents of recordings; train a vae or vaegan", path, c.Arch)
	}
	if space.Latent() < 2 {
		return nil, fmt.Errorf("%s: its one latent variable has no plane; train a model with 2 or more", path)
	}
	return &latentMap{checkpoint: c, space: space}, nil
}

// chosen returns the indices of the labels whose planes are drawn.
func (m *latentMap) chosen(asked []string) ([]int, error) {
	known := m.checkpoint.Labels
	names := known[:min(len(known), mostPlanes)]
	if len(asked) > 0 {
		var err error
		if names, err = chosenLabels(asked, known); err != nil {
			return nil, err
		}
	}
	indices := make([]int, len(names))
	for i, name := range names {
		indices[i] = slices.Index(known, name)
	}
	return indices, nil
}

// find takes the recordings into the map. Those of labels that the model does not know are named and left out.
func (m *latentMap) find(ctx context.Context, a *app, o latentsOptions) error {
	recordings, err := a.recordings(ctx, o.data, o.source)
	if err != nil {
		return err
	}
	kept := recordings[:0:0]
	for _, r := range recordings {
		if !slices.Contains(m.checkpoint.Labels, r.item.Label) {
			a.note("skipped %s: the model does not know the label %q", r.item.Path, r.item.Label)
			continue
		}
		kept = append(kept, r)
	}
	front, err := frontend.New(m.checkpoint.FrontEnd)
	if err != nil {
		return err
	}
	spectrograms, err := a.spectrogramsOf(ctx, front, kept)
	if err != nil {
		return err
	}
	task := a.console.Start("encode", int64(len(kept)), "recordings")
	defer task.Done()
	width := m.space.Latent()
	for lo := 0; lo < len(kept); lo += encodeBatch {
		hi := min(lo+encodeBatch, len(kept))
		var part []*spectrogram.Spectrogram
		var of []recording
		for i := lo; i < hi; i++ {
			if spectrograms[i] != nil {
				part, of = append(part, spectrograms[i]), append(of, kept[i])
			}
		}
		if len(part) > 0 {
			batch, err := front.Batch(part, m.indices(of))
			if err != nil {
				return err
			}
			mean, _, err := m.space.Encode(ctx, batch)
			if err != nil {
				return err
			}
			for i, r := range of {
				m.found = append(m.found, foundClip{r.item.Path, r.item.Label, mean[i*width : (i+1)*width]})
			}
		}
		task.Add(int64(hi - lo))
	}
	if len(m.found) < 2 {
		return errors.New("fewer than two of the recordings can be found in the model's latent space")
	}
	return nil
}

// encodeBatch is how many recordings are encoded at a time.
const encodeBatch = 256

// indices returns the model's labels of recordings.
func (m *latentMap) indices(of []recording) []int {
	out := make([]int, len(of))
	for i, r := range of {
		out[i] = slices.Index(m.checkpoint.Labels, r.item.Label)
	}
	return out
}

// drawsPerLabel is how many latents of a label are drawn to know where they lie.
const drawsPerLabel = 400

// draws returns latents drawn for one label.
func (m *latentMap) draws(label int, seed uint64) ([]float32, error) {
	return m.space.Draw(models.Series(slices.Repeat([]int{label}, drawsPerLabel), seed, 0))
}

// lay lays the plane through the latents of the recordings, or through drawn ones.
func (m *latentMap) lay(seed uint64) error {
	var z []float32
	for _, f := range m.found {
		z = append(z, f.latents...)
	}
	if len(m.found) == 0 {
		for label := range m.checkpoint.Labels {
			drawn, err := m.draws(label, seed)
			if err != nil {
				return err
			}
			z = append(z, drawn...)
		}
	}
	var err error
	m.plane, err = vae.NewPlane(z, m.space.Latent())
	return err
}

// writeMap writes everything and reports it.
func (a *app) writeMap(ctx context.Context, o latentsOptions, m *latentMap, labels []int) error {
	digest, err := m.checkpoint.Digest()
	if err != nil {
		return err
	}
	result := mapped{
		Model: m.checkpoint.Arch, Digest: digest, Latent: m.space.Latent(), Axes: "latents", Explained: m.plane.Explained,
		Clips: len(m.found), Seed: o.seed, Plane: filepath.Join(o.out, "plane.png"),
	}
	if m.plane.Principal {
		result.Axes = "principal"
	}
	for _, l := range labels {
		result.Labels = append(result.Labels, m.checkpoint.Labels[l])
	}
	files := []mapFile{{result.Plane, func(out *bytes.Buffer) error { return m.drawPlanes(ctx, out, labels, o.grid, o.seed) }}}
	if len(m.found) > 0 {
		result.Scatter, result.CSV, result.JSONL = filepath.Join(o.out, "scatter.png"), filepath.Join(o.out, "latents.csv"), filepath.Join(o.out, "latents.jsonl")
		files = append(files, mapFile{result.Scatter, m.drawScatter}, mapFile{result.CSV, m.writeCSV}, mapFile{result.JSONL, m.writeJSONL})
	}
	for _, f := range files {
		var out bytes.Buffer
		if err := f.write(&out); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if err := writeFile(f.name, out.Bytes()); err != nil {
			return err
		}
	}
	if o.asJSON {
		return a.printJSON(result)
	}
	for _, f := range files {
		if err := a.say("%s", f.name); err != nil {
			return err
		}
	}
	return nil
}

// A mapFile is a file of the command's and what writes it.
type mapFile struct {
	name  string
	write func(out *bytes.Buffer) error
}

// writeCSV writes a table: file, label, the coordinates in the pictures, and every latent.
func (m *latentMap) writeCSV(out *bytes.Buffer) error {
	w := csv.NewWriter(out)
	row := []string{"file", "label", "x", "y"}
	for i := range m.space.Latent() {
		row = append(row, "z"+strconv.Itoa(i+1))
	}
	if err := w.Write(row); err != nil {
		return err
	}
	number := func(v float64, bits int) string { return strconv.FormatFloat(v, 'g', -1, bits) }
	for _, f := range m.found {
		x, y := m.plane.Project(f.latents)
		row = append(row[:0], f.file, f.label, number(x, 32), number(y, 32))
		for _, v := range f.latents {
			row = append(row, number(float64(v), 32))
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// latentLine is a line of latents.jsonl.
type latentLine struct {
	File    string    `json:"file"`
	Label   string    `json:"label"`
	X       float32   `json:"x"`
	Y       float32   `json:"y"`
	Latents []float32 `json:"latents"`
}

func (m *latentMap) writeJSONL(out *bytes.Buffer) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, f := range m.found {
		x, y := m.plane.Project(f.latents)
		if err := e.Encode(latentLine{f.file, f.label, float32(x), float32(y), f.latents}); err != nil {
			return err
		}
	}
	return nil
}
