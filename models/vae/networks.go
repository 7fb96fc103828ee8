package vae

import (
	"fmt"

	"wavemill/models"
	"wavemill/models/nn"
)

// Names of the networks and their ports outside this program.
const (
	NetworkGenerator = "generator"
	NetworkEncoder   = "encoder"
)

// Networks returns what other programs can run of a checkpoint: the decoder, which makes clips from latents and labels,
// and the encoder. Drawing the latents and adding the texture are left to them; see docs/formats/onnx.md.
func Networks(c models.Checkpoint) ([]nn.Network, error) {
	if c.Arch != Arch {
		return nil, fmt.Errorf("vae: the checkpoint is of architecture %q", c.Arch)
	}
	config, err := ParseConfig(c.Config)
	if err != nil {
		return nil, err
	}
	s, err := shapeOf(c.FrontEnd, c.Labels)
	if err != nil {
		return nil, err
	}
	params := nn.NewParams(c.Seed)
	if err := params.Import(prefixModel, arrays(c.Tensors)); err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	params.Seal()
	return []nn.Network{
		{
			Name: NetworkGenerator, Doc: "Spectrograms from latents and labels.", Params: params,
			Build: func(n *nn.Graph, batch int) {
				z := n.Input(inLatent, batch, config.Latent)
				n.Output(outClips, decoder(n, z, n.Input(inLabels, batch), s, config))
			},
			Inputs: []nn.Port{
				{Graph: inLatent, Name: "latents", Doc: "Drawn from the label's prior, or what the encoder found."},
				{Graph: inLabels, Name: "labels", Doc: "Indices into the labels of the metadata.", Labels: true},
			},
			Outputs: []nn.Port{{Graph: outClips, Name: "spectrograms", Doc: "Frames by bins, as the front end of the metadata makes them.", Squeeze: true, Min: -1, Max: 1}},
		},
		{
			Name: NetworkEncoder, Doc: "The posterior of the latents of spectrograms.", Params: params,
			Build: func(n *nn.Graph, batch int) {
				mean, logVar := encoder(n, n.Input(inClips, batch, s.frames, s.bins, 1), config)
				n.Output(outMean, mean)
				n.Output(outLogVar, logVar)
			},
			Inputs: []nn.Port{{Graph: inClips, Name: "spectrograms", Doc: "Frames by bins, as the front end of the metadata makes them.", Squeeze: true}},
			Outputs: []nn.Port{
				{Graph: outMean, Name: "mean", Doc: "Mean of the latents."},
				{Graph: outLogVar, Name: "log_variance", Doc: "Logarithm of their variance."},
			},
		},
	}, nil
}
