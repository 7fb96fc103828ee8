package comparison_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/models/sampling"
	"wavemill/models/training"
)

// sounds returns n synthetic clips of each of three classes.
func sounds(n int, seed uint64) []audio.Clip {
	var clips []audio.Clip
	for i := range n {
		for _, class := range synth.Classes()[:3] {
			c, err := synth.Clip(class, seed+uint64(i), 8000)
			if err != nil {
				panic(err) // a class that Classes names
			}
			c.Label, c.Source = class, fmt.Sprintf("%s-%d.wav", class, seed+uint64(i))
			c.Samples = c.Samples[:2000] // a quarter of a second: the evaluator's classifier has half the frames
			clips = append(clips, c)
		}
	}
	return clips
}

// A toy generates synthetic sounds: of the requested label or, where muddled, mostly of the next. Every silent-th clip is
// silence.
type toy struct {
	front   *frontend.FrontEnd
	labels  []string
	muddled bool
	silent  uint64
}

// Generate implements models.Generator.
func (g toy) Generate(ctx context.Context, r models.Request) (models.Batch, error) {
	clips := make([]audio.Clip, len(r.Labels))
	for i, l := range r.Labels {
		if g.muddled && r.Seeds[i]%4 != 0 {
			l = (l + 1) % len(g.labels)
		}
		var err error
		if clips[i], err = synth.Clip(g.labels[l], 5000+r.Seeds[i], 8000); err != nil {
			return models.Batch{}, err
		}
		clips[i].Samples = clips[i].Samples[:2000]
		if g.silent > 0 && r.Seeds[i]%g.silent == 0 {
			clear(clips[i].Samples)
		}
	}
	b, err := g.front.BatchOf(ctx, clips)
	b.Labels = slices.Clone(r.Labels)
	return b, err
}

// candidate is a toy as a candidate.
func candidate(t *testing.T, name string, g toy) *comparison.Candidate {
	t.Helper()
	fe := frontend.PlanFor(sounds(4, 0))
	front, err := frontend.New(fe)
	if err != nil {
		t.Fatal(err)
	}
	g.front, g.labels = front, slices.Sorted(slices.Values(synth.Classes()[:3]))
	c := models.Checkpoint{Format: 1, Arch: "toy", FrontEnd: fe, Labels: g.labels, Step: 3, Config: json.RawMessage(`{}`)}
	s, err := sampling.OpenWith(c, func(models.Checkpoint) (models.Generator, error) { return g, nil })
	if err != nil {
		t.Fatal(err)
	}
	return &comparison.Candidate{Name: name, File: name + ".safetensors", Checkpoint: c, Sampler: s, Seconds: 7}
}

// watched keeps what an evaluation says.
type watched struct{ stages, notes []string }

func (w *watched) Stage(name string, part float64) {
	if len(w.stages) == 0 || w.stages[len(w.stages)-1] != name {
		w.stages = append(w.stages, name)
	}
}

