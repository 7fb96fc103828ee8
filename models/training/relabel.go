package training

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"

	"wavemill/models"
)

// NewLearner builds the learner of an architecture, as architectures.NewLearner does.
type NewLearner func(arch string, config json.RawMessage, fe models.FrontEnd, labels []string, seed uint64) (models.Learner, error)

// Relabel returns a checkpoint from which a training of other labels goes on with what c has learnt; labels must be sorted.
// Tensors that do not depend on the number of labels are those of c. Of those that do, such as embeddings, the rows of
// labels that both know are those of c, and the others are a new network's. Layers with a tensor of another shape are new.
// Learnt is how many tensors took something from c; it is an error where none did. Use it with Job.NewData: the figures by which
// weights were chosen do not compare, and are left out. It does not change c.
func Relabel(c models.Checkpoint, labels []string, build NewLearner) (out models.Checkpoint, learnt int, err error) {
	l, err := build(c.Arch, c.Config, c.FrontEnd, labels, c.Seed)
	if err != nil {
		return out, 0, fmt.Errorf("training: other labels: %w", err)
	}
	fresh, err := l.Checkpoint()
	if err != nil {
		return out, 0, fmt.Errorf("training: other labels: %w", err)
	}
	out = c.Last()
	known := make(map[string]models.Tensor, len(out.Tensors))
	for _, t := range out.Tensors {
		known[t.Name] = t
	}
	out.Tensors = slices.Clone(fresh.Tensors)
	other := map[string]bool{} // layers with a tensor of another shape
	for i, t := range out.Tensors {
		data, ok := takeOver(t, known[t.Name], c.Labels, labels)
		if !ok {
			other[path.Dir(t.Name)] = true
			continue
		}
		out.Tensors[i].Data = data
	}
	for i, t := range fresh.Tensors {
		if other[path.Dir(t.Name)] {
			out.Tensors[i].Data = t.Data
		} else {
			learnt++
		}
	}
	if learnt == 0 {
		return out, 0, fmt.Errorf("training: a %s of other labels has no tensor like those of the checkpoint", c.Arch)
	}
	out.Labels, out.Best, out.Metrics, out.Warnings = slices.Clone(labels), nil, nil, nil
	// Whether the learner takes it is its own decision.
	if err := l.Restore(out); err != nil {
		return out, 0, fmt.Errorf("training: other labels: %w", err)
	}
	return out, learnt, nil
}

// takeOver returns the values of a tensor of a new network with what an old one has learnt, and false where their shapes
// have nothing in common. An axis that differs must have a multiple of the labels' number, the same for both.
func takeOver(fresh, old models.Tensor, before, now []string) ([]float32, bool) {
	if slices.Equal(fresh.Shape, old.Shape) && len(fresh.Data) == len(old.Data) {
		return old.Data, true
	}
	if len(fresh.Shape) != len(old.Shape) {
		return nil, false
	}
	axis := -1
	for i := range fresh.Shape {
		if fresh.Shape[i] == old.Shape[i] {
			continue
		}
		if axis >= 0 {
			return nil, false
		}
		axis = i
	}
	rows := fresh.Shape[axis] / len(now) // of one label
	if rows == 0 || rows*len(now) != fresh.Shape[axis] || rows*len(before) != old.Shape[axis] {
		return nil, false
	}
	outer, inner := 1, rows
	for i, n := range fresh.Shape {
		switch {
		case i < axis:
			outer *= n
		case i > axis:
			inner *= n
		}
	}
	data := slices.Clone(fresh.Data)
	for to, label := range now {
		from, ok := slices.BinarySearch(before, label)
		if !ok {
			continue
		}
		for o := range outer {
			copy(data[(o*len(now)+to)*inner:][:inner], old.Data[(o*len(before)+from)*inner:][:inner])
		}
	}
	return data, true
}
