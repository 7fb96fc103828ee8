package spectrogram

import (
	"math"
	"math/rand/v2"

	"github.com/tphakala/simd/f32"
)

// pghiTolerance is the magnitude, relative to the largest, below which phases are drawn at random: there the gradients
// are noise.
const pghiTolerance = 1e-6

// integratePhase gives magnitudes, frames by NFFT/2+1, the phase that phase gradient heap integration finds (Průša,
// Balazs and Søndergaard, "A noniterative method for reconstruction of phase from STFT magnitude", 2017).
//
// For a Gaussian window exp(-pi*t^2/gamma) the phase's gradient is that of the log-magnitude turned by a right angle;
// other windows are near enough to a Gaussian. From the largest bin on, phase is integrated to the neighbours, always
// from the largest bin at hand, so that errors gather where they matter least.
func (t *Transform) integratePhase(dst []complex64, magnitude []float32, seed uint64) {
	g := t.newGradient(magnitude)
	rng := rand.New(rand.NewPCG(seed, 0))
	phase := make([]float32, len(magnitude))
	known := make([]bool, len(magnitude))
	for i, l := range g.log {
		if l <= g.limit {
			known[i] = true
			phase[i] = float32(2 * math.Pi * rng.Float64())
		}
	}
	g.integrate(phase, known)
	for i, m := range magnitude {
		dst[i] = polar(m, float64(phase[i]))
	}
}

// A gradient is the phase's derivatives, in radians per frame and per bin.
type gradient struct {
	bins  int
	log   []float32 // log-magnitude, floored at limit
	limit float32
	time  []float32
	freq  []float32
}

func (t *Transform) newGradient(magnitude []float32) *gradient {
	c := t.config
	bins, frames := t.linear, len(magnitude)/t.linear
	peak := max(f32.Max(magnitude), math.SmallestNonzeroFloat32)
	g := &gradient{bins: bins, limit: float32(math.Log(float64(peak) * pghiTolerance))}
	g.log = make([]float32, len(magnitude))
	for i, m := range magnitude {
		g.log[i] = max(g.limit, float32(math.Log(float64(m)+1e-37)))
	}
	g.time, g.freq = make([]float32, len(magnitude)), make([]float32, len(magnitude))
	hop, n, gamma := float64(c.Hop), float64(c.NFFT), gamma(c)
	perBin := float32(hop * n / (2 * gamma))
	perFrame := float32(-gamma / (2 * hop * n))
	for f := range frames {
		row := g.log[f*bins : (f+1)*bins]
		before, after := row, row
		span := float32(0)
		if f > 0 {
			before, span = g.log[(f-1)*bins:f*bins], span+1
		}
		if f+1 < frames {
			after, span = g.log[(f+1)*bins:(f+2)*bins], span+1
		}
		if span == 1 {
			span = 2 // a one-sided difference counts double
		} else {
			span = 1
		}
		dt, df := g.time[f*bins:(f+1)*bins], g.freq[f*bins:(f+1)*bins]
		for k := range row {
			// A real signal's magnitude is symmetric about bin 0 and the last: no difference there.
			var across float32
			if k > 0 && k+1 < bins {
				across = row[k+1] - row[k-1]
			}
			dt[k] = float32(math.Mod(2*math.Pi*hop*float64(k)/n, 2*math.Pi)) + perBin*across
			df[k] = perFrame*span*(after[k]-before[k]) - math.Pi
		}
	}
	return g
}

// integrate spreads phase from the largest unknown bins until all are known.
func (g *gradient) integrate(phase []float32, known []bool) {
	h := heap{key: g.log}
	order := g.seeds(known)
	for _, seed := range order {
		if known[seed] {
			continue
		}
		known[seed] = true
		h.push(seed)
		for len(h.items) > 0 {
			i := h.pop()
			g.spread(phase, known, &h, i)
		}
	}
}

// seeds lists the unknown bins that no neighbour exceeds: each region's largest is among them. Largest first.
func (g *gradient) seeds(known []bool) []int32 {
	var h heap
	h.key = g.log
	for i, k := range known {
		if k {
			continue
		}
		v, bin := g.log[i], i%g.bins
		if bin > 0 && g.log[i-1] > v || bin+1 < g.bins && g.log[i+1] > v {
			continue
		}
		if i >= g.bins && g.log[i-g.bins] > v || i+g.bins < len(g.log) && g.log[i+g.bins] > v {
			continue
		}
		h.push(int32(i))
	}
	var order []int32
	for len(h.items) > 0 {
		order = append(order, h.pop())
	}
	return order
}

// spread gives the unknown neighbours of bin i their phase, by the trapezoidal rule.
func (g *gradient) spread(phase []float32, known []bool, h *heap, i32 int32) {
	i := int(i32)
	p, bin := phase[i], i%g.bins
	reach := func(j int, step float32) {
		if !known[j] {
			known[j] = true
			phase[j] = p + step
			h.push(int32(j))
		}
	}
	if j := i + g.bins; j < len(phase) {
		reach(j, (g.time[i]+g.time[j])/2)
	}
	if j := i - g.bins; j >= 0 {
		reach(j, -(g.time[i]+g.time[j])/2)
	}
	if bin+1 < g.bins {
		reach(i+1, (g.freq[i]+g.freq[i+1])/2)
	}
	if bin > 0 {
		reach(i-1, -(g.freq[i]+g.freq[i-1])/2)
	}
}

// A heap holds bins, the one with the largest key on top; of equal keys the lower bin.
type heap struct {
	key   []float32
	items []int32
}

func (h *heap) above(a, b int32) bool {
	return h.key[a] > h.key[b] || h.key[a] == h.key[b] && a < b
}

func (h *heap) push(i int32) {
	h.items = append(h.items, i)
	at := len(h.items) - 1
	for at > 0 {
		up := (at - 1) / 2
		if !h.above(i, h.items[up]) {
			break
		}
		h.items[at] = h.items[up]
		at = up
	}
	h.items[at] = i
}

func (h *heap) pop() int32 {
	top := h.items[0]
	last := h.items[len(h.items)-1]
	h.items = h.items[:len(h.items)-1]
	if len(h.items) == 0 {
		return top
	}
	at := 0
	for {
		down := 2*at + 1
		if down >= len(h.items) {
			break
		}
		if down+1 < len(h.items) && h.above(h.items[down+1], h.items[down]) {
			down++
		}
		if !h.above(h.items[down], last) {
			break
		}
		h.items[at] = h.items[down]
		at = down
	}
	h.items[at] = last
	return top
}
