// Package state moves networks and their optimisers into checkpoints and back.
package state

import (
	"strings"

	"wavemill/models"
	"wavemill/models/nn"
)

// Tensors returns arrays as tensors of a checkpoint. They share the values.
func Tensors(arrays []nn.Array) []models.Tensor {
	t := make([]models.Tensor, len(arrays))
	for i, x := range arrays {
		t[i] = models.Tensor(x)
	}
	return t
}

// Arrays returns the tensors of a checkpoint as arrays. They share the values.
func Arrays(tensors []models.Tensor) []nn.Array {
	a := make([]nn.Array, len(tensors))
	for i, x := range tensors {
		a[i] = nn.Array(x)
	}
	return a
}

// Renamed returns tensors with the prefix from replaced by to. They share the values.
func Renamed(tensors []models.Tensor, from, to string) []models.Tensor {
	out := make([]models.Tensor, len(tensors))
	for i, t := range tensors {
		if name, ok := strings.CutPrefix(t.Name, from); ok {
			t.Name = to + name
		}
		out[i] = t
	}
	return out
}

// Has reports whether a tensor's name begins with prefix.
func Has(tensors []models.Tensor, prefix string) bool {
	for _, t := range tensors {
		if strings.HasPrefix(t.Name, prefix) {
			return true
		}
	}
	return false
}

// averages begins the names of the averaged weights in an optimiser's state.
const averages = "ema/"

// An Optimised is a network with its optimiser, and where the two lie in a checkpoint. The averaged weights are the
// model and are written once, under Model, although they are part of the optimiser's state.
type Optimised struct {
	Params *nn.Params
	Adam   *nn.Adam

	Model     string // prefix of the averaged weights, which evaluate and generate
	Weights   string // prefix of the weights as training left them
	Optimizer string // prefix of the optimiser's state
	// Elsewhere are averaged weights that lie outside Model: their tensors by the parameter's name.
	Elsewhere map[string]string
}

// Average returns the averaged weights, or the weights themselves where the optimiser keeps no average.
func (o Optimised) Average() *nn.Params {
	if p := o.Adam.Average(); p != nil {
		return p
	}
	return o.Params
}

// ModelTensors returns copies of the averaged weights.
func (o Optimised) ModelTensors() []models.Tensor {
	t := Tensors(o.Average().Export(o.Model))
	for i, x := range t {
		if name, ok := o.Elsewhere[strings.TrimPrefix(x.Name, o.Model)]; ok {
			t[i].Name = name
		}
	}
	return t
}

// TrainingTensors returns copies of what only training needs: the weights, and the optimiser's state but for the
// averages.
func (o Optimised) TrainingTensors() []models.Tensor {
	t := Tensors(o.Params.Export(o.Weights))
	for _, x := range o.Adam.Export(o.Optimizer) {
		if !strings.HasPrefix(x.Name, o.Optimizer+averages) {
			t = append(t, models.Tensor(x))
		}
	}
	return t
}

// Restore reads what ModelTensors and TrainingTensors returned.
func (o Optimised) Restore(c models.Checkpoint) error {
	a := Arrays(c.Tensors)
	for i, x := range a {
		if name, ok := strings.CutPrefix(x.Name, o.Model); ok {
			a[i].Name = o.Optimizer + averages + name
		}
		for name, tensor := range o.Elsewhere {
			if x.Name == tensor {
				a[i].Name = o.Optimizer + averages + name
			}
		}
	}
	if err := o.Params.Import(o.Weights, a); err != nil {
		return err
	}
	return o.Adam.Import(o.Optimizer, a)
}
