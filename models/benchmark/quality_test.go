package benchmark_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/audio/synth"
	"wavemill/audio/timbre"
	"wavemill/models"
	"wavemill/models/benchmark"
	"wavemill/models/comparison"
	"wavemill/models/eval"
	"wavemill/models/training"
)

// recordings returns synthetic recordings of two labels by n speakers each.
func recordings(speakers, each int) ([]dataset.Recording, error) {
	var out []dataset.Recording
	for l, label := range []string{"chirp", "kick"} {
		for i := range speakers * each {
			c, err := synth.Clip(label, uint64(100*l+i), 8000)
			if err != nil {
				return nil, err
			}
			c.Samples = c.Samples[:1600] // so short that analyses and trainings take little
			speaker := string(rune('a' + i%speakers))
			name := fmt.Sprintf("%s_%s_%d.wav", label, speaker, i)
			c.Label, c.Source = label, name
			item := dataset.Item{Path: name, Name: name, Label: label, Group: speaker}
			out = append(out, dataset.Recording{Item: item, Clip: c, Digest: fingerprint.Digest(c), Print: fingerprint.Of(c)})
		}
	}
	return out, nil
}

// A fakeTrainer makes checkpoints without weights and counts them.
type fakeTrainer struct {
	trained []string
	leak    bool // learns from everything
	err     error
}

func (f *fakeTrainer) Train(_ context.Context, job training.Job, of []dataset.Recording, rule dataset.Holdout, file string) (models.Checkpoint, training.Result, error) {
	f.trained = append(f.trained, fmt.Sprintf("%s %d %v", job.Arch, job.Seed, rule.Out))
	if f.err != nil {
		return models.Checkpoint{}, training.Result{}, f.err
	}
	ids := dataset.Identities(of)
	parts, err := training.Divide(ids, rule, nil)
	if err != nil {
		return models.Checkpoint{}, training.Result{}, err
	}
	learnt := parts.Learnable()
	if f.leak {
		learnt = append(learnt, parts.HeldOut...)
	}
	data := models.TrainingData{}
	for _, i := range learnt {
		data.Learnt = append(data.Learnt, training.Recorded(ids[i]))
	}
	c := models.Checkpoint{Format: models.Format, Arch: job.Arch, Labels: []string{"chirp", "kick"}, Seed: job.Seed, Step: 7, Data: &data}
	return c, training.Result{Seconds: 3, CPUSeconds: 4}, c.Write(file)
}

// A fakeEvaluator gives a vae 0.9 and a gan 0.5, and a little more with each seed.
type fakeEvaluator struct {
	data comparison.Data
	seed uint64
}

func (f fakeEvaluator) row(name, kind string, accuracy float64) eval.Row {
	accuracy += 0.001 * float64(f.seed)
	kick := timbre.Comparison{Label: "kick", ReferenceClips: 4, OtherClips: 5, Reference: timbre.Undefined(), Other: timbre.Undefined()}
	kick.Reference.Pitch, kick.Other.Pitch = 50, 50+2*float64(f.seed)
	r := eval.Row{
		Sounds: []eval.Sound{{Comparison: kick}},
		Name:   name, Kind: kind, LabelAccuracy: accuracy, Diversity: 1, NotMeasured: map[string]string{"diversity": "too few"},
		Intervals: eval.Intervals{"label_accuracy": {accuracy - 0.02, accuracy + 0.02}, "ndb": {0, 0.2}}, NDB: 0.1,
	}
	if f.data.Groups != nil {
		known, unknown := accuracy, accuracy-0.3
		r.Usefulness = &eval.Usefulness{Groups: &eval.Groups{Unknown: &eval.GroupFigures{Alone: &unknown}}}
		if slices.ContainsFunc(f.data.Groups, func(g eval.Group) bool { return !g.Unknown }) {
			r.Usefulness.Groups.Known = &eval.GroupFigures{Alone: &known}
		}
	}
	return r
}

