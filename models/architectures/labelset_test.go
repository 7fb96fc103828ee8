package architectures_test

import (
	"slices"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/modeltest"
)

// TestLabelSets: where labels are sets, every architecture has one vector for each single label, generates all sets, and is
// opened and resumed; without sets it has one for each label, as before.
func TestLabelSets(t *testing.T) {
	labels := []string{"bass", "bass+pluck", "bass+pluck+soft", "pluck"}
	data := modeltest.Clips(16, 32, 16, len(labels), 1)
	for _, name := range architectures.Names() {
		t.Run(name, func(t *testing.T) {
			config, err := architectures.Known().WithLabelSets(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			if known := architectures.Known(); !known.LabelSets(name, config) || known.LabelSets(name, nil) || known.LabelSets("wavenet", config) {
				t.Errorf("%s: sets are not told", config)
			}
			for rows, text := range map[int][]byte{3: config, 4: nil} {
				l, err := architectures.NewLearner(name, text, frontEnd(), labels, 5)
				if err != nil {
					t.Fatal(err)
				}
				c, err := (&models.Trainer{Steps: 2, BatchSize: 8, Seed: 5}).Run(t.Context(), l, data, models.Batch{})
				if err != nil {
					t.Fatal(err)
				}
				at := slices.IndexFunc(c.Tensors, func(x models.Tensor) bool {
					return strings.HasSuffix(x.Name, "label/w") && !strings.HasPrefix(x.Name, models.OptimizerPrefix)
				})
				if at < 0 || c.Tensors[at].Shape[0] != rows {
					t.Errorf("%d rows are wanted in %v", rows, c.Tensors[max(at, 0)].Shape)
				}
				if _, err := architectures.Resume(c); err != nil {
					t.Errorf("resume: %v", err)
				}
				g, err := architectures.Open(c)
				if err != nil {
					t.Fatal(err)
				}
				b, err := g.Generate(t.Context(), models.Series([]int{0, 1, 2, 3}, 1, 0))
				if err != nil || b.Validate(len(labels)) != nil {
					t.Errorf("%v, %v", err, b.Validate(len(labels)))
				}
			}
		})
	}
}
