package blend_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/internal/blend"
	"wavemill/models/internal/shape"
	"wavemill/models/nn"
)

// decoder returns one whose clips of 1 by 1 are the latent plus the label's embedding, which is the label times ten.
func decoder(t *testing.T) blend.Decoder {
	t.Helper()
	p := nn.NewParams(1)
	q, err := nn.NewPredictor(p, func(n *nn.Graph, batch int) {
		z, in := n.Input("z", batch, 1), blend.NewInputs(n, batch)
		of := func(n *nn.Graph, labels *nn.Tensor) *nn.Tensor { return n.Embedding("label", labels, 3, 1) }
		n.Output("y", n.Add(z, in.Mix(n, of(n, in.From), of(n.Reuse(), in.To))))
	})
	if err != nil {
		t.Fatal(err)
	}
	w := p.Lookup("label/w")
	copy(w.Data(), []float32{0, 10, 20})
	w.Touch()
	return blend.Decoder{Predictor: q, Shape: shape.Shape{Frames: 1, Bins: 1, Labels: 3}, Width: 1, Latents: "z", Output: "y"}
}

func TestRun(t *testing.T) {
	r := models.Series(nil, 0, 0)
	r.Seeds = make([]uint64, 3)
	out, err := decoder(t).Run(t.Context(), []float32{1, 2, 3}, []int{0, 1, 1}, []int{1, 2, 2}, []float64{0, 0.5, 0.75}, r)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.Data, []float32{1, 17, 20.5}) || !slices.Equal(out.Labels, []int{0, 1, 2}) || out.Validate(3) != nil {
		t.Errorf("%+v", out)
	}
}

func TestRunRefuses(t *testing.T) {
	d := decoder(t)
	one := models.Request{Seeds: []uint64{1}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Run(ctx, []float32{1}, []int{0}, []int{1}, []float64{0}, one); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for want, f := range map[string]func() (models.Batch, error){
		"label 3": func() (models.Batch, error) {
			return d.Run(t.Context(), []float32{1}, []int{0}, []int{3}, []float64{0}, one)
		},
		"0 latents": func() (models.Batch, error) { return d.Run(t.Context(), nil, []int{0}, []int{1}, []float64{0}, one) },
		"weight 2": func() (models.Batch, error) {
			return d.Run(t.Context(), []float32{1}, []int{0}, []int{1}, []float64{2}, one)
		},
		"0 seeds": func() (models.Batch, error) {
			return d.Run(t.Context(), []float32{1}, []int{0}, []int{1}, []float64{0}, models.Request{})
		},
		"temperature": func() (models.Batch, error) {
			return d.Run(t.Context(), []float32{1}, []int{0}, []int{1}, []float64{0}, models.Request{Seeds: one.Seeds, Temperature: -1})
		},
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
