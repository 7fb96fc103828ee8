package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec/flactest"
	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/comparison"
	"wavemill/models/frontend"
	"wavemill/models/report"
	"wavemill/models/training"
	"wavemill/operators/demo"
	"wavemill/pipeline"
)

// A spy records the spectrograms that a training gets: what the weights learn from and what chooses among them. It does not
// read what the checkpoint records of its recordings.
type spy struct {
	mu   sync.Mutex
	rows map[string]bool // the values of each clip
}

// evaluator is the train operator's usual evaluator; on the way it records the clips.
func (s *spy) evaluator(set training.Set, seed uint64) (training.Evaluator, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range []models.Batch{set.Train, set.Validation} {
		for i := range b.B {
			s.rows[rowKey(b.Data[i*b.T*b.F:(i+1)*b.T*b.F])] = true
		}
	}
	return quickEvaluator(set, seed)
}

// rowKey is the values of a clip as a map key.
func rowKey(values []float32) string { return string(dataset.EncodeRows(nil, values)) }

// learnt reports whether a training that the spy has seen used the spectrogram of a clip.
func (s *spy) learnt(t *testing.T, fe models.FrontEnd, c audio.Clip) bool {
	t.Helper()
	front, err := frontend.New(fe)
	if err != nil {
		t.Fatal(err)
	}
	b, err := front.BatchOf(t.Context(), []audio.Clip{c})
	if err != nil {
		t.Fatal(err)
	}
	return s.rows[rowKey(b.Data)]
}

