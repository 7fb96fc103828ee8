package vae

import (
	"fmt"

	"wavemill/models"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// Names of the networks and their ports outside this program.
const (
	NetworkGenerator = "generator"
	NetworkEncoder   = "encoder"
	NetworkPrior     = "prior" // of PriorFlow
)

// Networks returns the networks of a checkpoint for other programs: the decoder, which maps latents and labels to clips,
// the encoder, and the velocities of a flow. Those programs draw the latents and add the residual noise themselves; see
// docs/formats/onnx.md.
func Networks(c models.Checkpoint) ([]nn.Network, error) {
	h, err := state.Read(Arch, ParseConfig, c)
	if err != nil {
		return nil, err
	}
	params, err := state.Params(c, prefixModel)
	if err != nil {
		return nil, fmt.Errorf("vae: %w", err)
	}
	networks := []nn.Network{
		{
			Name: NetworkGenerator, Doc: "Spectrograms from latents and labels.", Params: params,
			Build: decoderGraph(h.Shape, h.Config),
			Inputs: []nn.Port{
				{Graph: inLatent, Name: "latents", Doc: "Drawn from the label's prior, or from the encoder."},
				{Graph: inLabels, Name: "labels", Doc: "Indices into the labels of the metadata.", Labels: true},
			},
			Outputs: []nn.Port{{Graph: outClips, Name: "spectrograms", Doc: "Frames by bins, as the front end of the metadata makes them.", Squeeze: true, Min: -1, Max: 1}},
		},
		{
			Name: NetworkEncoder, Doc: "The posterior of the latents of spectrograms.", Params: params,
			Build:  encoderGraph(h.Shape, h.Config),
			Inputs: []nn.Port{{Graph: inClips, Name: "spectrograms", Doc: "Frames by bins, as the front end of the metadata makes them.", Squeeze: true}},
			Outputs: []nn.Port{
				{Graph: outMean, Name: "mean", Doc: "Mean of the latents."},
				{Graph: outLogVar, Name: "log_variance", Doc: "Logarithm of their variance."},
			},
		},
	}
	if h.Config.Prior != PriorFlow {
		return networks, nil
	}
	flow, err := flowNetwork(c, h.Config, h.Shape.Labels)
	if err != nil {
		return nil, fmt.Errorf("vae: flow: %w", err)
	}
	return append(networks, flow), nil
}

// flowNetwork returns the velocities of a flow.
func flowNetwork(c models.Checkpoint, config Config, labels int) (nn.Network, error) {
	p, err := state.Params(c, prefixFlow)
	if err != nil {
		return nn.Network{}, err
	}
	return nn.Network{
		Name: NetworkPrior, Doc: "Velocities on the way from noise to latents.", Params: p,
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
