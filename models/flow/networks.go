package flow

import (
	"wavemill/models"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// Networks returns the networks of a checkpoint for other programs: the decoder, the encoder, the way from noise to
// latents and, once the second phase of training has begun, the discriminator.
func Networks(c models.Checkpoint) ([]nn.Network, error) {
	g, err := read(c)
	if err != nil {
		return nil, err
	}
	sampling, err := newSampler(g.config, g.shape, g.mean, g.deviation)
	if err != nil {
		return nil, err
	}
	const clips = "Frames by bins, as the front end of the metadata makes them."
	networks := []nn.Network{
		{
			Name: "generator", Doc: "Spectrograms from latents.", Params: g.weights.coder, Build: decoderGraph(g.shape, g.config),
			Inputs: []nn.Port{
				{Graph: inLatent, Name: "latents", Doc: "From the prior, or from the encoder."},
				{Graph: inLabels, Name: "labels", Doc: "Not looked at: the latents have the label in them.", Labels: true},
			},
			Outputs: []nn.Port{{Graph: outClips, Name: "spectrograms", Doc: clips, Squeeze: true, Min: -1, Max: 1}},
		},
		{
			Name: "encoder", Doc: "The posterior of the latents of spectrograms.", Params: g.weights.coder, Build: encoderGraph(g.shape, g.config),
			Inputs: []nn.Port{{Graph: inClips, Name: "spectrograms", Doc: clips, Squeeze: true}},
			Outputs: []nn.Port{
				{Graph: outMean, Name: "mean", Doc: "Mean of the latents."},
				{Graph: outLogVar, Name: "log_variance", Doc: "Logarithm of their variance."},
			},
		},
		{
			Name: "prior", Doc: "Latents from noise and labels, by all steps of the flow.", Params: g.weights.flow, Build: sampling.graph(),
			Inputs: []nn.Port{
				{Graph: inNoise, Name: "noise", Doc: "Independent, normally distributed, with the temperature as deviation."},
				{Graph: inLabels, Name: "labels", Doc: "Indices into the labels of the metadata.", Labels: true},
			},
			Outputs: []nn.Port{{Graph: outLatents, Name: "latents", Doc: "For the generator."}},
		},
	}
	if !state.Has(c.Tensors, prefixDiscriminator) {
		return networks, nil
	}
	d, err := g.config.discriminator().Network(c, prefixDiscriminator)
	if err != nil {
		return nil, wrap(err)
	}
	return append(networks, d), nil
}
