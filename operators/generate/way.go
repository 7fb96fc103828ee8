package generate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/frontend"
)

// ErrNoEncoder is returned, wrapped, where a clip is given to a model that cannot encode it.
var ErrNoEncoder = errors.New("the model has no encoder, so it cannot take a clip; those of vae and vaegan can")

// CanEncode says whether the model takes clips.
func (m *Maker) CanEncode() bool {
	_, ok := m.generator.(models.Autoencoder)
	return ok
}

// CanBlend says whether the model makes clips between two labels.
func (m *Maker) CanBlend() bool {
	_, ok := m.generator.(models.Blender)
	return ok
}

// maxSource is how long a clip may be that is given to Encode. The model hears but its beginning, and a header of a few
// samples a second makes hours of a small file.
const maxSource = time.Minute

// Encode returns a clip of any rate and number of channels as the model's encoder sees it, and what the front end had
// to do to it. File and SHA256 are the caller's to set. The label says which of the model's it is.
func (m *Maker) Encode(ctx context.Context, clip audio.Clip, label string) (*Source, frontend.Notes, error) {
	encoder, ok := m.generator.(models.Autoencoder)
	if !ok {
		return nil, frontend.Notes{}, fmt.Errorf("%w; this is a %s", ErrNoEncoder, m.Arch)
	}
	index, err := m.index(label)
	if err != nil {
		return nil, frontend.Notes{}, err
	}
	if err := clip.Validate(); err != nil {
		return nil, frontend.Notes{}, err
	}
	if d := clip.Duration(); d > maxSource {
		return nil, frontend.Notes{}, fmt.Errorf("the clip lasts %v, and the model hears its first %v: cut out what is meant, %v at most",
			d.Round(time.Second), m.frontEnd.Duration().Round(time.Millisecond), maxSource)
	}
	spectrogram, notes, err := m.frontEnd.Analyze(clip)
	if err != nil {
		return nil, notes, err
	}
	frames, bins := m.frontEnd.Shape()
	mean, _, err := encoder.Encode(ctx, models.Batch{B: 1, T: frames, F: bins, Data: spectrogram.Data, Labels: []int{index}})
	if err != nil {
		return nil, notes, err
	}
	return &Source{Latent: slices.Clone(mean)}, notes, nil
}

// blend makes the spectrogram of a variation or of a clip on a way.
func (m *Maker) blend(ctx context.Context, p Provenance) (models.Batch, error) {
	blender, ok := m.generator.(models.Blender)
	if !ok {
		return models.Batch{}, fmt.Errorf("a model of architecture %s has no latents to change", m.Arch)
	}
	from, err := m.end(blender, p, p.Label, p.Like)
	if err != nil {
		return models.Batch{}, err
	}
	to, weight := from, 0.0
	var z []float32
	if p.Mix != nil {
		if to, err = m.end(blender, p, p.Mix.Label, p.Mix.Like); err != nil {
			return models.Batch{}, err
		}
		weight = p.Mix.Weight
		z = between(from, to, weight)
	} else {
		fresh, err := m.end(blender, p, p.Label, nil)
		if err != nil {
			return models.Batch{}, err
		}
		z = vary(from, fresh, p.Strength)
	}
	r := models.Request{Seeds: []uint64{p.Seed}, Temperature: p.Temperature}
	return blender.Blend(ctx, z, []int{from.label}, []int{to.label}, []float64{weight}, r)
}

// An end is where a way begins or ends: latents, and the mean of the latents of the label's clips.
type end struct {
	label        int
	latent, mean []float32
}

// end returns the clip that source describes, or a new clip of the label.
func (m *Maker) end(g models.Blender, p Provenance, label string, source *Source) (end, error) {
	index, err := m.index(label)
	if err != nil {
		return end{}, err
	}
	e := end{label: index}
	if e.mean, err = m.mean(g, index); err != nil {
		return end{}, err
	}
	if source == nil {
		e.latent, err = g.Draw(models.Series([]int{index}, p.Seed, p.Temperature))
		return e, err
	}
	if _, ok := m.generator.(models.Autoencoder); !ok {
		return end{}, fmt.Errorf("%w; this is a %s", ErrNoEncoder, m.Arch)
	}
	if len(source.Latent) != g.Latent() {
		return end{}, fmt.Errorf("%s: it has %d latents; those of the model are %d", source.File, len(source.Latent), g.Latent())
	}
	e.latent = source.Latent
	return e, nil
}

// mean returns the mean of a label's latents, which it keeps.
func (m *Maker) mean(g models.Blender, label int) ([]float32, error) {
	if known, ok := m.means.Load(label); ok {
		return known.([]float32), nil //nolint:forcetypeassert // Nothing else is stored.
	}
	mean, err := g.LabelMean(label)
	if err != nil {
		return nil, err
	}
	m.means.Store(label, mean)
	return mean, nil
}

// between returns the latents at weight w of the way from a to b: straight from the mean of one label to that of the
// other, and spherically (Shoemake 1985) in the deviations from it. The deviations of independent clips are about
// orthogonal, so that halfway a straight line has but 0.7 of their length, and decodes to something more average than
// either; on the arc it keeps its length. Draws with the same noise deviate alike, and for them the arc is hardly one.
func between(a, b end, w float64) []float32 {
	da, db := deviation(a), deviation(b)
	ka, kb := 1-w, w
	if length := math.Sqrt(dot(da, da) * dot(db, db)); length > 0 {
		// Near 0 the arc is a line; near a half turn it could go anywhere, and the line leads through the mean.
		if angle := math.Acos(max(-1, min(1, dot(da, db)/length))); angle > 1e-3 && angle < math.Pi-1e-2 {
			ka, kb = math.Sin((1-w)*angle)/math.Sin(angle), math.Sin(w*angle)/math.Sin(angle)
		}
	}
	z := make([]float32, len(da))
	for i := range z {
		z[i] = float32((1-w)*float64(a.mean[i]) + w*float64(b.mean[i]) + ka*da[i] + kb*db[i])
	}
	return z
}

// vary returns the latents of a variation of a clip towards a fresh one of the same label. The clip is drawn towards
// the mean as West (1993) does for kernel densities, so that the deviation of variations is that of clips.
func vary(clip, fresh end, strength float64) []float32 {
	if strength == 0 {
		return slices.Clone(clip.latent)
	}
	keep := math.Sqrt(1 - strength*strength)
	old, noise := deviation(clip), deviation(fresh)
	z := make([]float32, len(old))
	for i := range z {
		z[i] = float32(float64(clip.mean[i]) + keep*old[i] + strength*noise[i])
	}
	return z
}

func deviation(e end) []float64 {
	d := make([]float64, len(e.latent))
	for i, v := range e.latent {
		d[i] = float64(v) - float64(e.mean[i])
	}
	return d
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}
