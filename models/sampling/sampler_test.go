package sampling_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/sampling"
)

// ridges generates a horizontal ridge whose height is the label's and whose texture is the seed's. Seeds for which
// quiet is true give silence.
type ridges struct {
	shape models.FrontEnd
	quiet func(seed uint64) bool
}

func (g ridges) Generate(_ context.Context, r models.Request) (models.Batch, error) {
	b := models.Batch{B: len(r.Labels), T: g.shape.Frames, F: g.shape.Spectrogram.Bins(), Labels: r.Labels}
	for i, label := range r.Labels {
		rng := rand.New(rand.NewPCG(r.Seeds[i], uint64(r.Temperature*1000)))
		for range b.T {
			for f := range b.F {
				v := float32(-1)
				if d := f - 10*(label+1); d > -3 && d < 3 && (g.quiet == nil || !g.quiet(r.Seeds[i])) {
					v = 0.5 + 0.3*rng.Float32()
				}
				b.Data = append(b.Data, v)
			}
		}
	}
	return b, nil
}

// ridged returns a sampler of ridges.
func ridged(t testing.TB, quiet func(seed uint64) bool) *sampling.Sampler {
	t.Helper()
	c := models.Checkpoint{
		Format: models.Format, Arch: "ridges", FrontEnd: frontend.Plan([]int{8000}, []time.Duration{200 * time.Millisecond}),
		Labels: []string{"high", "very low"}, Step: 1,
	}
	s, err := sampling.OpenWith(c, func(c models.Checkpoint) (models.Generator, error) { return ridges{c.FrontEnd, quiet}, nil })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestClipsAreAFunctionOfLabelAndSeed(t *testing.T) {
	a, b := ridged(t, nil), ridged(t, nil)
	want := map[string][]byte{}
	key := func(label string, seed uint64, temperature float64) string {
		return fmt.Sprint(label, seed, temperature)
	}
	for _, label := range a.Labels {
		for seed := range uint64(3) {
			for _, temperature := range []float64{0, 0.5} {
				clip, err := a.Generate(t.Context(), sampling.Provenance{Label: label, Seed: seed, Temperature: temperature})
				if err != nil {
					t.Fatal(err)
				}
				data, err := clip.WAV(wav.PCM16)
				if err != nil {
					t.Fatal(err)
				}
				for other, same := range want {
					if bytes.Equal(same, data) {
						t.Errorf("%v and %v are the same clip", other, key(label, seed, temperature))
					}
				}
				want[key(label, seed, temperature)] = data
			}
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, label := range b.Labels {
				for seed := range uint64(3) {
					clip, err := b.Generate(t.Context(), sampling.Provenance{Label: label, Seed: seed, Temperature: 0.5})
					if err != nil {
						t.Error(err)
						continue
					}
					if data, err := clip.WAV(wav.PCM16); err != nil || !bytes.Equal(data, want[key(label, seed, 0.5)]) {
						t.Errorf("%s %d is another clip the second time: %v", label, seed, err)
					}
				}
			}
		})
	}
	wg.Wait()
	_, h, err := wav.Decode(want[key("very low", 2, 0.5)])
	if err != nil {
		t.Fatal(err)
	}
	var p sampling.Provenance
	if err := json.Unmarshal([]byte(h.Tags["ICMT"]), &p); err != nil || p != (sampling.Provenance{Label: "very low", Model: a.Digest, Seed: 2, Temperature: 0.5}) || h.Tags["INAM"] != "very low" {
		t.Errorf("tags %v: %v", h.Tags, err)
	}
	if _, err := a.Generate(t.Context(), sampling.Provenance{Label: "middle", Seed: 1}); err == nil || !strings.Contains(err.Error(), "high, very low") {
		t.Errorf("%v does not list the labels", err)
	}
}
