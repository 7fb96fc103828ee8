// Package latentmap makes pictures and tables of a model's latent space: spectrograms decoded from a grid of its
// points, one plane per label, and the places of recordings in it.
//
// [Open] takes a checkpoint of an architecture with an encoder (VAE, VAE-GAN, latent flow). [Map.Add] encodes recordings,
// [Map.Fit] chooses the plane that the pictures show, and [Map.Write] makes all files. A space of two latents is
// shown whole; of a larger one, the pictures show the plane of its first two principal components. Everything depends
// on the checkpoint, the recordings and the seed alone: the same input writes the same bytes.
package latentmap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/vae"
)

// ErrNoSpace is returned, wrapped, for a checkpoint that has no latent space to show: its architecture has no encoder,
// or fewer than two latents.
var ErrNoSpace = errors.New("no latent space to show")

// A Space is a generator whose latent space can be shown: recordings are encoded, latents drawn and decoded.
type Space interface {
	models.Autoencoder
	// Draw returns latents [len(r.Labels), Latent] as Generate would draw them.
	Draw(r models.Request) ([]float32, error)
}

// A Point is a recording in the latent space.
type Point struct {
	File, Label string
	Latents     []float32 // means of the encoder's distribution [Latent]
}

// A Skip is a recording that Add left out, and why.
type Skip struct {
	File   string
	Reason error
}

// A Map is a model's latent space and the recordings found in it. It is used by one goroutine at a time.
type Map struct {
	arch, digest string
	step         int64 // of the weights
	labels       []string
	front        *frontend.FrontEnd
	frames, bins int // of a spectrogram
	space        Space
	points       []Point
	plane        vae.Plane
	fitted       bool // whether plane is that of points
}

// Open returns the map of a checkpoint, without recordings. ErrNoSpace where the model has no latent space to show.
func Open(c models.Checkpoint) (*Map, error) {
	g, err := architectures.Open(c)
	if err != nil {
		return nil, err
	}
	space, ok := g.(Space)
	if !ok {
		return nil, fmt.Errorf("%w: a %s has no encoder; train a vae, vaegan or flow", ErrNoSpace, c.Arch)
	}
	if space.Latent() < 2 {
		return nil, fmt.Errorf("%w: the model has one latent variable, which spans no plane; train one with 2 or more", ErrNoSpace)
	}
	front, err := frontend.New(c.FrontEnd)
	if err != nil {
		return nil, err
	}
	digest, err := c.Digest()
	if err != nil {
		return nil, err
	}
	m := &Map{arch: c.Arch, digest: digest, step: c.GeneratesFrom(), labels: slices.Clone(c.Labels), front: front, space: space}
	m.frames, m.bins = front.Shape()
	return m, nil
}

// Latent returns the number of latent variables.
func (m *Map) Latent() int { return m.space.Latent() }

// Points returns the recordings that Add has placed, in order. The caller must not change them.
func (m *Map) Points() []Point { return m.points }

// Plane returns the plane that Fit has chosen.
func (m *Map) Plane() vae.Plane { return m.plane }

// encodeBatch is how many recordings are analysed and encoded at a time; it bounds the memory of Add.
const encodeBatch = 256

// Add encodes recordings and adds them to the map. Those with a label that the model does not know, and silent ones,
// are left out and returned with the reason. onProgress, if not nil, is called with the number of recordings done.
func (m *Map) Add(ctx context.Context, recordings []dataset.Recording, onProgress func(done int)) ([]Skip, error) {
	var skipped []Skip
	for lo := 0; lo < len(recordings); lo += encodeBatch {
		part := recordings[lo:min(lo+encodeBatch, len(recordings))]
		left, err := m.add(ctx, part)
		if err != nil {
			return skipped, err
		}
		skipped = append(skipped, left...)
		if onProgress != nil {
			onProgress(lo + len(part))
		}
	}
	m.fitted = false
	return skipped, nil
}

func (m *Map) add(ctx context.Context, recordings []dataset.Recording) (skipped []Skip, err error) {
	var known []dataset.Recording
	var clips []audio.Clip
	for _, r := range recordings {
		if !slices.Contains(m.labels, r.Label) {
			skipped = append(skipped, Skip{r.Path, fmt.Errorf("the model does not know the label %q", r.Label)})
			continue
		}
		known, clips = append(known, r), append(clips, r.Clip)
	}
	all, reasons, err := m.front.AnalyzeAll(ctx, clips)
	if err != nil {
		return skipped, err
	}
	var specs []*spectrogram.Spectrogram
	var labels []int
	var usable []dataset.Recording
	for i, s := range all {
		if s == nil {
			skipped = append(skipped, Skip{known[i].Path, reasons[i]})
			continue
		}
		specs, usable = append(specs, s), append(usable, known[i])
		labels = append(labels, slices.Index(m.labels, known[i].Label))
	}
	if len(specs) == 0 {
		return skipped, nil
	}
	batch, err := m.front.Batch(specs, labels)
	if err != nil {
		return skipped, err
	}
	mean, _, err := m.space.Encode(ctx, batch)
	if err != nil {
		return skipped, err
	}
	width := m.Latent()
	for i, r := range usable {
		m.points = append(m.points, Point{r.Path, r.Label, slices.Clone(mean[i*width : (i+1)*width])})
	}
	return skipped, nil
}

// Fit chooses the plane of the pictures: through the latents of the recordings or, where none were added, through
// latents that the model draws with seed. One recording alone has no plane.
func (m *Map) Fit(seed uint64) error {
	var z []float32
	for _, p := range m.points {
		z = append(z, p.Latents...)
	}
	if len(m.points) == 0 {
		for label := range m.labels {
			drawn, err := m.draw(label, seed)
			if err != nil {
				return err
			}
			z = append(z, drawn...)
		}
	}
	plane, err := vae.NewPlane(z, m.Latent())
	if err != nil {
		return err
	}
	m.plane, m.fitted = plane, true
	return nil
}

// drawsPerLabel is how many latents of a label are drawn to find where they lie.
const drawsPerLabel = 400

// draw returns latents [drawsPerLabel, Latent] drawn for one label.
func (m *Map) draw(label int, seed uint64) ([]float32, error) {
	return m.space.Draw(models.Series(slices.Repeat([]int{label}, drawsPerLabel), seed, 0))
}

// errNotFitted is returned by everything that needs the plane.
var errNotFitted = errors.New("latentmap: Fit has not been called since recordings were added")
