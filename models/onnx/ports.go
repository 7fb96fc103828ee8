package onnx

import (
	"fmt"

	"wavemill/models/nn"
)

// A Port is an input or output of a written network.
type Port struct {
	Name  string
	Type  string // "float32" or "int64"
	Shape []int  // nn.BatchAxis for the number of examples
}

// A Signature lists the inputs and outputs of a network.
type Signature struct{ Inputs, Outputs []Port }

// Ports returns the signature that Encode gives the network.
func Ports(w nn.Network) (Signature, error) {
	d, err := w.Describe()
	if err != nil {
		return Signature{}, fmt.Errorf("onnx: %w", err)
	}
	var s Signature
	if s.Inputs, err = ports(w.Inputs, d.Inputs); err != nil {
		return s, fmt.Errorf("onnx: %s: %w", w.Name, err)
	}
	if s.Outputs, err = ports(w.Outputs, d.Outputs); err != nil {
		return s, fmt.Errorf("onnx: %s: %w", w.Name, err)
	}
	return s, nil
}

func ports(list []nn.Port, values []*nn.Value) ([]Port, error) {
	out := make([]Port, len(list))
	for i, p := range list {
		shape, err := squeezed(p, values[i])
		if err != nil {
			return nil, err
		}
		out[i] = Port{Name: p.Name, Type: "float32", Shape: shape}
		if p.Labels {
			out[i].Type = "int64"
		}
	}
	return out, nil
}