func (f fakeEvaluator) Accuracy() eval.EvaluatorAccuracy { return eval.EvaluatorAccuracy{Accuracy: 1} }
func (f fakeEvaluator) Real() eval.Row                   { return f.row("real", "real", 0.95) }

func (f fakeEvaluator) Ceiling(context.Context, models.FrontEnd) (eval.Row, error) {
	return f.row("ceiling", "ceiling", 0.94), nil
}

func (f fakeEvaluator) Noise(context.Context) (eval.Row, error) {
	return f.row("noise", "noise", 0.1), nil
}

func (f fakeEvaluator) Model(_ context.Context, c *comparison.Candidate) error {
	c.Row = f.row(c.Name, "model", map[string]float64{"vae": 0.9, "gan": 0.5}[c.Name])
	c.Row.Training = &eval.Training{Steps: c.Checkpoint.Step, Seconds: c.Seconds}
	return nil
}

// A clipsEvaluator also gives models the held-out recordings for their clips.
type clipsEvaluator struct{ fakeEvaluator }

func (f clipsEvaluator) Model(ctx context.Context, c *comparison.Candidate) error {
	c.Clips = f.data.HeldOut
	return f.fakeEvaluator.Model(ctx, c)
}

// bench returns a benchmark with fakes, and what it evaluates.
func bench(t *testing.T) (q benchmark.Quality, trained *fakeTrainer, evaluated *[]comparison.Data) {
	t.Helper()
	trained, evaluated = new(fakeTrainer), new([]comparison.Data)
	return benchmark.Quality{
		Models: []string{"vae", "gan"}, Steps: 7, Seeds: 3, Keep: filepath.Join(t.TempDir(), "deep", "kept"), DataHash: "0123456789",
		Command: "the command", Trainer: trained,
		NewEvaluator: func(_ context.Context, d comparison.Data, o comparison.Options) (benchmark.Evaluator, error) {
			*evaluated = append(*evaluated, d)
			return fakeEvaluator{d, o.Seed}, nil
		},
	}, trained, evaluated
}

