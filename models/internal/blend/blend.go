// Package blend decodes latents under an embedding between those of two labels.
package blend

import (
	"context"

	"wavemill/models"
	"wavemill/models/internal/predict"
	"wavemill/models/internal/shape"
	"wavemill/models/nn"
)

// Names of the inputs of the graph, beside that of the latents.
const (
	inFrom   = "from"   // [B], labels
	inTo     = "to"     // [B], labels
	inKeep   = "keep"   // [B], share of the first label
	inChange = "change" // [B], share of the second
)

// Inputs are the two labels of each clip and their shares, [B] each.
type Inputs struct {
	From, To     *nn.Tensor
	keep, change *nn.Tensor
}

// NewInputs adds the inputs to a graph.
func NewInputs(n *nn.Graph, batch int) Inputs {
	return Inputs{n.Input(inFrom, batch), n.Input(inTo, batch), n.Input(inKeep, batch), n.Input(inChange, batch)}
}

// Mix adds the mean of a and b, weighted by the shares of the two labels.
func (i Inputs) Mix(n *nn.Graph, a, b *nn.Tensor) *nn.Tensor {
	return n.Add(n.MulRows(a, i.keep), n.MulRows(b, i.change))
}

// A Decoder is a network with the latents and Inputs as inputs and spectrograms as output.
type Decoder struct {
	Predictor       *nn.Predictor
	Shape           shape.Shape
	Width           int    // latent variables
	Latents, Output string // names in the graph
}

// Run decodes latents [B, Width] under the embedding (1 - weight[i]) a[i] + weight[i] b[i]. The request's seeds and
// temperature are validated, not used. The label of a clip in the answer is the one of greater weight.
func (d Decoder) Run(ctx context.Context, latents []float32, a, b []int, weight []float64, r models.Request) (models.Batch, error) {
	keep, change, labels, err := models.BlendShares(d.Shape.Labels, d.Width, latents, a, b, weight, r)
	if err != nil {
		return models.Batch{}, err
	}
	out := d.Shape.Batch(labels)
	out.Data, err = predict.Append(ctx, d.Predictor, out.Data, d.Output, len(weight), func(lo, hi int) []nn.Feed {
		return []nn.Feed{
			nn.Values(d.Latents, latents[lo*d.Width:hi*d.Width]), nn.Labels(inFrom, a[lo:hi]), nn.Labels(inTo, b[lo:hi]),
			nn.Values(inKeep, keep[lo:hi]), nn.Values(inChange, change[lo:hi]),
		}
	})
	if err != nil {
		return models.Batch{}, err
	}
	return out, nil
}
