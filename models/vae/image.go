package vae

import (
	"fmt"
	"slices"

	"wavemill/models"
)

// tensorImage holds the mean stereo image of the recording behind each component of a manifold, [C, bins]: the pan of each band,
// then the width of each. Only models of two channels have it. With few recordings the decoder's pan and
// width are off by 1 dB or more, which is audible: a clip has the image that the decoder gives the recording, moved to this mean.
const tensorImage = "prior/image"

// fitImages measures the last bins, which hold the image, of the clips that the components stand for.
func (p *prior) fitImages(train models.Batch, bins int) {
	groups := make([][]int, len(p.labels))
	for i, l := range train.Labels {
		l = min(l, len(groups)-1)
		groups[l] = append(groups[l], i)
	}
	for l, of := range groups {
		m := &p.labels[l]
		m.image = make([]float32, 0, len(m.weight)*bins)
		stride := (len(of) + len(m.weight) - 1) / len(m.weight)
		for i := 0; i < len(of); i += stride {
			m.image = append(m.image, meanFrame(lastBins(train.Clip(of[i]), train.F, bins), bins)...)
		}
	}
}

// meanFrame is the mean of frames of so many values.
func meanFrame(frames []float32, bins int) []float32 {
	mean := make([]float32, bins)
	for i, v := range frames {
		mean[i%bins] += v / float32(len(frames)/bins)
	}
	return mean
}

// imageTensor returns the images, if there are any.
func (p *prior) imageTensor() []models.Tensor {
	t := models.Tensor{Name: tensorImage}
	components := 0
	for _, m := range p.labels {
		t.Data, components = append(t.Data, m.image...), components+len(m.weight)
	}
	if len(t.Data) == 0 {
		return nil
	}
	t.Shape = []int{components, len(t.Data) / components}
	return []models.Tensor{t}
}

// openImages reads them, if there are any.
func (p *prior) openImages(c models.Checkpoint) error {
	if !slices.ContainsFunc(c.Tensors, func(t models.Tensor) bool { return t.Name == tensorImage }) {
		return nil
	}
	t, err := c.Tensor(tensorImage)
	if err != nil {
		return err
	}
	components := 0
	for _, m := range p.labels {
		components += len(m.weight)
	}
	bins := len(t.Data) / max(1, components)
	if bins < 1 || len(t.Data) != bins*components {
		return fmt.Errorf("vae: tensor %s has %d values, which do not fill rows of %d components", tensorImage, len(t.Data), components)
	}
	rest := t.Data
	for l := range p.labels {
		n := bins * len(p.labels[l].weight)
		p.labels[l].image, rest = rest[:n], rest[n:]
	}
	return nil
}

// place moves the images at the end of decoded frames, [T, bins], to the mean of the recording that a component stands for.
func (p *prior) place(frames []float32, bins int, c component) {
	m := p.labels[min(c.label, len(p.labels)-1)]
	if len(m.image) == 0 {
		return
	}
	n := len(m.image) / len(m.weight)
	if n > bins {
		return
	}
	decoded, want := meanFrame(frames, bins)[bins-n:], m.image[c.number*n:(c.number+1)*n]
	steady := oneChannel(want)
	for at := bins; at <= len(frames); at += bins {
		for i := range n {
			if steady[i] {
				frames[at-n+i] = want[i]
				continue
			}
			frames[at-n+i] = min(max(frames[at-n+i]+want[i]-decoded[i], -1), 1)
		}
	}
}

// Values of an image, as audio/stereo writes them, up to which a band is one channel: a side 30 dB below the mid, and channels
// that differ by 0.5 dB.
const (
	noWidth = -0.9
	noPan   = 0.5 / 30
)

// oneChannel reports of which values of a mean image the band was one channel, as where both are equal. These values do not
// move: in a decoder's image they waver by some dB, which is a side that the recording does not have.
func oneChannel(image []float32) []bool {
	bands := len(image) / 2
	out := make([]bool, len(image))
	for b := range bands {
		pan, width := image[b], image[bands+b]
		if width <= noWidth && max(pan, -pan) <= noPan {
			out[b], out[bands+b] = true, true
		}
	}
	return out
}
