package gan

import (
	"fmt"

	"wavemill/models"
	"wavemill/models/nn"
)

// Names of the networks outside this program.
const (
	NetworkGenerator     = "generator"
	NetworkDiscriminator = "discriminator"
)

const outClasses = "classes" // [B, labels]

// Networks returns what other programs can run of a checkpoint: the generator, which makes clips from noise and labels,
// and the discriminator.
func Networks(c models.Checkpoint) ([]nn.Network, error) {
	if c.Arch != Arch {
		return nil, fmt.Errorf("gan: the checkpoint is of architecture %q", c.Arch)
	}
	config, err := ParseConfig(c.Config)
	if err != nil {
		return nil, err
	}
	s, err := shapeOf(c.FrontEnd, c.Labels)
	if err != nil {
		return nil, err
	}
	p := nn.NewParams(c.Seed)
	if err := importModel(p, c); err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	judge, err := config.critic(s.labels, config.Stddev).Network(c, prefixCritic)
	if err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	return []nn.Network{
		{
			Name: NetworkGenerator, Doc: "Spectrograms from noise and labels.", Params: p.Seal(),
			Build: func(n *nn.Graph, batch int) {
				labels := n.Input(inLabels, batch)
				n.Output(outClips, generator(n, n.Input(inLatent, batch, config.Latent), labels, correction(n, labels, s, config), s, config))
			},
			Inputs: []nn.Port{
				{Graph: inLatent, Name: "latents", Doc: "Drawn from N(0, I), times the temperature, around the place of a mode of the label where the model has modes."},
				{Graph: inLabels, Name: "labels", Doc: "Indices into the labels of the metadata.", Labels: true},
			},
			Outputs: []nn.Port{{Graph: outClips, Name: "spectrograms", Doc: "Frames by bins, as the front end of the metadata makes them.", Squeeze: true}},
		},
		judge,
	}, nil
}

// Network returns the discriminator whose weights lie in a checkpoint under a prefix. As in NewDiscriminator, its labels
// are the checkpoint's, and it sees every clip as a batch of its own.
func (d Critic) Network(c models.Checkpoint, prefix string) (nn.Network, error) {
	p := nn.NewParams(c.Seed)
	if err := p.Import(prefix, arrays(c.Tensors)); err != nil {
		return nn.Network{}, err
	}
	d.Labels, d.Stddev = len(c.Labels), min(d.Stddev, 1)
	w := nn.Network{
		Name: NetworkDiscriminator, Doc: "How much spectrograms are like recordings of their labels.", Params: p.Seal(),
		Build: func(n *nn.Graph, batch int) {
			x := n.Input(inReal, batch, c.FrontEnd.Frames, c.FrontEnd.Spectrogram.Bins(), 1)
			j := d.Judge(n, x, n.Input(inLabels, batch), nil)
			n.Output(outScore, j.Score)
			if d.Auxiliary {
				n.Output(outClasses, j.Classes)
			}
		},
		Inputs: []nn.Port{
			{Graph: inReal, Name: "spectrograms", Doc: "Frames by bins, as the front end of the metadata makes them.", Squeeze: true},
			{Graph: inLabels, Name: "labels", Doc: "Indices into the labels of the metadata.", Labels: true},
		},
		Outputs: []nn.Port{{Graph: outScore, Name: "scores", Doc: "The higher, the more like a recording; they have no unit.", Squeeze: true}},
	}
	if d.Auxiliary {
		w.Outputs = append(w.Outputs, nn.Port{Graph: outClasses, Name: "classes", Doc: "Logits of the labels that the auxiliary head hears."})
	}
	return w, nil
}
