package sampling_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/sampling"
)

// sounds are the labels of the small models, made by audio/synth.
var sounds = []string{"chirp", "hihat", "kick"}

// smallConfigs are settings with which an architecture trains in a second.
var smallConfigs = map[string]string{
	"vae":    `{"channels": 8, "latent": 8, "embedding": 4}`,
	"vaegan": `{"vae": {"channels": 8, "latent": 8, "embedding": 4}, "discriminator_channels": 4}`,
	"gan":    `{"channels": 4, "latent": 8, "embedding": 4}`,
	"flow":   `{"channels": 4, "latent_channels": 2, "flow_channels": 8, "embedding": 4, "steps": 4, "discriminator_channels": 4}`,
}

// recordings are n clips of each of the sounds.
func recordings(t testing.TB, n uint64, rate int) []audio.Clip {
	t.Helper()
	var clips []audio.Clip
	for _, label := range sounds {
		for seed := range n {
			c, err := synth.Clip(label, seed, rate)
			if err != nil {
				t.Fatal(err)
			}
			c.Label = label
			clips = append(clips, c)
		}
	}
	return clips
}

// learned returns a sampler of a small model after so many steps.
func learned(t testing.TB, arch string, steps int64) *sampling.Sampler {
	t.Helper()
	m, err := sampling.Open(learnedCheckpoint(t, arch, steps))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// learnedCheckpoint is the model's checkpoint.
func learnedCheckpoint(t testing.TB, arch string, steps int64) models.Checkpoint {
	t.Helper()
	fe := frontend.Plan([]int{8000}, []time.Duration{400 * time.Millisecond})
	front, err := frontend.New(fe)
	if err != nil {
		t.Fatal(err)
	}
	data := models.Batch{T: fe.Frames, F: fe.Spectrogram.Bins()}
	for _, c := range recordings(t, 16, 8000) {
		s, _, err := front.Analyze(c)
		if err != nil {
			t.Fatal(err)
		}
		data.B++
		data.Data = append(data.Data, s.Data...)
		data.Labels = append(data.Labels, slices.Index(sounds, c.Label))
	}
	l, err := architectures.NewLearner(arch, json.RawMessage(smallConfigs[arch]), fe, sounds, 1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := (&models.Trainer{Steps: steps, BatchSize: 16, Seed: 1}).Run(t.Context(), l, data, models.Batch{})
	if err != nil {
		t.Fatal(err)
	}
	// Once through a file: what was learned and what is opened are the same.
	file, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if c, err = models.Decode(file); err != nil {
		t.Fatal(err)
	}
	return c
}

// generated returns the clip and the WAV file of p.
func generated(t *testing.T, m *sampling.Sampler, p sampling.Provenance) (sampling.Clip, []byte) {
	t.Helper()
	c, err := m.Generate(t.Context(), p)
	if err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	data, err := c.WAV(wav.PCM16)
	if err != nil {
		t.Fatal(err)
	}
	return c, data
}

// spectrogram returns the output of the network for p.
func spectrogram(t *testing.T, m *sampling.Sampler, p sampling.Provenance) []float32 {
	t.Helper()
	b, err := m.Sample(t.Context(), p)
	if err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	return b.Data
}

// apart is the root mean square difference of two spectrograms.
func apart(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v-b[i]) * float64(v-b[i])
	}
	return math.Sqrt(sum / float64(len(a)))
}

// provenanceOf returns the provenance and the title in a WAV file.
func provenanceOf(t *testing.T, file []byte) (sampling.Provenance, string) {
	t.Helper()
	_, h, err := wav.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	var p sampling.Provenance
	d := json.NewDecoder(strings.NewReader(h.Tags["ICMT"]))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatalf("%v in %s", err, h.Tags["ICMT"])
	}
	return p, h.Tags["INAM"]
}

