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
	NetworkPrior     = "prior" // of PriorFlow
)

// Networks returns what other programs can run of a checkpoint: the decoder, which makes clips from latents and labels,
// the encoder, and the velocities of a flow. Drawing the latents and adding the texture are left to them; see
// docs/formats/onnx.md.
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
	networks := []nn.Network{
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
	}
	if config.Prior != PriorFlow {
		return networks, nil
	}
	flow, err := flowNetwork(c, config, s.labels)
	if err != nil {
		return nil, fmt.Errorf("vae: flow: %w", err)
	}
	return append(networks, flow), nil
}

// flowNetwork returns the velocities of a flow.
func flowNetwork(c models.Checkpoint, config Config, labels int) (nn.Network, error) {
	p := nn.NewParams(c.Seed)
	if err := p.Import(prefixFlow, arrays(c.Tensors)); err != nil {
		return nn.Network{}, err
	}
	return nn.Network{
		Name: NetworkPrior, Doc: "Velocities on the way from noise to latents.", Params: p.Seal(),
		Build: func(n *nn.Graph, batch int) { n.Output(outVelocity, velocity(n, batch, labels, config)) },
		Inputs: []nn.Port{
			{Graph: inPoint, Name: "points", Doc: "Noise at time 0, standardised latents at time 1."},
			{Graph: inTime, Name: "times", Doc: "The time and its sines and cosines."},
			{Graph: inDelay, Name: "delays", Doc: "0.", Squeeze: true},
			{Graph: inLabels, Name: "labels", Doc: "Indices into the labels of the metadata.", Labels: true},
		},
		Outputs: []nn.Port{{Graph: outVelocity, Name: "velocities", Doc: "By which the points move in a unit of time."}},
	}, nil
}

// FlowSteps returns the number of Heun steps from noise to latents.
func (c Config) FlowSteps() int { return c.Flow.withDefaults().Steps }