func (w *watched) Note(format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

// data are 20 recordings of each label to learn from and 8 held out, a quarter of them of an unknown group.
func data() comparison.Data {
	d := comparison.Data{Learn: sounds(20, 0), HeldOut: sounds(8, 500)}
	for i, c := range d.HeldOut {
		d.Sources = append(d.Sources, training.HeldOut{Source: c.Source, Label: c.Label, Digest: fmt.Sprintf("%064x", i)})
		d.Groups = append(d.Groups, eval.Group{Name: []string{"anna", "theo"}[i/18], Unknown: i >= 18})
	}
	return d
}

func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("trains an evaluator")
	}
	progress := &watched{}
	d := data()
	d.Untrusted = "a checkpoint without a record"
	o := comparison.Options{Seed: 3, Epochs: 50, Clips: 60, Candidates: 2, Progress: progress}
	if err := comparison.Announce(t.Context(), d, o); err != nil {
		t.Fatal(err)
	}
	e, err := comparison.Open(t.Context(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	good, bad := candidate(t, "good", toy{silent: 7}), candidate(t, "bad", toy{muddled: true})
	r, err := e.Run(t.Context(), []*comparison.Candidate{good, bad})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range r.Rows {
		names = append(names, row.Name)
	}
	if !slices.Equal(names, []string{"real", "ceiling", "noise", "good", "bad"}) {
		t.Fatalf("rows %q", names)
	}
	if len(r.HeldOut) != 24 || r.HeldOut[3].Source != d.HeldOut[3].Source || r.Trusted || len(r.Warnings) != 1 {
		t.Errorf("held out %v, trusted %v, warnings %q", r.HeldOut, r.Trusted, r.Warnings)
	}
	if ceiling, model := r.Rows[1].Sounds, r.Rows[3].Sounds; len(ceiling) != 3 || ceiling[0].RoundTrips == nil || len(model) != 3 || model[0].RoundTrips != nil || r.Rows[0].Sounds != nil {
		t.Errorf("sounds of the ceiling %+v, of a model %+v", ceiling, model)
	}
	row := r.Rows[3]
	if tr := row.Training; tr == nil || tr.Checkpoint != "good.safetensors" || tr.Seconds != 7 || tr.Steps != 3 || tr.PerClip <= 0 || len(tr.Digest) != 64 {
		t.Errorf("training: %+v", tr)
	}
	if row.Clips != 60 || row.Silent < 0.1 || row.Silent > 0.2 || r.Rows[0].Groups == nil || r.Rows[0].Groups.Unknown.Recordings != 6 {
		t.Errorf("row %+v", row)
	}
	accuracy, ok := eval.Compare(good.Row, bad.Row, "label_accuracy")
	if !ok || accuracy.None || !accuracy.Paired || accuracy.Value < 0.3 {
		t.Errorf("%+v", accuracy)
	}
	if v := comparison.Decide(r); v.Ship != "" || !strings.Contains(strings.Join(v.Reasons, "\n"), "bad is out") || v.Cautions[0] != d.Untrusted {
		// One clip in seven of the other is silent.
		t.Errorf("verdict %+v", v)
	}
	if notes := strings.Join(progress.notes, "\n"); !strings.Contains(notes, "evaluating 2 models takes about") || !strings.Contains(notes, "warning: a checkpoint") {
		t.Errorf("notes:\n%s", notes)
	}
	for _, want := range []string{"training the evaluator", "evaluating ceiling", "generating with good"} {
		if !slices.Contains(progress.stages, want) {
			t.Errorf("no stage %q among %q", want, progress.stages)
		}
	}
	shipped(t, good)
	stranger := candidate(t, "stranger", toy{})
	stranger.Checkpoint.Labels = []string{"x"}
	if err := e.Model(t.Context(), stranger); err == nil || !strings.Contains(err.Error(), "stranger: the model does not know the label") {
		t.Errorf("a model of other labels: error %v", err)
	}
	untrained := &comparison.Candidate{Name: "vae", Arch: "vae"}
	if err := comparison.CheckLabels(d, comparison.Options{}, []*comparison.Candidate{untrained, good}); err != nil {
		t.Error(err)
	}
	stranger.File = "stranger.safetensors"
	if err := comparison.CheckLabels(d, comparison.Options{}, []*comparison.Candidate{good, stranger}); err == nil || !strings.HasPrefix(err.Error(), "stranger.safetensors: the model does not know the label") || !strings.HasSuffix(err.Error(), "is this the right --data or --labels?") {
		t.Errorf("a model of other labels: error %v", err)
	}
}

// shipped checks that what was evaluated is what a WAV file of the same label and seed holds.
func shipped(t *testing.T, c *comparison.Candidate) {
	t.Helper()
	for i, clip := range c.Clips[:20] {
		made, err := c.Sampler.WithSilence().Generate(t.Context(), sampling.Provenance{Label: clip.Label, Seed: 3 + uint64(i)})
		if err != nil {
			t.Fatal(err)
		}
		file, err := made.WAV(wav.PCM16)
		if err != nil {
			t.Fatal(err)
		}
		want, _, err := wav.Decode(file)
		if err != nil || !slices.Equal(clip.Samples, want.Samples) || clip.Rate != want.Rate {
			t.Fatalf("clip %d is not what the file of seed %d holds (error %v)", i, 3+i, err)
		}
	}
}

func TestQuickIsMarked(t *testing.T) {
	if testing.Short() {
		t.Skip("trains an evaluator and classifiers")
	}
	progress := &watched{}
	o := comparison.Options{Useful: true, Quick: true, Epochs: 10, Steps: 20, Clips: 30, Candidates: 1, Progress: progress}
	if err := comparison.Announce(t.Context(), data(), o); err != nil {
		t.Fatal(err)
	}
	e, err := comparison.Open(t.Context(), data(), o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Run(t.Context(), []*comparison.Candidate{candidate(t, "good", toy{})})
	if err != nil {
		t.Fatal(err)
	}
	u := r.Rows[3].Usefulness
	if !r.Quick || u == nil || !u.Quick || len(u.Added) != 0 || u.Groups == nil || len(u.Intervals) != 3 {
		t.Errorf("quick %v, usefulness %+v", r.Quick, u)
	}
	if notes := strings.Join(progress.notes, "\n"); !strings.Contains(notes, "and 2 classifiers") {
		t.Errorf("notes:\n%s", notes)
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(text), `"quick":true`) || !strings.Contains(string(text), `"held_out_trusted":true`) {
		t.Errorf("%.300s, error %v", text, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		data comparison.Data
		want string
	}{
		"nothing held out":  {comparison.Data{Learn: sounds(4, 0)}, "no recording is held out"},
		"one of each label": {comparison.Data{Learn: sounds(1, 0), HeldOut: sounds(1, 500)}, "3 recordings to learn from, 3 held out: eval: each of the 3 labels has a single clip"},
		"a label missing":   {comparison.Data{Learn: sounds(4, 0), HeldOut: sounds(1, 500)[:2]}, "is left to evaluate with"},
		"sources missing":   {comparison.Data{Learn: sounds(4, 0), HeldOut: sounds(1, 500), Sources: []training.HeldOut{{}}}, "1 sources of 3"},
	} {
		if _, err := comparison.Open(t.Context(), c.data, comparison.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", name, err)
		}
		if err := comparison.Announce(t.Context(), c.data, comparison.Options{}); (err == nil) != (name == "one of each label") {
			t.Errorf("%s, announced: error %v", name, err)
		}
	}
}