// TestProvenanceRegenerates generates a clip of every kind, and again from its file with another sampler.
func TestProvenanceRegenerates(t *testing.T) {
	for _, arch := range architectures.Names() {
		t.Run(arch, func(t *testing.T) {
			m, other := learned(t, arch, 30), learned(t, arch, 30)
			kinds := map[string]sampling.Provenance{
				"plain": {Label: "chirp", Seed: 7},
				"warm":  {Label: "chirp", Seed: 7, Temperature: 1.3},
				"mix":   {Label: "chirp", Seed: 7, Mix: &sampling.Mix{Label: "kick", Weight: 0.3}},
				"cool":  {Label: "chirp", Seed: 7, Temperature: 0.7, Mix: &sampling.Mix{Label: "kick", Weight: 1. / 3}},
			}
			if arch != "gan" {
				a, b := encoded(t, m, 3, "kick"), encoded(t, m, 4, "chirp")
				kinds["reconstruction"] = sampling.Provenance{Label: "kick", Seed: 7, Like: a}
				kinds["variation"] = sampling.Provenance{Label: "kick", Seed: 7, Like: a, Strength: 0.4, Temperature: 0.8}
				kinds["between clips"] = sampling.Provenance{Label: "kick", Seed: 7, Like: a, Mix: &sampling.Mix{Label: "chirp", Weight: 0.25, Like: b}}
				kinds["from a clip"] = sampling.Provenance{Label: "kick", Seed: 7, Like: a, Mix: &sampling.Mix{Label: "hihat", Weight: 0.5}}
			}
			made := map[string]string{}
			for kind, p := range kinds {
				c, file := generated(t, m, p)
				if same, twice := made[string(file)]; twice {
					t.Errorf("%s and %s are the same clip", kind, same)
				}
				made[string(file)] = kind
				from, name := provenanceOf(t, file)
				if from.Model != m.Digest || name != p.Name() || c.Audio.Label != name || from.Seed != p.Seed {
					t.Errorf("%s: the file has the title %q and the provenance %+v", kind, name, from)
				}
				if _, again := generated(t, other, from); !bytes.Equal(file, again) {
					t.Errorf("%s: other bytes the second time", kind)
				}
			}
		})
	}
}

// encoded returns a synthetic clip after the model's encoder.
func encoded(t *testing.T, m *sampling.Sampler, seed uint64, label string) *sampling.Source {
	t.Helper()
	c, err := synth.Clip(label, seed, 44100)
	if err != nil {
		t.Fatal(err)
	}
	stereo := audio.Clip{Channels: 2, Rate: c.Rate, Samples: make([]float32, 0, 2*len(c.Samples))}
	for _, v := range c.Samples {
		stereo.Samples = append(stereo.Samples, v, v)
	}
	s, notes, err := m.Encode(t.Context(), stereo, label)
	if err != nil {
		t.Fatal(err)
	}
	if notes.Channels != 2 || notes.Rate != 44100 {
		t.Errorf("notes: %v", notes)
	}
	s.File, s.SHA256 = label+".wav", strings.Repeat("0", 64)
	return s
}

// TestInterpolationEndpoints compares the endpoints of interpolations with the plain clips of their labels, to the byte.
func TestInterpolationEndpoints(t *testing.T) {
	for _, arch := range architectures.Names() {
		m := learned(t, arch, 30)
		_, chirp := generated(t, m, sampling.Provenance{Label: "chirp", Seed: 5})
		_, kick := generated(t, m, sampling.Provenance{Label: "kick", Seed: 5})
		morph := func(w float64) sampling.Provenance {
			return sampling.Provenance{Label: "chirp", Seed: 5, Mix: &sampling.Mix{Label: "kick", Weight: w}}
		}
		if _, got := generated(t, m, morph(0)); !bytes.Equal(got, chirp) {
			t.Errorf("%s: a mix of weight 0 is not the clip of the first label", arch)
		}
		if _, got := generated(t, m, morph(1)); !bytes.Equal(got, kick) {
			t.Errorf("%s: a mix of weight 1 is not the clip of the second label", arch)
		}
		// The interpolation is continuous: a weight of 0.001 hardly differs from the endpoint, at either end.
		a, b := spectrogram(t, m, morph(0)), spectrogram(t, m, morph(1))
		length := apart(a, b)
		for _, d := range []float64{apart(a, spectrogram(t, m, morph(1e-3))), apart(b, spectrogram(t, m, morph(1-1e-3)))} {
			if d == 0 || d > length/20 {
				t.Errorf("%s: a weight of 0.001 changes the spectrogram by %g, a weight of 1 by %g", arch, d, length)
			}
		}
		if half := spectrogram(t, m, morph(0.5)); apart(a, half) < length/10 || apart(b, half) < length/10 {
			t.Errorf("%s: the middle differs by %g from one endpoint and by %g from the other, and these by %g", arch, apart(a, half), apart(b, half), length)
		}
	}
}

// TestVariations checks variations from the reconstruction (strength 0) to a new clip of the label (strength 1).
func TestVariations(t *testing.T) {
	m := learned(t, "vae", 400)
	like := encoded(t, m, 3, "chirp")
	variation := func(seed uint64, strength float64) sampling.Provenance {
		return sampling.Provenance{Label: "chirp", Seed: seed, Like: like, Strength: strength}
	}
	_, fresh := generated(t, m, sampling.Provenance{Label: "chirp", Seed: 1})
	if _, got := generated(t, m, variation(1, 1)); !bytes.Equal(got, fresh) {
		t.Error("a variation of strength 1 is not the new clip of the label")
	}
	reconstruction := spectrogram(t, m, variation(1, 0))
	last := 0.0
	for _, strength := range []float64{0.02, 0.2, 0.5, 0.8} {
		mean := 0.0
		for seed := range uint64(20) {
			mean += apart(reconstruction, spectrogram(t, m, variation(seed, strength))) / 20
		}
		if mean <= last {
			t.Errorf("strength %g differs from the clip by %.4f, less strength by %.4f", strength, mean, last)
		}
		last = mean
	}
	// Reconstructions are nearer to their clips than new clips of the label are.
	front := learnedFrontEnd(t)
	var rebuilt, made float64
	for seed := range uint64(12) {
		source, err := synth.Clip("chirp", seed, 8000)
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := front.Analyze(source)
		if err != nil {
			t.Fatal(err)
		}
		rebuilt += apart(s.Data, spectrogram(t, m, sampling.Provenance{Label: "chirp", Seed: 1, Like: encoded(t, m, seed, "chirp")}))
		made += apart(s.Data, spectrogram(t, m, sampling.Provenance{Label: "chirp", Seed: seed}))
	}
	if rebuilt > 0.9*made {
		t.Errorf("reconstructions are %.4f from their clips, new clips %.4f", rebuilt/12, made/12)
	}
}

