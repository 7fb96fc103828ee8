// Package export makes the files that another program needs to generate clips with a checkpoint: its networks as ONNX,
// the tensors that draw latents and invert the mel scale as safetensors, and a manifest, wavemill.json, that says how
// they belong together. docs/formats/onnx.md describes the files and has complete programs in Python and JavaScript.
//
// It is a package of its own because it knows both halves: package onnx writes any network and knows no architecture,
// package architectures knows the networks and how latents are drawn, and no file format.
package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/nn"
	"wavemill/models/onnx"
)

// Options says what to export.
type Options struct {
	Only    []string // names of networks: generator, encoder, discriminator, prior; none: all that there are
	Version string   // of the program, for the files' metadata
	// Architectures is the table in which the architecture of the checkpoint is looked up; nil means architectures.Known.
	Architectures architectures.Table
}

// A File is one file to write.
type File struct {
	Name    string // such as generator.onnx
	Network string // the network that is in it, or ""
	Data    []byte
}

// Facts describe a file that was written. As JSON they are a line of `wavemill export --json`.
type Facts struct {
	File    string `json:"file"` // path
	Network string `json:"network,omitempty"`
	Bytes   int    `json:"bytes"`
	SHA256  string `json:"sha256"` // in hexadecimal
}

// Facts describes the file, written to path.
func (f File) Facts(path string) Facts {
	sum := sha256.Sum256(f.Data)
	return Facts{File: path, Network: f.Network, Bytes: len(f.Data), SHA256: hex.EncodeToString(sum[:])}
}

// String is the path.
func (f Facts) String() string { return f.File }

// An UnknownNetworkError says that a checkpoint has no network of that name.
type UnknownNetworkError struct {
	Arch, Name string
	Networks   []string // that it has
}

// Error implements error.
func (e *UnknownNetworkError) Error() string {
	return fmt.Sprintf("this %s has no network %q; it has %s", e.Arch, e.Name, strings.Join(e.Networks, ", "))
}

// Files returns the files of a checkpoint in the order in which they should be written: the manifest last, so that a
// folder with a manifest is complete. The same checkpoint, options and version give the same bytes. The error is an
// [UnknownNetworkError] where Only names a network that the checkpoint does not have, and wraps architecture.ErrNoNetworks
// where its architecture has no networks.
func Files(c models.Checkpoint, o Options) ([]File, error) {
	table := o.Architectures.OrKnown()
	networks, err := table.Networks(c)
	if err != nil {
		return nil, err
	}
	if networks, err = chosen(networks, o.Only, c.Arch); err != nil {
		return nil, err
	}
	digest, err := c.Digest()
	if err != nil {
		return nil, err
	}
	sampling, err := table.SamplingOf(c)
	if err != nil {
		return nil, err
	}
	e := exporter{manifest: Manifest{
		Format: Format, Architecture: c.Arch, Model: digest, Wavemill: o.Version, Step: c.Step, Labels: c.Labels,
		FrontEnd: c.FrontEnd, Frames: c.FrontEnd.Frames, Bins: c.FrontEnd.Spectrogram.Bins(),
		Networks: map[string]Network{}, Sampling: sampling, Tensors: map[string]Tensors{},
	}}
	for _, w := range networks {
		if err := e.network(w); err != nil {
			return nil, err
		}
	}
	if _, generates := e.manifest.Networks["generator"]; generates { // only a generator needs drawn latents
		if err := e.tensors(PriorFile, priorTensors(c)); err != nil {
			return nil, err
		}
	}
	if err := e.tensors(MelFile, melTensors(c.FrontEnd)); err != nil {
		return nil, err
	}
	text, err := plainJSON(e.manifest, "  ")
	if err != nil {
		return nil, err
	}
	return append(e.files, File{Name: ManifestFile, Data: append(text, '\n')}), nil
}

// chosen returns the networks named in only, in their own order; all where none is named.
func chosen(networks []nn.Network, only []string, arch string) ([]nn.Network, error) {
	if len(only) == 0 {
		return networks, nil
	}
	names := make([]string, len(networks))
	for i, w := range networks {
		names[i] = w.Name
	}
	for _, name := range only {
		if !slices.Contains(names, name) {
			return nil, &UnknownNetworkError{Arch: arch, Name: name, Networks: names}
		}
	}
	return slices.DeleteFunc(slices.Clone(networks), func(w nn.Network) bool { return !slices.Contains(only, w.Name) }), nil
}

// An exporter collects the files and what the manifest says of them.
type exporter struct {
	manifest Manifest
	files    []File
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
	at, err := onnx.Ports(w)
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
	e.files = append(e.files, File{Name: name, Network: w.Name, Data: data})
	e.manifest.Networks[w.Name] = Network{File: name, Inputs: ports(at.Inputs), Outputs: ports(at.Outputs)}
	return nil
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
	e.files = append(e.files, File{Name: name, Data: data})
	shapes := Tensors{}
	for _, t := range tensors {
		shapes[t.Name] = t.Shape
	}
	e.manifest.Tensors[name] = shapes
	return nil
}

// priorTensors are the tensors of a checkpoint that drawing latents needs beside the networks.
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
