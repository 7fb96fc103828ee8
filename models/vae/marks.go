package vae

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"

	"wavemill/models"
	"wavemill/models/internal/latent"
)

// A marker gives clips whose last bins are marks or a stereo image (see spectrogram.Config.Marks and Image) those of recordings;
// here, both are called marks.
//
// Marks are level, attack and tail of a whole clip, and where in the room it is. Between two recordings, and with noise, they are drawn towards their
// mean or beyond their range: a decoder reconstructs the marks of the recordings, but not their distribution. So a clip takes
// all its marks from the recording at which its draw begins, and these recordings are taken in turn rather than at random, so
// that a few clips have the levels and tails of the recordings. A marker is safe for concurrent use.
type marker struct {
	bins int // marks of a frame; 0: there are none, and clips are drawn at random

	mu    sync.Mutex
	known map[component][]float32 // [T, bins], as far as they were needed
}

// A component is one of a label's.
type component struct{ label, number int }

// newMarker returns the marker for a number of marks. Only the manifold prior keeps the latents of recordings.
func newMarker(c Config, marks int) *marker {
	if c.Prior != PriorManifold {
		marks = 0
	}
	return &marker{bins: marks, known: make(map[component][]float32)}
}

// goldenStep is 2^64 divided by the golden ratio: multiples of it, modulo 2^64, are spread evenly, however many there are.
const goldenStep = 0x9e3779b97f4a7c15

// where returns which part of a label's components, in [0, 1), a clip is drawn from. It takes one number from rng.
func (m *marker) where(s latent.Stream, rng *rand.Rand) float64 {
	at := rng.Float64()
	if m.bins > 0 {
		at = math.Ldexp(float64(((s.Seed+s.Number)*goldenStep)>>11), -53)
	}
	return at
}

// start returns the component of a label from which a clip is drawn, for a place in [0, 1). Where training varied the recordings,
// a label's components are its recordings, and then all of them again, varied, and so on, as often for every label. For clips
// with marks, each recording has one stretch of [0, 1), which its varied copies divide.
func (g *Generator) start(label int, at float64) int {
	if g.marks.bins == 0 {
		return g.prior.component(label, at)
	}
	total := len(g.prior.labels[min(label, len(g.prior.labels)-1)].weight)
	copies := 0 // the greatest common divisor of the numbers of components, in all likelihood
	for _, m := range g.prior.labels {
		for a, b := copies, len(m.weight); ; a, b = b, a%b {
			if b == 0 {
				copies = a
				break
			}
		}
	}
	recordings := total / copies
	recording, part := math.Modf(at * float64(recordings))
	return min(int(part*float64(copies)), copies-1)*recordings + min(int(recording), recordings-1)
}

// setMarks replaces the marks of the clips of out, drawn for r.
func (g *Generator) setMarks(ctx context.Context, out models.Batch, r models.Request) error {
	if g.marks.bins == 0 {
		return nil
	}
	of := make([]component, out.B)
	for i, s := range latent.Of(r.Seeds) {
		of[i] = component{r.Labels[i], g.start(r.Labels[i], g.marks.where(s, s.Prior()))}
	}
	if err := g.findMarks(ctx, of); err != nil {
		return err
	}
	g.marks.mu.Lock()
	defer g.marks.mu.Unlock()
	for i, c := range of {
		setLastBins(out.Clip(i), out.F, g.marks.known[c], g.marks.bins)
	}
	return nil
}

// setLastBins replaces the last bins of every frame of a clip by values, [T, bins].
func setLastBins(clip []float32, width int, values []float32, bins int) {
	for t := range len(clip) / width {
		copy(clip[(t+1)*width-bins:(t+1)*width], values[t*bins:])
	}
}

// lastBins returns a copy of the last bins of every frame, [T, bins].
func lastBins(clip []float32, width, bins int) []float32 {
	out := make([]float32, 0, len(clip)/width*bins)
	for t := range len(clip) / width {
		out = append(out, clip[(t+1)*width-bins:(t+1)*width]...)
	}
	return out
}

// findMarks decodes the recordings whose marks are not known yet.
func (g *Generator) findMarks(ctx context.Context, of []component) error {
	var missing []component
	wanted := make(map[component]bool)
	g.marks.mu.Lock()
	for _, c := range of {
		if g.marks.known[c] == nil && !wanted[c] {
			wanted[c], missing = true, append(missing, c)
		}
	}
	g.marks.mu.Unlock()
	if len(missing) == 0 {
		return nil
	}
	var z []float32
	labels := make([]int, len(missing))
	for i, c := range missing {
		z, labels[i] = g.prior.recording(z, c), c.label
	}
	clips, err := g.Decode(ctx, z, labels)
	if err != nil {
		return err
	}
	g.marks.mu.Lock()
	defer g.marks.mu.Unlock()
	for i, c := range missing {
		marks := lastBins(clips.Clip(i), clips.F, g.marks.bins)
		g.prior.place(marks, g.marks.bins, c)
		g.marks.known[c] = marks
	}
	return nil
}

// recording appends the latents of the recording that a component of a manifold stands for. Those of a rare label were moved
// towards their mean.
func (p *prior) recording(dst []float32, c component) []float32 {
	m := p.labels[min(c.label, len(p.labels)-1)]
	z := m.mean[c.number*p.latent : (c.number+1)*p.latent]
	count := len(m.weight)
	if m.size > 0 || count == 1 {
		return append(dst, z...)
	}
	for j, v := range z {
		var mean float64
		for k := range count {
			mean += float64(m.mean[k*p.latent+j]) / float64(count)
		}
		dst = append(dst, float32(mean+(float64(v)-mean)/transferredCentres))
	}
	return dst
}
