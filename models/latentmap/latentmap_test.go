package latentmap_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"image/png"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/synth"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/latentmap"
)

// recordings returns n synthetic clips of each of two labels.
func recordings(n int) ([]dataset.Recording, error) {
	var out []dataset.Recording
	for _, label := range []string{"chirp", "kick"} {
		for i := range n {
			c, err := synth.Clip(label, uint64(i), 8000)
			if err != nil {
				return nil, err
			}
			c.Label, c.Samples = label, c.Samples[:2000]
			out = append(out, dataset.Recording{Item: dataset.Item{Path: fmt.Sprintf("%s_%d.wav", label, i), Label: label}, Clip: c})
		}
	}
	return out, nil
}

// train trains a model of an architecture for a few steps.
func train(ctx context.Context, arch, config string, of []dataset.Recording) (models.Checkpoint, error) {
	labels := []string{"chirp", "kick"}
	clips := make([]audio.Clip, len(of))
	for i, r := range of {
		clips[i] = r.Clip
	}
	fe := frontend.PlanFor(clips)
	front, err := frontend.New(fe)
	if err != nil {
		return models.Checkpoint{}, err
	}
	specs, reasons, err := front.AnalyzeAll(ctx, clips)
	if err != nil {
		return models.Checkpoint{}, err
	}
	frames, bins := front.Shape()
	x := models.Batch{B: len(clips), T: frames, F: bins}
	for i, s := range specs {
		if s == nil {
			return models.Checkpoint{}, reasons[i]
		}
		x.Data, x.Labels = append(x.Data, s.Data...), append(x.Labels, i*len(labels)/len(clips))
	}
	learner, err := architectures.NewLearner(arch, []byte(config), fe, labels, 1)
	if err != nil {
		return models.Checkpoint{}, err
	}
	t := models.Trainer{Steps: 3, BatchSize: 4, Seed: 1}
	return t.Run(ctx, learner, x, models.Batch{})
}

// open trains a model and opens its map, with recordings.
func open(t *testing.T, arch, config string) (*latentmap.Map, []dataset.Recording) {
	t.Helper()
	of, err := recordings(4)
	if err != nil {
		t.Fatal(err)
	}
	c, err := train(t.Context(), arch, config, of)
	if err != nil {
		t.Fatal(err)
	}
	m, err := latentmap.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return m, of
}

func TestMapOfRecordings(t *testing.T) {
	for _, c := range []struct {
		arch, config string
		latent       int
	}{
		{"vae", `{"channels":4,"latent":2}`, 2},
		{"vae", `{"channels":4,"latent":5}`, 5},
		{"vaegan", `{"vae":{"channels":4,"latent":3},"discriminator_channels":4}`, 3},
	} {
		t.Run(fmt.Sprint(c.arch, c.latent), func(t *testing.T) {
			m, of := open(t, c.arch, c.config)
			silent, foreign := of[0], of[1]
			silent.Path, silent.Clip.Samples = "silent.wav", make([]float32, 4000)
			foreign.Path, foreign.Label = "foreign.wav", "snare"
			var done int
			skipped, err := m.Add(t.Context(), append(of, silent, foreign), func(n int) { done = n })
			if err != nil {
				t.Fatal(err)
			}
			if len(skipped) != 2 || skipped[0].File != "foreign.wav" || !errors.Is(skipped[1].Reason, frontend.ErrSilent) || done != len(of)+2 {
				t.Errorf("skipped %v, %d done", skipped, done)
			}
			if len(m.Points()) != len(of) || m.Points()[5].File != of[5].Path || len(m.Points()[5].Latents) != c.latent {
				t.Errorf("points %v", m.Points())
			}
			if err := m.Fit(1); err != nil {
				t.Fatal(err)
			}
			if m.Plane().Principal != (c.latent > 2) || m.Latent() != c.latent {
				t.Errorf("%d latents, plane %+v", m.Latent(), m.Plane())
			}
			checkFiles(t, m, len(of))
		})
	}
}

// checkFiles writes every file twice, and reads it.
func checkFiles(t *testing.T, m *latentmap.Map, n int) {
	t.Helper()
	files := map[string]func(io.Writer) error{
		"planes":  func(w io.Writer) error { return m.WritePlanes(t.Context(), w, []int{1, 0}, 3, 7) },
		"scatter": m.WriteScatter, "csv": m.WriteCSV, "jsonl": m.WriteJSONL,
	}
	written := map[string][]byte{}
	for name, write := range files {
		var first, second bytes.Buffer
		if err := errors.Join(write(&first), write(&second)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if first.Len() == 0 || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: %d bytes, then %d", name, first.Len(), second.Len())
		}
		written[name] = first.Bytes()
	}
	for _, name := range []string{"planes", "scatter"} {
		if img, err := png.Decode(bytes.NewReader(written[name])); err != nil || img.Bounds().Dx() < 300 {
			t.Errorf("%s: %v", name, err)
		}
	}
	rows, err := csv.NewReader(bytes.NewReader(written["csv"])).ReadAll()
	if err != nil || len(rows) != n+1 || len(rows[0]) != 4+m.Latent() || rows[0][4] != "z1" {
		t.Errorf("rows %v, error %v", rows, err)
	}
	if lines := bytes.Count(written["jsonl"], []byte("\n")); lines != n {
		t.Errorf("%d lines", lines)
	}
}

