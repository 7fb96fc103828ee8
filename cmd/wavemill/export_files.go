package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/nn"
	"wavemill/models/onnx"
)

// Names of the files beside the networks.
const (
	manifestFile = "wavemill.json"
	priorFile    = "prior.safetensors"
	melFile      = "mel.safetensors"
)

// exportFormat is the version of wavemill.json.
const exportFormat = 1

// manifest is the content of wavemill.json; docs/formats/onnx.md explains it.
type manifest struct {
	Format       int                        `json:"format"`
	Architecture string                     `json:"architecture"`
	Model        string                     `json:"model"` // digest
	Wavemill     string                     `json:"wavemill"`
	Step         int64                      `json:"step"`
	Labels       []string                   `json:"labels"`
	FrontEnd     models.FrontEnd            `json:"front_end"`
	Frames       int                        `json:"frames"`
	Bins         int                        `json:"bins"`
	Networks     map[string]manifestNetwork `json:"networks"`
	Sampling     architectures.Sampling     `json:"sampling"`
	Tensors      map[string]manifestTensors `json:"tensors,omitempty"` // by file
}

type manifestNetwork struct {
	File    string         `json:"file"`
	Inputs  []manifestPort `json:"inputs"`
	Outputs []manifestPort `json:"outputs"`
}

type manifestPort struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []any  `json:"shape"` // numbers, and onnx.Batch
}

// manifestTensors are shapes by name.
type manifestTensors map[string][]int

// An exporter makes the files of a checkpoint.
type exporter struct {
	checkpoint models.Checkpoint
	manifest   manifest
	list       []exportedFile
}

func newExporter(c models.Checkpoint) *exporter { return &exporter{checkpoint: c} }

// files returns the files in the order in which they are to be written: the manifest last.
func (e *exporter) files(networks []nn.Network) ([]exportedFile, error) {
	c := e.checkpoint
	digest, err := c.Digest()
	if err != nil {
		return nil, err
	}
	sampling, err := architectures.SamplingOf(c)
	if err != nil {
		return nil, err
	}
	e.manifest = manifest{
		Format: exportFormat, Architecture: c.Arch, Model: digest, Wavemill: version(), Step: c.Step, Labels: c.Labels,
		FrontEnd: c.FrontEnd, Frames: c.FrontEnd.Frames, Bins: c.FrontEnd.Spectrogram.Bins(),
		Networks: map[string]manifestNetwork{}, Sampling: sampling, Tensors: map[string]manifestTensors{},
	}
	for _, w := range networks {
		if err := e.network(w); err != nil {
			return nil, err
		}
	}
	if _, generates := e.manifest.Networks["generator"]; generates { // what is drawn is for it
		if err := e.tensors(priorFile, priorTensors(c)); err != nil {
			return nil, err
		}
	}
	if err := e.tensors(melFile, melTensors(c.FrontEnd)); err != nil {
		return nil, err
	}
	text, err := plainJSON(e.manifest, "  ")
	if err != nil {
		return nil, err
	}
	e.add(manifestFile, "", append(text, '\n'))
	return e.list, nil
}

func (e *exporter) add(name, network string, data []byte) {
	sum := sha256.Sum256(data)
	e.list = append(e.list, exportedFile{Network: network, Bytes: len(data), SHA256: hex.EncodeToString(sum[:]), name: name, data: data})
}

// network adds the file of one network.
func (e *exporter) network(w nn.Network) error {
	labels, err := plainJSON(e.manifest.Labels, "")
	if err != nil {
		return err
	}
	front, err := plainJSON(e.manifest.FrontEnd, "")
	if err != nil {
		return err
	}
	ports, err := onnx.Ports(w)
	if err != nil {
		return err
	}
	data, err := onnx.Encode(w, onnx.Info{Version: e.manifest.Wavemill, Step: e.manifest.Step, Properties: []onnx.Property{
		{Key: "wavemill.architecture", Value: e.manifest.Architecture},
		{Key: "wavemill.network", Value: w.Name},
		{Key: "wavemill.labels", Value: string(labels)},
		{Key: "wavemill.front_end", Value: string(front)},
		{Key: "wavemill.model", Value: e.manifest.Model},
		{Key: "wavemill.step", Value: strconv.FormatInt(e.manifest.Step, 10)},
		{Key: "wavemill.version", Value: e.manifest.Wavemill},
	}})
	if err != nil {
		return err
	}
	name := w.Name + ".onnx"
	e.add(name, w.Name, data)
	e.manifest.Networks[w.Name] = manifestNetwork{File: name, Inputs: manifestPorts(ports.Inputs), Outputs: manifestPorts(ports.Outputs)}
	return nil
}

func manifestPorts(ports []onnx.Port) []manifestPort {
	out := make([]manifestPort, len(ports))
	for i, p := range ports {
		out[i] = manifestPort{Name: p.Name, Type: p.Type}
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

// tensors adds a safetensors file, unless there is nothing to put into it.
func (e *exporter) tensors(name string, tensors []models.Tensor) error {
	if len(tensors) == 0 {
		return nil
	}
	data, err := models.EncodeTensors(tensors, map[string]string{"format": "np", "wavemill.model": e.manifest.Model})
	if err != nil {
		return err
	}
	e.add(name, "", data)
	e.manifest.Tensors[name] = manifestTensors{}
	for _, t := range tensors {
		e.manifest.Tensors[name][t.Name] = t.Shape
	}
	return nil
}

// priorTensors are the tensors of a checkpoint that drawing takes beside the networks.
func priorTensors(c models.Checkpoint) []models.Tensor {
	return slices.DeleteFunc(slices.Clone(c.Tensors), func(t models.Tensor) bool {
		drawn := strings.HasPrefix(t.Name, "prior/") || strings.HasPrefix(t.Name, "texture/")
		return !drawn || strings.HasPrefix(t.Name, "prior/flow/model/") // which is a network
	})
}

// melTensors are the filters of a front end with a mel scale.
func melTensors(fe models.FrontEnd) []models.Tensor {
	filters := fe.Spectrogram.MelFilters()
	if filters == nil {
		return nil
	}
	return []models.Tensor{{Name: "mel/filters", Shape: []int{fe.Spectrogram.Mels, fe.Spectrogram.NFFT/2 + 1}, Data: filters}}
}

// plainJSON is JSON in which <, > and & stay as they are.
func plainJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
