package gan

import (
	"math/rand/v2"

	"wavemill/models/internal/config"
	"wavemill/models/nn"
)

// Augment configures changes of the discriminator's input, recordings and generated clips alike, by differentiable
// operations. Without it, a discriminator overfits to a few thousand clips.
// Source: Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training, 2020.
type Augment struct {
	// Frames and Bins are how far a clip is moved at most, either way.
	Frames int `json:"frames"`
	Bins   int `json:"bins"`
	// Cutout is the share of each side of the rectangle that is silenced, at a random place.
	Cutout float64 `json:"cutout"`
	// Contrast is the largest relative change of the distance to silence, in the logarithm.
	Contrast float64 `json:"contrast"`
	// Noise is added to every value, uniformly between -Noise and Noise. Silence in recordings is exactly -1, which a
	// generator only approaches: without noise, that alone separates recordings from generated clips.
	Noise float64 `json:"noise,omitempty"`
}

// Validate reports everything that is wrong with a; the errors begin with prefix.
func (a Augment) Validate(prefix string) error {
	check := config.Check{Prefix: prefix + "."}
	check.Within("frames", float64(a.Frames), 0, 1024)
	check.Within("bins", float64(a.Bins), 0, 1024)
	check.Within("cutout", a.Cutout, 0, 0.9)
	check.Within("contrast", a.Contrast, 0, 0.9)
	check.Within("noise", a.Noise, 0, 1)
	return check.Err()
}

// Inputs of an augmentation are named after the clips they change.
const (
	byOffset = " offset" // [B, 2]: frames, bins
	byFactor = " factor" // [B, T, F, 1]
	bySilent = " silent" // [B, T, F, 1]: factor - 1
)

// Apply adds the augmentation of x [B, T, F, 1]; Draw.Feeds of the same name are its inputs. Silence is -1.
func (a Augment) Apply(n *nn.Graph, name string, x *nn.Tensor) *nn.Tensor {
	s := x.Shape()
	if n.Err() != nil || len(s) != 4 {
		return x
	}
	x = n.Translate(x, n.Input(name+byOffset, s[0], 2), -1)
	return n.Add(n.Mul(x, n.Input(name+byFactor, s...)), n.Input(name+bySilent, s...)) // (x + 1) f - 1
}

// A Draw holds the random numbers of one augmentation.
type Draw struct {
	offset, factor, silent []float32
}

// Draw draws an augmentation for each of batch clips of frames x bins into d, whose memory it reuses.
func (a Augment) Draw(d *Draw, rng *rand.Rand, batch, frames, bins int) {
	d.offset, d.factor, d.silent = d.offset[:0], d.factor[:0], d.silent[:0]
	ch, cw := int(a.Cutout*float64(frames)), int(a.Cutout*float64(bins))
	for range batch {
		d.offset = append(d.offset, float32(rng.IntN(2*a.Frames+1)-a.Frames), float32(rng.IntN(2*a.Bins+1)-a.Bins))
		k := float32(1 + a.Contrast*(2*rng.Float64()-1))
		// The rectangle may reach over the edge, so that edges are silenced as often as the middle.
		top, left := rng.IntN(frames+ch)-ch, rng.IntN(bins+cw)-cw
		for t := range frames {
			for f := range bins {
				v := k
				if t >= top && t < top+ch && f >= left && f < left+cw {
					v = 0
				}
				d.factor = append(d.factor, v)
				d.silent = append(d.silent, v-1)
			}
		}
	}
	if a.Noise > 0 {
		disturb(d.silent, float32(a.Noise), rng)
	}
}

// disturb adds noise between -a and a to x. 16 bits a value are plenty.
func disturb(x []float32, a float32, rng *rand.Rand) {
	k := a / (1 << 15)
	var bits uint64
	for i := range x {
		if i%4 == 0 {
			bits = rng.Uint64()
		}
		x[i] += k * (float32(bits&0xffff) - (1<<15 - 0.5))
		bits >>= 16
	}
}

// Feeds returns the inputs of the augmentation of that name.
func (d *Draw) Feeds(name string) []nn.Feed {
	return []nn.Feed{nn.Values(name+byOffset, d.offset), nn.Values(name+byFactor, d.factor), nn.Values(name+bySilent, d.silent)}
}

// Repeat gives the clips from number at on the augmentations of the first n clips.
func (d *Draw) Repeat(at, n int) {
	for _, x := range []*[]float32{&d.offset, &d.factor, &d.silent} {
		per := len(*x) / (at + n)
		copy((*x)[at*per:], (*x)[:n*per])
	}
}
