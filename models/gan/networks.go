package gan

import (
	"fmt"

	"wavemill/models"
	"wavemill/models/internal/state"
	"wavemill/models/nn"
)

// Names of the networks outside this program.
const (
	NetworkGenerator     = "generator"
	NetworkDiscriminator = "discriminator"
)

const outClasses = "classes" // [B, labels]

// Networks returns the networks of a checkpoint for other programs: the generator, which maps noise and labels to clips,
// and the discriminator.
func Networks(c models.Checkpoint) ([]nn.Network, error) {
	h, err := state.Read(Arch, ParseConfig, c)
	if err != nil {
		return nil, err
	}
	p, err := generatorParams(c)
	if err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	d, err := h.Config.discriminator(h.Shape.Labels).Network(c, prefixDiscriminator)
	if err != nil {
		return nil, fmt.Errorf("gan: %w", err)
	}
	g := nn.Network{
		Name: NetworkGenerator, Doc: "Spectrograms from noise and labels.", Params: p, Build: generatorGraph(h.Shape, h.Config),
		Inputs: []nn.Port{
			{Graph: inLatent, Name: "latents", Doc: "Drawn from N(0, I), times the temperature, around the mean of a mode of the label where the model has modes."},
			{Graph: inLabels, Name: "labels", Doc: "Indices into the labels of the metadata.", Labels: true},
		},
		Outputs: []nn.Port{{Graph: outClips, Name: "spectrograms", Doc: "Frames by bins, as the front end of the metadata makes them.", Squeeze: true}},
	}
	return []nn.Network{g, d}, nil
}
