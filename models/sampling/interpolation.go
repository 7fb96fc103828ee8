package sampling

import (
	"context"
	"fmt"
	"math"
	"slices"

	"wavemill/models"
)

// blend generates variations and interpolations, in their simplest form, with one temperature and number of steps.
func (s *Sampler) blend(ctx context.Context, ps []Provenance) (models.Batch, error) {
	g, err := s.inSteps(ps[0].Steps)
	if err != nil {
		return models.Batch{}, err
	}
	blender, ok := g.(models.Blender)
	if !ok {
		return models.Batch{}, fmt.Errorf("a model of architecture %s has no latents to change", s.Arch)
	}
	ends, err := s.endpoints(blender, ps)
	if err != nil {
		return models.Batch{}, err
	}
	latents := make([]float32, 0, len(ps)*blender.Latent())
	a, b, weights, seeds := make([]int, len(ps)), make([]int, len(ps)), make([]float64, len(ps)), make([]uint64, len(ps))
	for i, p := range ps {
		var z []float32
		z, a[i], b[i], weights[i] = p.latents(ends[2*i], ends[2*i+1])
		latents, seeds[i] = append(latents, z...), p.Seed
	}
	return blender.Blend(ctx, latents, a, b, weights, models.Request{Seeds: seeds, Temperature: ps[0].Temperature})
}

// latents returns those of a clip between two endpoints, their labels and the weight of the second label.
func (p Provenance) latents(first, second endpoint) (z []float32, a, b int, weight float64) {
	switch {
	case p.isPlain():
		return first.latent, first.label, first.label, 0
	case p.Mix == nil:
		return vary(first, second, p.Strength), first.label, first.label, 0
	}
	return interpolate(first, second, p.Mix.Weight), first.label, second.label, p.Mix.Weight
}

// An endpoint is latents, and the mean of the latents of the label's clips.
type endpoint struct {
	label        int
	latent, mean []float32
}

// endpoints returns two endpoints for each clip: those of an interpolation or, for a variation, the given clip and a new
// clip of its label. New clips are drawn all at once.
func (s *Sampler) endpoints(g models.Blender, ps []Provenance) ([]endpoint, error) {
	ends := make([]endpoint, 0, 2*len(ps))
	var labels, drawn []int // drawn are the indices in ends of new clips
	var seeds []uint64
	for _, p := range ps {
		second := Mix{Label: p.Label}
		if p.Mix != nil {
			second = *p.Mix
		}
		for _, of := range []Reference{{p.Label, p.Like}, {second.Label, second.Like}} {
			e, err := s.given(g, of)
			if err != nil {
				return nil, err
			}
			if of.Like == nil {
				drawn, labels, seeds = append(drawn, len(ends)), append(labels, e.label), append(seeds, p.Seed)
			}
			ends = append(ends, e)
		}
	}
	if len(drawn) == 0 {
		return ends, nil
	}
	z, err := g.Draw(models.Request{Labels: labels, Seeds: seeds, Temperature: ps[0].Temperature})
	if err != nil {
		return nil, err
	}
	width := g.Latent()
	for i, at := range drawn {
		ends[at].latent = z[i*width : (i+1)*width]
	}
	return ends, nil
}

// given returns the endpoint of a given clip. For a label alone it has no latents yet.
func (s *Sampler) given(g models.Blender, r Reference) (endpoint, error) {
	index, err := s.Label(r.Label)
	if err != nil {
		return endpoint{}, err
	}
	e := endpoint{label: index}
	if e.mean, err = s.mean(g, index); err != nil || r.Like == nil {
		return e, err
	}
	if !s.CanEncode() {
		return endpoint{}, fmt.Errorf("%w; this is a %s", ErrNoEncoder, s.Arch)
	}
	if len(r.Like.Latent) != g.Latent() {
		return endpoint{}, fmt.Errorf("%s: it has %d latents; those of the model are %d", r.Like.File, len(r.Like.Latent), g.Latent())
	}
	e.latent = r.Like.Latent
	return e, nil
}

// mean returns the mean of a label's latents, [Latent], which it keeps.
func (s *Sampler) mean(g models.Blender, label int) ([]float32, error) {
	if known, ok := s.means.Load(label); ok {
		return known.([]float32), nil // The map holds nothing else.
	}
	mean, err := g.LabelMean(label)
	if err != nil {
		return nil, err
	}
	s.means.Store(label, mean)
	return mean, nil
}

// interpolate returns the latents at weight w between a and b: linear from the mean of one label to the mean of the
// other, and spherical (Shoemake 1985) in the deviations from it. The deviations of independent clips are about
// orthogonal: halfway, a straight line has 0.7 of their length, and decodes to something more average than either
// endpoint; the arc keeps the length. Draws with the same noise deviate alike, and between them the arc is almost a line.
func interpolate(a, b endpoint, w float64) []float32 {
	da, db := deviation(a), deviation(b)
	ka, kb := 1-w, w
	if length := math.Sqrt(dot(da, da) * dot(db, db)); length > 0 {
		// Near 0 the arc is a line; near 180 degrees it is not defined, and the line goes through the mean.
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

// vary returns the latents of a variation of a clip towards a new one of the same label. The clip is shrunk towards the
// mean as West (1993) does for kernel densities, so that variations have the standard deviation of clips.
func vary(clip, fresh endpoint, strength float64) []float32 {
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

func deviation(e endpoint) []float64 {
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
