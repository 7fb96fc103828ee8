package augment_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/augment"
	"wavemill/models/frontend"
	"wavemill/models/sampling"
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
	job := augment.Job{To: 14, Seed: 4, Proof: true, Out: "more", Progress: tasks, Store: func(name string, data []byte) error {
		files[name] = bytes.Clone(data)
		return nil
	}}.WithSteps(20)
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
	if r.Proof == nil || r.Proof.RealClips != len(split.Train) || r.Proof.Added != 8 || len(r.Proof.Arms) != 2 || tasks.started != 4 || tasks.done < 4 {
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
		To: 5, Seed: 1, Confidence: 0.9999999, Store: func(string, []byte) error { return nil },
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
	job := augment.Job{To: 6, Seed: 1, Proof: true, Store: func(string, []byte) error { return nil }}
	if _, err := job.Run(t.Context(), s, all, augment.Split{Train: all, Test: all[:1]}); !errors.Is(err, augment.ErrTooFewUnseen) {
		t.Errorf("a test set of one: error %v", err)
	}
	full := errors.New("no space left")
	job = augment.Job{To: 6, Seed: 1, Store: func(string, []byte) error { return full }}
	if _, err := job.Run(t.Context(), s, all, augment.Split{Train: all}); !errors.Is(err, full) {
		t.Errorf("a full disk: error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := job.Run(ctx, s, all, augment.Split{Train: all}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}