func learnedFrontEnd(t *testing.T) *frontend.FrontEnd {
	t.Helper()
	f, err := frontend.New(frontend.Plan([]int{8000}, []time.Duration{400 * time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestGenerateRefuses(t *testing.T) {
	m, gan := learned(t, "vae", 2), learned(t, "gan", 2)
	like := encoded(t, m, 3, "kick")
	short := &sampling.Source{File: "short.wav", Latent: like.Latent[:3]}
	mix := &sampling.Mix{Label: "kick", Weight: 0.5}
	for want, c := range map[string]struct {
		m *sampling.Sampler
		p sampling.Provenance
	}{
		"the model knows: chirp":   {m, sampling.Provenance{Label: "horn"}},
		"\"horn\" is unknown":      {m, sampling.Provenance{Label: "kick", Mix: &sampling.Mix{Label: "horn", Weight: 0.5}}},
		"label is missing":         {m, sampling.Provenance{Label: "kick", Mix: &sampling.Mix{Weight: 0.5}}},
		"temperature 11":           {m, sampling.Provenance{Label: "kick", Temperature: 11}},
		"temperature NaN":          {m, sampling.Provenance{Label: "kick", Temperature: math.NaN()}},
		"weight of the mix is 2":   {m, sampling.Provenance{Label: "kick", Mix: &sampling.Mix{Label: "chirp", Weight: 2}}},
		"weight of the mix is NaN": {m, sampling.Provenance{Label: "kick", Mix: &sampling.Mix{Label: "chirp", Weight: math.NaN()}}},
		"strength is 1.5":          {m, sampling.Provenance{Label: "kick", Like: like, Strength: 1.5}},
		"there is none":            {m, sampling.Provenance{Label: "kick", Strength: 0.5}},
		"is its weight":            {m, sampling.Provenance{Label: "kick", Like: like, Strength: 0.5, Mix: mix}},
		"short.wav: it has 3":      {m, sampling.Provenance{Label: "kick", Like: short}},
		"vae, vaegan and flow can": {gan, sampling.Provenance{Label: "kick", Like: like}},
		"is of model 0123":         {m, sampling.Provenance{Label: "kick", Model: "0123"}},
	} {
		if _, err := c.m.Generate(t.Context(), c.p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", c.p, err, want)
		}
	}
	kick, err := synth.Clip("kick", 1, 8000)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := gan.Encode(t.Context(), kick, "kick"); !errors.Is(err, sampling.ErrNoEncoder) || !strings.Contains(err.Error(), "gan") {
		t.Errorf("a clip for a GAN: %v", err)
	}
	if _, _, err := m.Encode(t.Context(), audio.Clip{Samples: make([]float32, 800), Channels: 1, Rate: 8000}, "kick"); !errors.Is(err, frontend.ErrSilent) {
		t.Errorf("silence: %v", err)
	}
	if _, _, err := m.Encode(t.Context(), kick, "horn"); err == nil || !strings.Contains(err.Error(), "chirp, hihat, kick") {
		t.Errorf("an unknown label: %v", err)
	}
	plain := ridged(t, nil)
	if _, err := plain.Generate(t.Context(), sampling.Provenance{Label: "high", Mix: &sampling.Mix{Label: "very low", Weight: 0.5}}); err == nil || !strings.Contains(err.Error(), "ridges has no latents") {
		t.Errorf("a generator that cannot blend: %v", err)
	}
}

func TestLatentText(t *testing.T) {
	want := sampling.Latent{0, -1.5, math.MaxFloat32, math.SmallestNonzeroFloat32, 1. / 3}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got sampling.Latent
	if err := json.Unmarshal(text, &got); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v became %s and %v: %v", want, text, got, err)
	}
	for text, want := range map[string]string{`"AAA"`: "base64", `"AAAA"`: "3 bytes", `"AADAfw=="`: "NaN", `"AACAfw=="`: "+Inf", `7`: "cannot unmarshal"} {
		if err := json.Unmarshal([]byte(text), &got); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}
