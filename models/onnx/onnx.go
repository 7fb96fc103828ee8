// Package onnx writes networks as ONNX files (https://github.com/onnx/onnx, onnx.proto), which ONNX Runtime and other
// programs run: one file for each network, with its weights, for any batch size.
//
// Package nn describes what a network computes; this package maps each operation of that description to nodes of
// operator set 17. Images are [N, H, W, C] in package nn and [N, C, H, W] in ONNX: weights are transposed when they are
// written, and a value in the wrong layout passes a Transpose.
package onnx

import (
	"fmt"

	"wavemill/models/nn"
)

const (
	// Opset is the version of the operator set, and irVersion the one of the file format: those of ONNX 1.12 (2022),
	// which every runtime in use reads.
	Opset     = 17
	irVersion = 8

	producer = "wavemill"
	// Batch is the name of the axis of variable length.
	Batch = "N"
	// limit is the size of the weights in bytes: protobuf's limit for one file, less room for everything else.
	limit = 1<<31 - 1<<24
)

// Info is the metadata of a file.
type Info struct {
	Version    string // of the program that writes it
	Step       int64  // of training, the file's model version
	Properties []Property
}

// A Property is an entry of the file's metadata.
type Property struct{ Key, Value string }

// Encode returns the network as an ONNX file. Equal networks give equal bytes. An operation without a mapping is an
// error that names it, and so are weights that do not fit into one file.
//
// Inputs and outputs have the ports' names and the shapes of the graph, with [Batch] for the number of examples. Inputs
// that hold labels are int64, all else is float32.
func Encode(w nn.Network, info Info) ([]byte, error) {
	d, err := w.Describe()
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	b := newBuilder(w.Name)
	if err := b.network(w, d); err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", w.Name, err)
	}
	if err := fits(b.graph.initializers, limit); err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", w.Name, err)
	}
	return encodeModel(model{
		producerVersion: info.Version, modelVersion: info.Step, doc: w.Doc, properties: info.Properties, graph: b.graph,
	}), nil
}

// fits reports whether tensors take at most so many bytes.
func fits(tensors []tensor, limit int) error {
	total := 0
	for _, t := range tensors {
		total += 4*len(t.floats) + 8*len(t.ints)
	}
	if total > limit {
		return fmt.Errorf("the weights take %d bytes; an ONNX file holds %d", total, limit)
	}
	return nil
}
