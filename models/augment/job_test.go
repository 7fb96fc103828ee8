package augment_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/augment"
	"wavemill/models/eval"
	"wavemill/models/frontend"
	"wavemill/models/sampling"
	"wavemill/models/training"
)

// bands generates noise in a band of the label's, for labels that a classifier tells apart easily. Seeds that are a
// multiple of 5 give silence.
type bands struct{ shape models.FrontEnd }

func (g bands) Generate(_ context.Context, r models.Request) (models.Batch, error) {
	b := models.Batch{B: len(r.Labels), T: g.shape.Frames, F: g.shape.Spectrogram.Bins(), Labels: r.Labels}
	for i, label := range r.Labels {
		rng := rand.New(rand.NewPCG(r.Seeds[i], 1))
		for range b.T {
			for f := range b.F {
				v := float32(-1)
				if d := f - 20*(label+1); d > -8 && d < 8 && r.Seeds[i]%5 != 0 {
					v = 0.2 + 0.8*rng.Float32()
				}
				b.Data = append(b.Data, v)
			}
		}
	}
	return b, nil
}

// bandSampler returns a sampler of bands for the labels low and middle.
func bandSampler(t *testing.T) *sampling.Sampler {
	t.Helper()
	c := models.Checkpoint{
		Format: models.Format, Arch: "bands", FrontEnd: frontend.Plan([]int{8000}, []time.Duration{200 * time.Millisecond}),
		Labels: []string{"low", "middle"},
	}
	s, err := sampling.OpenWith(c, func(c models.Checkpoint) (models.Generator, error) { return bands{c.FrontEnd}, nil })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bandRecordings returns n recordings of each label, clips of the sampler's with seeds of their own.
func bandRecordings(t *testing.T, s *sampling.Sampler, n int) []dataset.Recording {
	t.Helper()
	var out []dataset.Recording
	for _, p := range sampling.BySeed(sampling.Labels(s.Labels, 0), 1_000_001, 2*n) {
		if p.Seed%5 == 0 || len(out) == 2*n {
			continue
		}
		c, err := s.Generate(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		sound, err := c.Decoded()
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s/%d.wav", p.Label, p.Seed)
		out = append(out, dataset.Recording{Item: dataset.Item{Path: name, Name: name, Label: p.Label}, Digest: name, Clip: sound})
	}
	return out
}

// counter counts the tasks of a job.
type counter struct{ started, done int }

func (c *counter) Start(string, int64, string) augment.Task { c.started++; return c }
func (c *counter) Total(int64)                              {}
func (c *counter) Set(int64)                                {}
func (c *counter) Done()                                    { c.done++ }

func TestJob(t *testing.T) {
	s := bandSampler(t)
	all := bandRecordings(t, s, 10)
	var unseen []string
	for i, r := range all {
		if i%5 < 2 { // Two of each label, at least.
			unseen = append(unseen, r.Digest)
		}
	}
	split := augment.HoldOut(trainedOn(all, unseen...), all, dataset.Holdout{})
	files, tasks := map[string][]byte{}, &counter{}
	effort := augment.Effort{Steps: 20, Augmentation: []string{"medium"}}
	job := augment.Job{To: 14, Seed: 4, Epochs: 20, Proof: true, Effort: effort, Out: "more", Progress: tasks.Start, Store: func(name string, data []byte) error {
		files[name] = bytes.Clone(data)
		return nil
	}}
	r, err := job.Run(t.Context(), s, all, split)
	if err != nil {
		t.Fatal(err)
	}
	if r.Generated != 8 || len(r.Labels) != 2 || r.Manifest != "more/manifest.csv" || len(r.HeldOut) != len(split.Test) || !r.HeldOutTrusted ||
		!slices.ContainsFunc(split.Test, func(of dataset.Recording) bool { return of.Digest == r.HeldOut[0].Digest }) || r.Model != s.Digest {
		t.Errorf("%+v", r)
	}
	for _, l := range r.Labels {
		if l.Recordings != 10 || l.Generated != 4 || l.Missing != 0 || l.Tried != 5 || l.Refused["silent"] != 1 || l.Acceptance != 0.8 {
			t.Errorf("%+v", l)
		}
	}
	if r.Proof == nil || r.Proof.RealClips != len(split.Train) || r.Proof.Added != 8 || len(r.Proof.Arms) != 3 || r.Proof.TestClips != len(split.Test) || r.Proof.Policy != "medium" || r.Proof.Verdict == "" || tasks.started != 4 || tasks.done < 4 {
		t.Errorf("proof %+v, tasks %+v", r.Proof, tasks)
	}
	var written augment.Report
	if err := json.Unmarshal(files[augment.ReportName], &written); err != nil || fmt.Sprint(*written.Proof) != fmt.Sprint(*r.Proof) || len(written.HeldOut) != len(r.HeldOut) {
		t.Errorf("%s: %v", files[augment.ReportName], err)
	}
	rows, err := csv.NewReader(bytes.NewReader(files[augment.ManifestName])).ReadAll()
	if err != nil || len(rows) != 1+20+8 {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	for _, row := range rows[21:] {
		if _, h, err := wav.Decode(files[row[0]]); err != nil || row[2] != "generated" || h.Tags["INAM"] != row[1] {
			t.Errorf("%q: %v", row, err)
		}
	}
}

// TestEffort checks the seeds and the steps of a proof, and that there is none where no clip is missing.
func TestEffort(t *testing.T) {
	s := bandSampler(t)
	all := bandRecordings(t, s, 10)
	split := augment.Split{Train: all[4:], Test: all[:4]}
	job := augment.Job{To: 12, Seed: 4, Epochs: 3, Proof: true, Store: func(string, []byte) error { return nil }}
	job.Effort = augment.Effort{Steps: 6, Seeds: 2, Augmentation: []string{"none", "light"}}
	r, err := job.Run(t.Context(), s, all, split)
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Proof; p == nil || p.Steps != 6 || p.Seeds != 2 || p.Tuning == nil || len(p.Tuning.Policies) != 2 {
		t.Errorf("%+v", p)
	}
	job.Effort = augment.Effort{}
	job.To = 10
	r, err = job.Run(t.Context(), s, all, split)
	if err != nil || r.Proof != nil || r.Generated != 0 {
		t.Errorf("nothing is missing: %+v, %v", r, err)
	}
}

// TestJobGivesUp checks labels that the model cannot fill: one that it does not know, and clips that the filter rejects.
func TestJobGivesUp(t *testing.T) {
	s := bandSampler(t)
	all := bandRecordings(t, s, 4)
	for _, r := range all[:2] {
		r.Label, r.Clip.Label = "high", "high"
		all = append(all, r)
	}
	var notes []string
	job := augment.Job{
		To: 5, Seed: 1, Epochs: 3, Confidence: 0.9999999, Store: func(string, []byte) error { return nil },
		Note: func(s string) { notes = append(notes, s) },
	}
	r, err := job.Run(t.Context(), s, all, augment.Split{Train: all})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(notes, "\n")
	if r.Labels[0].Label != "high" || r.Labels[0].Tried != 0 || r.Labels[0].Missing != 3 || !strings.Contains(text, "does not know this label") {
		t.Errorf("%+v, notes %s", r.Labels, text)
	}
	if l := r.Labels[1]; l.Missing == 1 && (l.Tried != 200 || !strings.Contains(text, "of 200 tries passed")) {
		t.Errorf("%+v, notes %s", l, text)
	}
	if r.Proof != nil || r.HeldOut == nil || len(r.HeldOut) != 0 || r.HeldOutTrusted {
		t.Errorf("without a proof: %+v", r)
	}
}

func TestJobErrors(t *testing.T) {
	s := bandSampler(t)
	all := bandRecordings(t, s, 4)
	job := augment.Job{To: 6, Seed: 1, Epochs: 3, Proof: true, Store: func(string, []byte) error { return nil }}
	if _, err := job.Run(t.Context(), s, all, augment.Split{Train: all, Test: all[:1]}); !errors.Is(err, augment.ErrTooFewUnseen) {
		t.Errorf("a test set of one: error %v", err)
	}
	full := errors.New("no space left")
	job = augment.Job{To: 6, Seed: 1, Epochs: 3, Store: func(string, []byte) error { return full }}
	if _, err := job.Run(t.Context(), s, all, augment.Split{Train: all}); !errors.Is(err, full) {
		t.Errorf("a full disk: error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := job.Run(ctx, s, all, augment.Split{Train: all}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

// TestNothingToAdd checks that no classifier is trained where no clip can be added: enough recordings, or labels that the
// model does not know.
func TestNothingToAdd(t *testing.T) {
	s := bandSampler(t)
	all := bandRecordings(t, s, 4)
	strange := slices.Clone(all)
	for i := range strange {
		strange[i].Label = "not " + strange[i].Label
	}
	var notes []string
	tasks, files := &counter{}, 0
	job := augment.Job{
		To: 4, Seed: 1, Proof: true, Progress: tasks.Start, Store: func(string, []byte) error { files++; return nil },
		Note: func(s string) { notes = append(notes, s) },
	}
	if r, err := job.Run(t.Context(), s, all, augment.Split{Train: all}); err != nil || r.Generated != 0 || files != 2 || tasks.started != 0 || !strings.HasPrefix(notes[0], "every label has 4 recordings already") {
		t.Errorf("enough: %+v, %v, %d files, %d tasks, %q", r, err, files, tasks.started, notes)
	}
	job.To = 9
	if _, err := job.Run(t.Context(), s, strange, augment.Split{Train: strange}); !errors.Is(err, augment.ErrNoLabel) || files != 2 || tasks.started != 0 {
		t.Errorf("no label: %v, %d files, %d tasks", err, files, tasks.started)
	}
	// The only known label has enough.
	some := append(slices.Clip(strange), slices.Repeat(all[:1], 9)...)
	if r, err := job.Run(t.Context(), s, some, augment.Split{Train: some}); err != nil || r.Generated != 0 || tasks.started != 0 || !strings.Contains(strings.Join(notes, " "), "does not know this label") {
		t.Errorf("nothing possible: %+v, %v, %d tasks, %q", r, err, tasks.started, notes)
	}
}

func TestJobValidate(t *testing.T) {
	for want, j := range map[string]augment.Job{
		"to 0":                         {},
		"to -1":                        {To: -1},
		"to 1000001: ask for 1000000 ": {To: sampling.MaxClips + 1},
		"epochs -1":                    {To: 1, Epochs: -1},
		"confidence 1":                 {To: 1, Confidence: 1},
		"confidence NaN":               {To: 1, Confidence: math.NaN()},
		"require-gain":                 {To: 1, RequireGain: true},
		"proof-steps":                  {To: 1, Effort: augment.Effort{Steps: -1}},
		"proof-seeds":                  {To: 1, Effort: augment.Effort{Seeds: -1}},
		"proof-budget":                 {To: 1, Effort: augment.Effort{Budget: -1}},
		`proof-augmentation: augmentation "loud" is unknown; there are: none, light, medium, strong`: {To: 1, Effort: augment.Effort{Augmentation: []string{"light", "loud"}}},
	} {
		if err := j.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := j.Run(t.Context(), nil, nil, augment.Split{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run: %v, want %q", err, want)
		}
	}
	if err := (augment.Job{To: 1, Confidence: 0.99}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestReportText(t *testing.T) {
	r := augment.Report{
		Manifest: "more/manifest.csv",
		Labels: []augment.Label{
			{Label: "low", Recordings: 3, Generated: 2, Tried: 4, Acceptance: 0.5, Refused: sampling.Rejections{"copy": 2}},
			{Label: "middle", Recordings: 5},
		},
	}
	want := "low: 3 recordings, 2 clips added (4 tried, 50 % kept; refused: 2 copy)\nmiddle: 5 recordings, 0 clips added\nmore/manifest.csv"
	if got := r.String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	r.HeldOut = make([]training.HeldOut, 7)
	r.Proof = &augment.Proof{Gain: eval.Gain{
		RealClips: 40, Added: 20, Alone: 0.25, Before: 0.5, After: 0.75, Points: 25, TestClips: 7,
		Intervals: eval.Intervals{"recordings_alone": {0.125, 0.5}, "real_only": {0.25, 0.625}, "with_synthetic": {0.5, 1}},
	}}
	const proof = "proof, on 7 recordings that the model has not seen: 40 recordings alone 25.0 % [12.5, 50.0]; with augmentation 50.0 % [25.0, 62.5]; " +
		"with augmentation and 20 clips 75.0 % [50.0, 100.0]; clips less augmentation alone: +25.0 points ["
	for gain, verdict := range map[eval.Interval]string{{5, 50}: "+5.0, +50.0] on 7 other recordings: use them", {-5, 50}: "-5.0, +50.0] on 7 other recordings: no difference shown"} {
		r.Proof.Intervals["gain_points"] = gain
		if want := proof + verdict + "\n"; !strings.Contains(r.String(), want) {
			t.Errorf("no %q in %v", want, r)
		}
	}
}
