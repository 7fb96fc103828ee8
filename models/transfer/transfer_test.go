package transfer_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/transfer"
)

func tensor(name string, shape []int, data ...float32) models.Tensor {
	return models.Tensor{Name: name, Shape: shape, Data: data}
}

// network is a checkpoint of three tensors: one of the whole network, one with two rows for each label, and one with a column
// for each.
func network(v float32, labels ...string) models.Checkpoint {
	c := models.Checkpoint{Arch: "vae", Labels: labels}
	n := len(labels)
	var rows, columns []float32
	for i := range 2 * n {
		rows = append(rows, v+float32(i), v+float32(i)/10)
	}
	for k := range 2 * n {
		columns = append(columns, v-float32(k))
	}
	for _, prefix := range []string{"model/", "optimizer/part/weights/"} {
		c.Tensors = append(c.Tensors, tensor(prefix+"all", []int{2}, v, v+1), tensor(prefix+"rows", []int{2 * n, 2}, rows...), tensor(prefix+"columns", []int{2, n}, columns...))
	}
	c.Tensors = append(c.Tensors, tensor("prior/mean", []int{1}, v), tensor("optimizer/adam/m/all", []int{2}, v, v))
	return c
}

func TestStart(t *testing.T) {
	base := network(100, "b", "c", "d")
	base.Tensors = slices.DeleteFunc(base.Tensors, func(t models.Tensor) bool { return strings.HasPrefix(t.Name, "optimizer/") }) // as published
	fresh := network(0, "a", "b", "d")
	untouched := network(0, "a", "b", "d")
	c, r, err := transfer.Start(base, fresh, network(0, "a", "b", "d", "more"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]float32{
		"all":     {100, 101},
		"rows":    {102, 100.2, 103, 100.3, 100, 100, 101, 100.1, 104, 100.4, 105, 100.5}, // mean, b, d
		"columns": {99, 100, 98, 96, 97, 95},
	}
	for name, values := range want {
		for _, prefix := range []string{"model/", "optimizer/part/weights/"} {
			got, err := c.Tensor(prefix + name)
			if err != nil {
				t.Fatal(err)
			}
			for i := range values {
				if d := got.Data[i] - values[i]; d > 1e-3 || d < -1e-3 {
					t.Errorf("%s: %v, want %v", got.Name, got.Data, values)
					break
				}
			}
		}
	}
	for _, name := range []string{"prior/mean", "optimizer/adam/m/all"} { // not weights
		if got, err := c.Tensor(name); err != nil || got.Data[0] != 0 {
			t.Errorf("%s: %v %v", name, got.Data, err)
		}
	}
	if !reflect.DeepEqual(fresh, untouched) {
		t.Error("the untrained checkpoint was changed")
	}
	if r.Tensors != 6 || len(r.Fresh) != 0 || !reflect.DeepEqual([][]string{r.Known, r.New, r.Forgotten}, [][]string{{"b", "d"}, {"a"}, {"c"}}) {
		t.Errorf("%+v", r)
	}
	if text := strings.Join(r.Lines(), "\n"); !strings.Contains(text, "new labels: a") || !strings.Contains(text, "left out: c") {
		t.Error(text)
	}
}

func TestMisfits(t *testing.T) {
	fresh, more := network(0, "a", "b"), network(0, "a", "b", "more")
	other := network(1, "a", "b")
	other.Arch = "gan"
	wide := network(1, "a", "b")
	wide.Tensors[0] = tensor("model/all", []int{3}, 1, 2, 3)
	strange := models.Checkpoint{Arch: "vae", Labels: []string{"a"}, Tensors: []models.Tensor{tensor("model/x", []int{1}, 1)}}
	for want, base := range map[string]models.Checkpoint{
		"a gan, the model a vae": other, "model/all is [3] in the base and [2] in the model": wide, "no tensor has a name": strange,
	} {
		if _, _, err := transfer.Start(base, fresh, more); !errors.Is(err, transfer.ErrMisfit) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	lacking := network(1, "a", "b")
	lacking.Tensors = lacking.Tensors[1:3]
	if _, r, err := transfer.Start(lacking, fresh, more); err != nil || len(r.Fresh) != 2 || !strings.Contains(strings.Join(r.Lines(), ""), "2 tensors begin untrained") {
		t.Errorf("%v: %+v", err, r)
	}
}
