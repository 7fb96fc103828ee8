package export

import (
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/nn"
	"wavemill/models/onnx"
)

// Names of the files beside the networks.
const (
	ManifestFile = "wavemill.json"
	PriorFile    = "prior.safetensors"
	MelFile      = "mel.safetensors"
)

// Format is the version of the manifest.
const Format = 1

// A Manifest is the content of wavemill.json; docs/formats/onnx.md explains each field.
type Manifest struct {
	Format       int                    `json:"format"`
	Architecture string                 `json:"architecture"`
	Model        string                 `json:"model"`    // digest of the checkpoint
	Wavemill     string                 `json:"wavemill"` // version of the program
	Step         int64                  `json:"step"`
	Labels       []string               `json:"labels"`
	FrontEnd     models.FrontEnd        `json:"front_end"`
	Frames       int                    `json:"frames"` // of a spectrogram
	Bins         int                    `json:"bins"`   // of a frame
	Networks     map[string]Network     `json:"networks"`
	Sampling     architectures.Sampling `json:"sampling"`
	Tensors      map[string]Tensors     `json:"tensors,omitempty"` // by file
}

// A Network is one ONNX file and its ports.
type Network struct {
	File    string `json:"file"`
	Inputs  []Port `json:"inputs"`
	Outputs []Port `json:"outputs"`
}

// A Port is an input or output of a network.
type Port struct {
	Name  string `json:"name"`
	Type  string `json:"type"`  // float32 or int64
	Shape []any  `json:"shape"` // numbers, and onnx.Batch for the number of clips
}

// Tensors are the shapes of a safetensors file's tensors, by name.
type Tensors map[string][]int

// ports returns the ports of a network as the manifest lists them.
func ports(of []onnx.Port) []Port {
	out := make([]Port, len(of))
	for i, p := range of {
		out[i] = Port{Name: p.Name, Type: p.Type}
		for _, d := range p.Shape {
			if d == nn.BatchAxis {
				out[i].Shape = append(out[i].Shape, onnx.Batch)
			} else {
				out[i].Shape = append(out[i].Shape, d)
			}
		}
	}
	return out
}
