package vaegan

import (
	"encoding/json"
	"slices"
	"testing"

	"wavemill/models"
	"wavemill/models/modeltest"
	"wavemill/models/vae"
)

// TestOptionsOfTheAutoencoder runs the suite, whose resumed runs cross the border between the parts, with what else the
// autoencoder can be: a learned prior, several experts, no labels.
func TestOptionsOfTheAutoencoder(t *testing.T) {
	for name, options := range map[string]string{
		"flow":    `"prior":"flow","flow":{"width":16,"steps":4}`,
		"experts": `"encoders":2,"decoders":2,"dropout":0.1,"unconditional":true`,
	} {
		t.Run(name, func(t *testing.T) {
			config := json.RawMessage(`{"vae":{"channels":4,"latent":6,"embedding":4,"shift":0,` + options + `},"share":0.5,"discriminator_channels":4,"minibatch_stddev":4}`)
			a := modeltest.Architecture{
				New: func(seed uint64) (models.Learner, error) {
					l, err := NewLearner(config, frontEnd(), labels, seed)
					if err == nil {
						l.SetTotalSteps(4)
					}
					return l, err
				},
				Open: Open, Batch: modeltest.Clips(12, 32, 16, len(labels), 1), Labels: labels,
			}
			for name, check := range map[string]func(modeltest.Architecture) error{"resumes": modeltest.Resumes, "same seed": modeltest.SameSeed, "generates": modeltest.Generates} {
				if err := check(a); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// TestBlends shows that clips can be drawn and made between labels as by the autoencoder's generator.
func TestBlends(t *testing.T) {
	l := learner(t, small)
	c, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	g, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	v, ok := g.(*vae.Generator)
	if !ok {
		t.Fatalf("the generator is a %T", g)
	}
	r := models.Series([]int{0, 2}, 5, 0)
	want, err := g.Generate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	z, err := v.Draw(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Blend(t.Context(), z, r.Labels, []int{1, 1}, []float64{0, 0}, r)
	if err != nil || !slices.Equal(got.Data, want.Data) {
		t.Errorf("a weight of 0 does not give what Generate does (error %v)", err)
	}
}
