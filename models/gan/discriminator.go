package gan

import (
	"fmt"
	"slices"

	"wavemill/models"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// A DiscriminatorNetwork describes a discriminator with a projection of the label (Miyato and Koyama 2018). The zero value
// of every field but Channels and Labels leaves something out.
type DiscriminatorNetwork struct {
	Channels      int // of the first convolution; each of the four doubles them
	Labels        int // classes
	Unconditional bool
	SpectralNorm  bool
	Stddev        int     // group of the minibatch deviation, 0 for none; must divide the batch
	Gain          float64 // of the score, 0 for 1
	Auxiliary     bool    // with a head that classifies the label (Odena et al. 2017)
	NoProjection  bool    // the label is used by the auxiliary head alone
	Modes         int     // modes of each label (see Config.Modes), for graphs that have them as an input
}

// discriminator returns the discriminator of a configuration.
func (c Config) discriminator(labels int) DiscriminatorNetwork {
	return DiscriminatorNetwork{
		Channels: c.Channels, Labels: labels, Unconditional: c.Unconditional, SpectralNorm: c.SpectralNorm, Stddev: c.Stddev,
		Gain: c.Gain, Auxiliary: c.classifies(), NoProjection: c.NoProjection, Modes: c.ModesOfLabel(),
	}
}

// ForBatch returns d with the largest group of the minibatch deviation, up to that of d, that divides every one of the
// numbers of clips, of which there is at least one.
func (d DiscriminatorNetwork) ForBatch(clips ...int) DiscriminatorNetwork {
	mixes := func(n int) bool { return n%d.Stddev != 0 }
	d.Stddev = min(d.Stddev, slices.Min(clips))
	for d.Stddev > 1 && slices.ContainsFunc(clips, mixes) {
		d.Stddev--
	}
	return d
}

// A DiscriminatorOutput is what a DiscriminatorNetwork computes of B clips.
type DiscriminatorOutput struct {
	Score    *nn.Tensor   // [B, 1]; higher for recordings
	Classes  *nn.Tensor   // [B, labels]: logits of the auxiliary head, nil without
	Features []*nn.Tensor // activations of the convolutions, for feature matching
}

// Apply adds the discriminator of x [B, T, F, 1] under labels [B] and modes [B] to n. Modes are numbered over all labels;
// where they are nil, clips are compared by label alone.
func (d DiscriminatorNetwork) Apply(n *nn.Graph, x, labels, modes *nn.Tensor) DiscriminatorOutput {
	n = n.Scope("discriminator")
	w := d.Channels
	var sn []nn.Option
	if d.SpectralNorm {
		sn = append(sn, nn.SpectralNorm())
	}
	down := append([]nn.Option{nn.Kernel(4), nn.Stride(2), nn.LeakyReLU(slope)}, sn...)
	h1 := n.Conv("conv1", x, w, down...)    // [B, T/2, F/2, w]
	h2 := n.Conv("conv2", h1, 2*w, down...) // [B, T/4, F/4, 2w]
	h3 := n.Conv("conv3", h2, 4*w, down...) // [B, T/8, F/8, 4w]
	h4 := n.Conv("conv4", h3, 8*w, down...) // [B, T/16, F/16, 8w]
	h := h4
	if d.Stddev > 0 {
		h = n.MinibatchStddev(h, d.Stddev) // [B, T/16, F/16, 8w+1]
	}
	act := append([]nn.Option{nn.LeakyReLU(slope)}, sn...)
	h = n.Dense("features", n.Flatten(h), 8*w, act...) // [B, 8w]
	out := DiscriminatorOutput{Features: []*nn.Tensor{h1, h2, h3, h4}}
	out.Score = n.Dense("score", h, 1, sn...) // [B, 1]
	embedded := append([]nn.Option{nn.Weight(nn.Normal(0.05))}, sn...)
	if !d.Unconditional && !d.NoProjection {
		e := n.Embedding("projection", labels, d.Labels, 8*w, embedded...) // [B, 8w]
		out.Score = n.Add(out.Score, n.RowDot(e, h))
	}
	if modes != nil {
		e := n.Embedding("modes", modes, d.Labels*d.Modes, 8*w, embedded...) // [B, 8w]
		out.Score = n.Add(out.Score, n.RowDot(e, h))
	}
	if d.Gain > 0 {
		out.Score = n.Scale(out.Score, d.Gain)
	}
	if d.Auxiliary {
		out.Classes = n.Dense("classes", n.Scale(h, max(d.Gain, 1)), d.Labels) // [B, labels]
	}
	return out
}

// open returns the weights that lie in a checkpoint under a prefix, and what adds the discriminator with its inputs and
// outputs to a graph. The labels are the checkpoint's. Every clip is a batch of its own, so that its score does not depend
// on other clips: the minibatch deviation is then 0.
func (d DiscriminatorNetwork) open(c models.Checkpoint, prefix string) (*nn.Params, func(n *nn.Graph, batch int), error) {
	p, err := state.Params(c, prefix)
	if err != nil {
		return nil, nil, fmt.Errorf("discriminator: %w", err)
	}
	d.Labels, d.Stddev = len(c.Labels), min(d.Stddev, 1)
	frames, bins := c.FrontEnd.Frames, c.FrontEnd.Spectrogram.Bins()
	return p, func(n *nn.Graph, batch int) {
		out := d.Apply(n, n.Input(inReal, batch, frames, bins, 1), n.Input(inLabels, batch), nil)
		n.Output(outScore, out.Score)
		if d.Auxiliary {
			n.Output(outClasses, out.Classes)
		}
	}, nil
}

// Network returns the discriminator whose weights lie in a checkpoint under a prefix, for other programs. As in
// NewDiscriminator, its labels are the checkpoint's, and every clip is a batch of its own.
func (d DiscriminatorNetwork) Network(c models.Checkpoint, prefix string) (nn.Network, error) {
	p, build, err := d.open(c, prefix)
	if err != nil {
		return nn.Network{}, err
	}
	w := nn.Network{
		Name: NetworkDiscriminator, Doc: "How much spectrograms are like recordings of their labels.", Params: p, Build: build,
		Inputs: []nn.Port{
			{Graph: inReal, Name: "spectrograms", Doc: "Frames by bins, as the front end of the metadata makes them.", Squeeze: true},
			{Graph: inLabels, Name: "labels", Doc: "Indices into the labels of the metadata.", Labels: true},
		},
		Outputs: []nn.Port{{Graph: outScore, Name: "scores", Doc: "The higher, the more like a recording; they have no unit.", Squeeze: true}},
	}
	if d.Auxiliary {
		w.Outputs = append(w.Outputs, nn.Port{Graph: outClasses, Name: "classes", Doc: "Logits of the labels by the auxiliary head."})
	}
	return w, nil
}