func TestMapRefuses(t *testing.T) {
	m, of := open(t, "vae", `{"channels":4,"latent":2}`)
	if err := m.WriteScatter(io.Discard); err == nil {
		t.Error("a picture without a plane")
	}
	if _, err := m.Add(t.Context(), of[:1], nil); err != nil {
		t.Fatal(err)
	}
	if err := m.Fit(1); err == nil {
		t.Error("a plane through one recording")
	}
	if _, err := m.Add(t.Context(), of[1:], nil); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteCSV(io.Discard); err == nil {
		t.Error("a table without a plane")
	}
	if err := m.Fit(1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		labels []int
		points int
	}{{nil, 3}, {[]int{2}, 3}, {[]int{-1}, 3}, {[]int{0}, 1}, {[]int{0}, latentmap.MaxGrid + 1}} {
		if err := m.WritePlanes(t.Context(), io.Discard, c.labels, c.points, 1); err == nil {
			t.Errorf("labels %v, %d points: no error", c.labels, c.points)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Add(ctx, of, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	of, err := recordings(2)
	if err != nil {
		t.Fatal(err)
	}
	for arch, config := range map[string]string{"gan": `{"channels":4,"latent":4}`, "vae": `{"channels":4,"latent":1}`} {
		c, err := train(t.Context(), arch, config, of)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := latentmap.Open(c); !errors.Is(err, latentmap.ErrNoSpace) {
			t.Errorf("%s: %v", arch, err)
		}
	}
	if _, err := latentmap.Open(models.Checkpoint{Arch: "nonsense"}); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("an unknown architecture: %v", err)
	}
}

// A small VAE is trained on synthetic recordings; its map places them and draws what lies between.
func Example() {
	ctx := context.Background()
	of, err := recordings(4)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := train(ctx, "vae", `{"channels":4,"latent":2}`, of)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := latentmap.Open(c)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := m.Add(ctx, of, nil); err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Fit(1); err != nil {
		fmt.Println(err)
		return
	}
	var picture, table bytes.Buffer
	if err := errors.Join(m.WritePlanes(ctx, &picture, []int{0, 1}, 5, 1), m.WriteCSV(&table)); err != nil {
		fmt.Println(err)
		return
	}
	header, _, _ := strings.Cut(table.String(), "\n")
	fmt.Println(m.Latent(), "latents,", len(m.Points()), "recordings")
	fmt.Println(header)
	// Output:
	// 2 latents, 8 recordings
	// file,label,x,y,z1,z2
}

// TestWrite checks the report and that it names every file.
func TestWrite(t *testing.T) {
	m, of := open(t, "vae", `{"channels":4,"latent":5}`)
	for _, recordings := range [][]dataset.Recording{nil, of} {
		if _, err := m.Add(t.Context(), recordings, nil); err != nil {
			t.Fatal(err)
		}
		if err := m.Fit(1); err != nil {
			t.Fatal(err)
		}
		var stored []string
		files := latentmap.Files{Labels: []string{"kick"}, Grid: 2, Seed: 1, Dir: "map", Store: func(path string, data []byte) error {
			if len(data) == 0 {
				t.Errorf("%s is empty", path)
			}
			stored = append(stored, filepath.ToSlash(path))
			return nil
		}}
		r, err := m.Write(t.Context(), files)
		if err != nil {
			t.Fatal(err)
		}
		want := "map/plane.png"
		if len(recordings) > 0 {
			want += " map/scatter.png map/latents.csv map/latents.jsonl"
		}
		if got := strings.Join(stored, " "); got != want || len(r.Paths()) != len(stored) {
			t.Errorf("files %s, report %+v, want %s", got, r, want)
		}
		if r.Clips != len(recordings) || r.Axes != "principal" || r.Latent != 5 || r.Digest == "" || !(r.Explained[0] >= r.Explained[1]) {
			t.Errorf("%+v", r)
		}
	}
	failed := errors.New("disk full")
	for want, f := range map[string]latentmap.Files{
		"grid 1 is not": {Grid: 1},
		"snare":         {Grid: 2, Labels: []string{"snare"}},
		"disk full":     {Grid: 2, Labels: []string{"kick"}, Store: func(string, []byte) error { return failed }},
	} {
		if _, err := m.Write(t.Context(), f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
