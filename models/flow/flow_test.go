package flow

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/modeltest"
	"wavemill/models/nn"
)

// small is a model whose second phase begins half way.
const small = `{"channels": 4, "latent_channels": 2, "flow_channels": 8, "embedding": 4, "steps": 2, "guidance": 1.5, "temperature": 1, "flow_updates": 2, "shift": 2, "share": 0.5,
	"discriminator_channels": 4, "minibatch_stddev": 4, "average": 0.9, "augment": {"frames": 2, "bins": 1, "cutout": 0.2, "contrast": 0.05}}`

var labels = []string{"low", "middle", "high"}

func frontEnd() models.FrontEnd {
	c := spectrogram.Default(8000)
	c.Mels = 16
	return models.FrontEnd{Spectrogram: c, Frames: 32}
}

func learner(t *testing.T, config string) *Learner {
	t.Helper()
	l, err := NewLearner(json.RawMessage(config), frontEnd(), labels, 5)
	if err != nil {
		t.Fatal(err)
	}
	return l.(*Learner)
}

func clips() models.Batch { return modeltest.Clips(24, 32, 16, len(labels), 1) }

func TestAcceptance(t *testing.T) {
	modeltest.Run(t, modeltest.Architecture{
		New: func(seed uint64) (models.Learner, error) {
			return NewLearner(json.RawMessage(small), frontEnd(), labels, seed)
		},
		Open: Open, Batch: modeltest.Clips(12, 32, 16, len(labels), 1), Labels: labels, Loss: lossMSE, To: 0.08, Steps: 400,
		Gradients: gradients(t),
	})
}

// gradients are the graphs of the first phase.
func gradients(t *testing.T) []modeltest.Gradient {
	t.Helper()
	l, x := learner(t, small), modeltest.Clips(6, 32, 16, len(labels), 1)
	l.flow.prepare(make([]float32, 6*16), make([]float32, 6), rng(1))
	return []modeltest.Gradient{
		{
			Name: "autoencoder", Params: nn.NewParams(3),
			Build: func(n *nn.Graph) *nn.Tensor { return elbo(n, x.B, l.shape, l.config) },
			Feeds: []nn.Feed{nn.Values(inClips, x.Data), nn.Scalar(inKL, 1), nn.Seed(7)},
		},
		{
			Name: "flow", Params: nn.NewParams(3),
			Build: func(n *nn.Graph) *nn.Tensor { return matching(n, x.B, l.shape, l.config) },
			Feeds: []nn.Feed{
				nn.Values(inPoint, l.flow.point), nn.Values(inTarget, l.flow.target), nn.Values(inContext, l.flow.context),
				nn.Values(inKnown, l.flow.known), nn.Labels(inLabels, x.Labels),
			},
		},
	}
}

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
