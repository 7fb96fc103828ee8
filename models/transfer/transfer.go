// Package transfer starts a model from the weights of another, which learnt from other recordings and perhaps other labels.
//
// Weights are taken over by name. What belongs to a label, such as its row of an embedding, is taken over where both models
// have the label; a new label begins at the mean of those of the base. Nothing here knows an architecture: which axes of which
// tensors belong to labels shows in the difference between two untrained models, one of which has a label more.
package transfer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"wavemill/models"
)

// ErrMisfit is returned, wrapped, where the weights of the base do not fit the model.
var ErrMisfit = errors.New("the weights of the base do not fit")

// A Report says what was taken over.
type Report struct {
	Tensors   int      // taken over from the base
	Fresh     []string // tensors that the base lacks: they begin untrained
	Known     []string // labels that the base knows
	New       []string // labels that it does not know
	Forgotten []string // labels of the base that the model does not have
}

// Start returns fresh, the checkpoint of an untrained model, with the weights of base. more is the checkpoint of the same model
// with one more label at the end. Both must be of the architecture of base. The tensors of the result are its own where they
// differ from those of fresh.
func Start(base, fresh, more models.Checkpoint) (models.Checkpoint, Report, error) {
	if base.Arch != fresh.Arch {
		return fresh, Report{}, fmt.Errorf("transfer: the base is a %s, the model a %s: %w", base.Arch, fresh.Arch, ErrMisfit)
	}
	r := report(base.Labels, fresh.Labels)
	from, sizes := byName(base.Tensors), byName(more.Tensors)
	out := fresh
	out.Tensors = slices.Clone(fresh.Tensors)
	var misfits []string
	for i, t := range out.Tensors {
		if !isWeight(t.Name) {
			continue
		}
		source, ok := from[modelName(t.Name)]
		if !ok { // averaged weights that lie elsewhere
			source, ok = from[t.Name]
		}
		if !ok {
			r.Fresh = append(r.Fresh, t.Name)
			continue
		}
		data, ok := take(t, source, sizes[t.Name], base.Labels, fresh.Labels)
		if !ok {
			misfits = append(misfits, fmt.Sprintf("%s is %v in the base and %v in the model", source.Name, source.Shape, t.Shape))
			continue
		}
		out.Tensors[i].Data = data
		r.Tensors++
	}
	switch {
	case len(misfits) > 0:
		return fresh, r, fmt.Errorf("transfer: %w: %s", ErrMisfit, strings.Join(misfits[:min(len(misfits), 3)], "; "))
	case r.Tensors == 0:
		return fresh, r, fmt.Errorf("transfer: %w: no tensor has a name in common", ErrMisfit)
	}
	return out, r, nil
}

// report compares labels.
func report(base, labels []string) Report {
	var r Report
	for _, l := range labels {
		if slices.Contains(base, l) {
			r.Known = append(r.Known, l)
		} else {
			r.New = append(r.New, l)
		}
	}
	for _, l := range base {
		if !slices.Contains(labels, l) {
			r.Forgotten = append(r.Forgotten, l)
		}
	}
	return r
}

// Names of weights in a checkpoint, see docs/formats/checkpoint.md.
const (
	model         = "model/"
	discriminator = "discriminator/"
	trained       = "weights/" // after models.OptimizerPrefix, and the name of a network where there are several
)

// isWeight reports whether a tensor holds weights of a network, averaged or as training left them.
func isWeight(name string) bool {
	return modelName(name) != name || strings.HasPrefix(name, model) || strings.HasPrefix(name, discriminator)
}

// modelName returns the name of the averaged weights that belong to weights as training left them; other names stay.
func modelName(name string) string {
	if rest, ok := strings.CutPrefix(name, models.OptimizerPrefix); ok {
		if _, layer, ok := strings.Cut("/"+rest, "/"+trained); ok {
			return model + layer
		}
	}
	return name
}

func byName(tensors []models.Tensor) map[string]models.Tensor {
	out := make(map[string]models.Tensor, len(tensors))
	for _, t := range tensors {
		out[t.Name] = t
	}
	return out
}

// take returns the data of to taken from the base. larger is to in a model with one more label.
func take(to, from, larger models.Tensor, base, labels []string) ([]float32, bool) {
	axis := -1
	if len(to.Shape) != len(from.Shape) || len(to.Shape) != len(larger.Shape) {
		return nil, false
	}
	for i := range to.Shape {
		switch {
		case to.Shape[i] != larger.Shape[i] && axis < 0:
			axis = i
		case to.Shape[i] != larger.Shape[i] || to.Shape[i] != from.Shape[i]:
			return nil, false
		}
	}
	if axis < 0 {
		return slices.Clone(from.Data), true
	}
	each := larger.Shape[axis] - to.Shape[axis] // rows of a label
	if each < 1 || to.Shape[axis] != each*len(labels) || from.Shape[axis] != each*len(base) {
		return nil, false
	}
	inner := each
	for _, n := range to.Shape[axis+1:] {
		inner *= n
	}
	out := make([]float32, 0, len(to.Data))
	for block := from.Data; len(block) > 0; block = block[inner*len(base):] {
		for _, l := range labels {
			out = append(out, rows(block, inner, base, l)...)
		}
	}
	return out, len(out) == len(to.Data)
}

// rows returns the values of a label, or the mean of all labels for one that the base does not know.
func rows(block []float32, size int, base []string, label string) []float32 {
	if at := slices.Index(base, label); at >= 0 {
		return block[at*size : (at+1)*size]
	}
	mean := make([]float32, size)
	for at := range base {
		for i, v := range block[at*size : (at+1)*size] {
			mean[i] += v / float32(len(base))
		}
	}
	return mean
}

// Lines describe for a person what was taken over.
func (r Report) Lines() []string {
	lines := []string{fmt.Sprintf("base      %d tensors and %d labels taken over; new labels: %s", r.Tensors, len(r.Known), listed(r.New))}
	if len(r.Forgotten) > 0 {
		lines = append(lines, "base      labels that the recordings lack are left out: "+listed(r.Forgotten))
	}
	if len(r.Fresh) > 0 {
		lines = append(lines, fmt.Sprintf("base      %d tensors begin untrained, because the base lacks them", len(r.Fresh)))
	}
	return lines
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