func TestQualityOverSeeds(t *testing.T) {
	of, err := recordings(2, 10)
	if err != nil {
		t.Fatal(err)
	}
	q, trained, evaluated := bench(t)
	r, err := q.Run(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	if len(trained.trained) != 6 || len(*evaluated) != 3 || len(r.Models) != 6 || len(r.Reference) != 9 || r.Train+r.HeldOut != len(of) {
		t.Fatalf("trained %v, %d evaluations, %+v", trained.trained, len(*evaluated), r)
	}
	vae := r.Means[3]
	if vae.Model != "vae" || vae.Runs != 3 || vae.LabelAccuracy.Runs != 3 || vae.Steps != 7 {
		t.Errorf("%+v", vae)
	}
	if vae.Diversity.Runs != 0 {
		t.Errorf("a figure that was not measured has a mean: %+v", vae.Diversity)
	}
	for _, d := range r.Differences {
		if d.A != "vae" || d.B != "gan" || d.NoDifference != (d.Figure != "label_accuracy") {
			t.Errorf("%+v", d)
		}
	}
	text := r.Markdown()
	for _, want := range []string{"| label accuracy |", " vae |", "the command", "| NDB | 0.10 [0.04, 0.16]", "none |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// Seeds 1 to 3: kicks of 52, 54 and 56 Hz beside recordings of 50 Hz.
	if want := "| kick | vae | 50 → 54 |"; !strings.Contains(text, want) || vae.Sounds[0].OtherClips != 15 {
		t.Errorf("no %q in\n%s", want, text)
	}
	if strings.Contains(text, "KAD") {
		t.Errorf("a line of a figure that rows lack:\n%s", text)
	}
	if strings.Contains(text, "groups") || strings.Contains(text, "few") {
		t.Errorf("lines without figures:\n%s", text)
	}

	// A second time, everything is there.
	again, err := q.Run(t.Context(), of)
	if err != nil || len(trained.trained) != 6 || len(*evaluated) != 3 {
		t.Errorf("error %v, trained %v", err, trained.trained)
	}
	if a, b := asJSON(t, r), asJSON(t, again); a != b {
		t.Errorf("another result:\n%s\n%s", a, b)
	}

	// What was made with other settings is not taken for the same.
	q.Clips = 9
	if _, err := q.Run(t.Context(), of); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("other settings: %v", err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLeaveOutHoldsGroupsOutWhole(t *testing.T) {
	of, err := recordings(3, 6)
	if err != nil {
		t.Fatal(err)
	}
	q, trained, evaluated := bench(t)
	q.LeaveOut, q.Seeds = "speaker", 2
	r, err := q.Run(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	if len(trained.trained) != 12 || len(r.Models) != 12 || trained.trained[2] != "vae 1 [speaker=b]" {
		t.Fatalf("trained %v", trained.trained)
	}
	for i, d := range *evaluated {
		left := string(rune('a' + i%3))
		if r.Models[2*i].LeftOut != left {
			t.Errorf("evaluation %d: left out %q", i, r.Models[2*i].LeftOut)
		}
		for _, c := range d.Learn {
			if strings.Contains(c.Source, "_"+left+"_") {
				t.Errorf("%s is learnt from although %s is left out", c.Source, left)
			}
		}
		unknown := 0
		for j, g := range d.Groups {
			if g.Name == left {
				unknown++
				if !g.Unknown {
					t.Errorf("%s is of a known group", d.HeldOut[j].Source)
				}
			}
		}
		if unknown != 12 || len(d.Sources) != len(d.HeldOut) {
			t.Errorf("evaluation %d: %d recordings of %s are held out, %d sources", i, unknown, left, len(d.Sources))
		}
	}
	if m := r.Means[3]; m.Unknown.Runs != 6 || m.Runs != 6 {
		t.Errorf("%+v", m)
	}
	if text := r.Markdown(); !strings.Contains(text, "unknown groups") || !strings.Contains(text, "each speaker left out in turn") {
		t.Errorf("\n%s", text)
	}
}

func TestQualityRefuses(t *testing.T) {
	of, err := recordings(2, 4)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*benchmark.Quality)
		want   string
	}{
		"no model":         {func(q *benchmark.Quality) { q.Models = nil }, "model is missing"},
		"unknown model":    {func(q *benchmark.Quality) { q.Models = []string{"nonsense"} }, `model "nonsense" is unknown`},
		"no seeds":         {func(q *benchmark.Quality) { q.Seeds = 0 }, "seeds 0"},
		"negative steps":   {func(q *benchmark.Quality) { q.Steps = -1 }, "steps -1"},
		"no length":        {func(q *benchmark.Quality) { q.Steps = 0 }, "budget 0s"},
		"negative clips":   {func(q *benchmark.Quality) { q.Clips = -1 }, "clips -1"},
		"few":              {func(q *benchmark.Quality) { q.Few = 1 }, "few 1"},
		"no folder":        {func(q *benchmark.Quality) { q.Keep = "" }, "keep is missing"},
		"two fields":       {func(q *benchmark.Quality) { q.Group, q.LeaveOut = "kit", "speaker" }, "want one field"},
		"share":            {func(q *benchmark.Quality) { q.Shares = []float64{0.5, 0} }, "shares 0"},
		"no groups":        {func(q *benchmark.Quality) { q.LeaveOut = "kit"; ungroup(of) }, "0 groups by kit"},
		"training fails":   {func(q *benchmark.Quality) { q.Trainer = &fakeTrainer{err: errors.New("no room")} }, "no room"},
		"training cheated": {func(q *benchmark.Quality) { q.Trainer = &fakeTrainer{leak: true} }, "seen every recording"},
	} {
		t.Run(name, func(t *testing.T) {
			q, _, _ := bench(t)
			c.change(&q)
			if _, err := q.Run(t.Context(), of); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func ungroup(of []dataset.Recording) {
	for i := range of {
		of[i].Group = ""
	}
}

// A checkpoint that was trained on other recordings than this run's is not evaluated.
func TestKeptCheckpointOfAnotherSplit(t *testing.T) {
	of, err := recordings(2, 10)
	if err != nil {
		t.Fatal(err)
	}
	q, _, _ := bench(t)
	q.Seeds = 2
	if _, err := q.Run(t.Context(), of); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(q.Keep, "vae-*-seed1.*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		other := strings.Replace(file, "seed1", "seed2", 1)
		if strings.HasSuffix(file, ".json") {
			err = os.Remove(other)
		} else {
			err = os.Rename(file, other)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Run(t.Context(), of); err == nil || !strings.Contains(err.Error(), "held out here") {
		t.Errorf("error %v", err)
	}
}

func TestReplaceSection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "doc.md")
	before := "head\n<!-- quality a -->\nold\n<!-- end a -->\n<!-- quality b -->\nkept\n<!-- end b -->\n"
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again gives the same
		if err := benchmark.ReplaceSection(file, "a", "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if want := strings.Replace(before, "old", "new", 1); err != nil || string(text) != want {
		t.Errorf("%q, want %q, error %v", text, want, err)
	}
	if err := benchmark.ReplaceSection(file, "c", "new"); err == nil {
		t.Error("a section that is not there: no error")
	}
}

// The usual trainer, and the way from a few recordings to a gain, with a tiny model.
func TestQualityTrains(t *testing.T) {
	if testing.Short() {
		t.Skip("trains models and three classifiers")
	}
	of, err := recordings(2, 8)
	if err != nil {
		t.Fatal(err)
	}
	q := benchmark.Quality{Models: []string{"vae"}, Steps: 3, Seeds: 1, Clips: 12, Few: 0.3, Quick: true, Epochs: 10, Keep: t.TempDir(), DataHash: "0123456789"}
	q.NewEvaluator = func(_ context.Context, d comparison.Data, o comparison.Options) (benchmark.Evaluator, error) {
		return clipsEvaluator{fakeEvaluator{d, o.Seed}}, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	r, err := q.Run(ctx, of)
	if err != nil {
		t.Fatal(err)
	}
	run := r.Models[0]
	if run.Row.Training.Steps != 3 || run.Few == nil || run.Few.Intervals["gain_points"] == (eval.Interval{}) || run.Few.Share != 0.3 || len(run.HeldOut) != r.HeldOut {
		t.Errorf("%+v", run)
	}
	sheets, _ := filepath.Glob(filepath.Join(q.Keep, "vae-*seed1.png"))
	if len(sheets) != 1 {
		t.Fatalf("contact sheets %v", sheets)
	}
	if b, err := os.ReadFile(sheets[0]); err != nil || http.DetectContentType(b) != "image/png" {
		t.Errorf("%s is no picture (error %v)", sheets[0], err)
	}
	if e := r.Means[3].Few; e.Runs != 1 || e.Low == nil {
		t.Errorf("no interval: %+v", e)
	}
	if text := r.Markdown(); !strings.Contains(text, "learnt from 30 % of the recordings") {
		t.Errorf("\n%s", text)
	}
}

// Two models are compared over two seeds. The trainer and the evaluator are stand-ins here: leave them out, and the
// models are trained.
func ExampleQuality() {
	of, err := recordings(2, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "quality")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	q := benchmark.Quality{
		Models: []string{"vae", "gan"}, Steps: 3000, Seeds: 2, Keep: dir, DataHash: "0123456789", Trainer: new(fakeTrainer),
		NewEvaluator: func(_ context.Context, d comparison.Data, o comparison.Options) (benchmark.Evaluator, error) {
			return fakeEvaluator{d, o.Seed}, nil
		},
	}
	r, err := q.Run(context.Background(), of)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range r.Means[3:] {
		fmt.Printf("%s: label accuracy %s\n", m.Model, m.LabelAccuracy.Text(2))
	}
	fmt.Println("no difference:", r.Differences[0].NoDifference)
	// Output:
	// vae: label accuracy 0.90 [0.89, 0.92]
	// gan: label accuracy 0.50 [0.49, 0.52]
	// no difference: false
}