// distinctRecordings writes n recordings of each of three labels below root/name, each of another seed, so that each can
// be recognised. Sources differ between names.
func distinctRecordings(t *testing.T, root, name string, from, n uint64) string {
	t.Helper()
	for label, class := range map[string]string{"low": "kick", "rising": "chirp", "struck": "bell"} {
		dir := filepath.Join(root, name, label)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if err := wav.WriteFile(filepath.Join(dir, name+string(rune('a'+i))+".wav"), shortClip(t, class, from+i), wav.Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return filepath.Join(root, name)
}

// loadAll decodes the recordings of some folders, by digest.
func loadAll(t *testing.T, roots ...string) map[string]dataset.Recording {
	t.Helper()
	set, err := dataset.Scan(t.Context(), roots, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := dataset.Load(t.Context(), set.Items, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]dataset.Recording{}
	for _, r := range all {
		out[r.Digest] = r
	}
	return out
}

// spiedDemo trains a model with `demo` on some folders and returns its checkpoint's file and what it learnt from.
func spiedDemo(t *testing.T, seed uint64, roots ...string) (demo.Summary, models.Checkpoint, *spy) {
	t.Helper()
	s := &spy{rows: map[string]bool{}}
	sum, stderr, err := quickDemo(t, demoOptions{data: roots}, func(o *demoOptions) {
		o.seed, o.steps, o.perLabel = seed, 4, 1
		o.operators = func(h demo.Hooks) pipeline.Registry {
			h.Train.NewEvaluator = s.evaluator
			return operators(h)
		}
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	c, err := models.Read(sum.Model)
	if err != nil {
		t.Fatal(err)
	}
	return sum, c, s
}

// copiesOf writes copies of recordings that a training has seen into a folder: renamed, in 24 bits, as FLAC, 6 dB lower,
// and under another label.
func copiesOf(t *testing.T, dir string, seen []dataset.Recording) string {
	t.Helper()
	write := func(label, name string, data []byte, err error) {
		t.Helper()
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, label), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, label, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	others := map[string]string{"low": "rising", "rising": "struck", "struck": "low"}
	for i, r := range seen {
		name := "copy" + string(rune('a'+i))
		clip := r.Clip
		data, err := os.ReadFile(r.Path)
		write(r.Label, name+"-renamed.wav", data, err)
		write(others[r.Label], name+"-relabelled.wav", data, err)
		data, err = wav.Encode(clip, wav.Options{Encoding: wav.PCM24})
		write(r.Label, name+"-24bit.wav", data, err)
		data, err = flactest.Encode(clip, flactest.Options{})
		write(r.Label, name+".flac", data, err)
		quiet := clip
		quiet.Samples = slices.Clone(clip.Samples)
		for k := range quiet.Samples {
			quiet.Samples[k] /= 2
		}
		data, err = wav.Encode(quiet, wav.Options{})
		write(r.Label, name+"-quiet.wav", data, err)
	}
	return dir
}

// checkHeldOut holds a report's list of held-out recordings against what trainings really got. All must be recordings of
// the folders, none may have been learnt from, and none may be one of the copies.
func checkHeldOut(t *testing.T, what string, list []training.HeldOut, byDigest map[string]dataset.Recording, trainings map[*spy]models.FrontEnd, copies string) {
	t.Helper()
	labels := map[string]bool{}
	for _, h := range list {
		r, known := byDigest[h.Digest]
		if !known {
			t.Errorf("%s: held-out %s has a digest that none of the recordings has", what, h.Source)
			continue
		}
		labels[h.Label] = true
		if copies != "" && strings.HasPrefix(r.Path, copies) {
			t.Errorf("%s: %s is a copy of a recording that was trained on, and is called held out", what, r.Path)
		}
		for s, fe := range trainings {
			if s.learnt(t, fe, r.Clip) {
				t.Errorf("%s: %s was trained on, and is called held out", what, r.Path)
			}
		}
	}
	if len(labels) != 3 {
		t.Errorf("%s: recordings of %d labels are held out, want of 3", what, len(labels))
	}
}

// TestHeldOutWasNotTrainedOn trains models with demo on two folders and proves from the spectrograms that the trainings
// got that demo, eval and compare hold out nothing that a model has learnt from, also where --data has copies of what was
// learnt.
func TestHeldOutWasNotTrainedOn(t *testing.T) {
	if testing.Short() {
		t.Skip("trains three models and three evaluators")
	}
	root := t.TempDir()
	// Of these seeds, the training of the seed below holds out recordings of every label of the second folder.
	a, b := distinctRecordings(t, root, "first", 110, 6), distinctRecordings(t, root, "second", 210, 6)
	fresh := distinctRecordings(t, root, "fresh", 300, 2)
	sum, one, spyOne := spiedDemo(t, 3, a, b)
	_, two, spyTwo := spiedDemo(t, 4, a, b)
	sources := loadAll(t, a, b)
	checkSpy(t, sources, one, spyOne)
	checkHeldOut(t, "demo", sum.HeldOutList, sources, map[*spy]models.FrontEnd{spyOne: one.FrontEnd}, "")

	var seen []dataset.Recording
	for _, digest := range slices.Sorted(maps.Keys(sources)) {
		if r := sources[digest]; len(seen) < 3 && spyOne.learnt(t, one.FrontEnd, r.Clip) && spyTwo.learnt(t, two.FrontEnd, r.Clip) {
			seen = append(seen, r)
		}
	}
	copies := copiesOf(t, filepath.Join(root, "copies"), seen)
	quick := []string{"--quick", "--useful=false", "--clips", "9", "--json"}

	t.Run("eval", func(t *testing.T) {
		args := append([]string{"eval", "--model", sum.Model, "--data", a, "--data", b, "--data", copies}, quick...)
		stdout, _ := mustRun(t, args...)
		r := decodeLines[comparison.Report](t, stdout)[0]
		checkHeldOut(t, "eval", r.HeldOut, loadAll(t, a, b, copies), map[*spy]models.FrontEnd{spyOne: one.FrontEnd}, copies)
		stdout, _ = mustRun(t, "inspect", "--held-out", "--json", sum.Model)
		recorded := decodeLines[struct {
			HeldOut []training.HeldOut `json:"held_out"`
		}](t, stdout)[0].HeldOut
		if !r.Trusted || !subset(r.HeldOut, recorded) {
			t.Errorf("held out %v, trusted %t; the checkpoint records %v", r.HeldOut, r.Trusted, recorded)
		}
	})
	// A source is then named relative to another folder than in the training.
	t.Run("eval of one folder", func(t *testing.T) {
		stdout, _ := mustRun(t, append([]string{"eval", "--model", sum.Model, "--data", b}, quick...)...)
		r := decodeLines[comparison.Report](t, stdout)[0]
		checkHeldOut(t, "eval of one folder", r.HeldOut, sources, map[*spy]models.FrontEnd{spyOne: one.FrontEnd}, "")
	})
	t.Run("compare", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "compared")
		other := filepath.Join(t.TempDir(), "two.safetensors")
		if err := two.Write(other); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"compare", "--model", sum.Model, "--model", other, "--out", out, "--data", a, "--data", b, "--data", copies, "--data", fresh}, quick...)
		stdout, _ := mustRun(t, args...)
		r := decodeLines[comparison.Document](t, stdout)[0]
		both := map[*spy]models.FrontEnd{spyOne: one.FrontEnd, spyTwo: two.FrontEnd}
		checkHeldOut(t, "compare", r.HeldOut, loadAll(t, a, b, copies, fresh), both, copies)
		page, err := os.ReadFile(filepath.Join(out, report.ComparisonHTML))
		if err != nil || !bytes.Contains(page, []byte(r.HeldOut[0].Digest)) {
			t.Errorf("the page does not list the held-out recordings (%v)", err)
		}
	})
}

// checkSpy proves that the spy recognises recordings: it has seen as many as the checkpoint records as used, and not all.
func checkSpy(t *testing.T, sources map[string]dataset.Recording, c models.Checkpoint, s *spy) {
	t.Helper()
	n := 0
	for _, r := range sources {
		if s.learnt(t, c.FrontEnd, r.Clip) {
			n++
		}
	}
	if want := len(c.Data.Learnt) + len(c.Data.Chosen); n != want || n == len(sources) || n == 0 {
		t.Fatalf("of %d recordings, %d were given to the training; the checkpoint records %d", len(sources), n, want)
	}
}

// subset reports whether all of a are in b, by digest and label.
func subset(a, b []training.HeldOut) bool {
	for _, x := range a {
		if !slices.ContainsFunc(b, func(y training.HeldOut) bool { return x.Digest == y.Digest && x.Label == y.Label }) {
			return false
		}
	}
	return len(a) > 0
}
