package guard

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/internal/oracle"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

// fsdd returns one in so many recordings of the free spoken digit dataset, each with its digit as its label.
func fsdd(t *testing.T, every int) []audio.Clip {
	t.Helper()
	dir := os.Getenv("WAVEMILL_FSDD")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data", "fsdd")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.wav"))
	if err != nil || len(files) == 0 {
		oracle.Missing(t, "no recordings in %s; set WAVEMILL_FSDD to the folder of the free spoken digit dataset", dir)
	}
	var clips []audio.Clip
	for i := 0; i < len(files); i += every {
		clip, _, err := codec.DecodeFile(t.Context(), files[i])
		if err != nil {
			t.Fatal(err)
		}
		clip.Source = filepath.Base(files[i])
		clip.Label, _, _ = strings.Cut(clip.Source, "_")
		clips = append(clips, clip)
	}
	return clips
}

// A tally counts clips by kind, and those of them that are refused.
type tally map[string][2]int

func (c tally) add(kind string, refused bool) {
	n := c[kind]
	n[0]++
	if refused {
		n[1]++
	}
	c[kind] = n
}

func (c tally) share(kind string) float64 { return float64(c[kind][1]) / float64(max(1, c[kind][0])) }

// stream judges a stream of clips as the operator does: in generations of a quarter of the window, each by the window that
// ends half a window after its beginning. With a model, it is calibrated for each generation.
func stream(t *testing.T, clips []audio.Clip, kinds []string, examples []Example, window int, fe *models.FrontEnd, checkpoint *models.Checkpoint) (tally, []bool) {
	t.Helper()
	limits, count := DefaultLimits(), tally{}
	passes := make([]bool, len(clips))
	copies := NewCopies(window)
	var front *frontend.FrontEnd
	if fe != nil {
		var err error
		if front, err = frontend.New(*fe); err != nil {
			t.Fatal(err)
		}
	}
	sample := func(m *Model, i int) (Sample, bool) {
		if front == nil {
			return m.OfClip(clips[i])
		}
		s, _, err := front.Analyze(clips[i])
		if err != nil {
			return Sample{}, false
		}
		return m.OfSpectrogram(clips[i].Label, s.Data, *fe)
	}
	for first := 0; first < len(clips); first += window / 4 {
		upTo := min(len(clips), max(first+window/2, window))
		from := max(0, upTo-window)
		detector, err := Fit(examples[from:upTo], limits)
		if err != nil {
			t.Fatal(err)
		}
		var model *Model
		if checkpoint != nil {
			if model, err = OpenModel(*checkpoint); err != nil {
				t.Fatal(err)
			}
			var samples []Sample
			var heard []string
			for i := from; i < upTo; i += max(1, (upTo-from)/256) {
				if v := detector.Of(examples[i]); !v.Refused() {
					if s, ok := sample(model, i); ok {
						samples, heard = append(samples, s), append(heard, v.Scores.Heard)
					}
				}
			}
			if err := model.Calibrate(t.Context(), samples, heard, limits); err != nil {
				t.Fatal(err)
			}
		}
		for i := first; i < min(len(clips), first+window/4); i++ {
			copies.Add(examples[i])
			v := detector.Of(examples[i])
			copies.Judge(&v, examples[i], limits)
			if model != nil {
				if s, ok := sample(model, i); ok {
					if err := model.Judge(t.Context(), &v, s, limits); err != nil {
						t.Fatal(err)
					}
				}
			}
			count.add(kinds[i], v.Refused())
			passes[i] = !v.Refused()
		}
	}
	return count, passes
}

// measureAll measures clips, as spectrograms where a front end is given.
func measureAll(t *testing.T, clips []audio.Clip, fe *models.FrontEnd) []Example {
	t.Helper()
	var analyst Analyst
	var front *frontend.FrontEnd
	if fe != nil {
		var err error
		if front, err = frontend.New(*fe); err != nil {
			t.Fatal(err)
		}
	}
	out := make([]Example, len(clips))
	for i, c := range clips {
		var err error
		if front == nil {
			out[i], err = analyst.Clip(c, false)
		} else if s, _, analyzed := front.Analyze(c); analyzed == nil {
			if out[i], err = Spectrogram(c.Label, c.Source, s.Data, *fe); err == nil {
				out[i].Digest, out[i].Print = fingerprint.Digest(c), fingerprint.Of(c)
			}
		} else {
			t.Fatal(analyzed)
		}
		if err != nil {
			t.Fatal(err)
		}
		out[i].ID = uint64(i + 1)
	}
	return out
}

// spoiltShares are the shares of the published figures.
func spoiltShares() map[string]float64 {
	return map[string]float64{TrialFlipped: 0.05, TrialNoise: 0.05, TrialClipped: 0.005, TrialOver: 0.005}
}

// Of 800 spoken digits, of which 5 % have the label of another, 5 % are noise and 1 % far too loud, the detector catches
// nearly all, and refuses few of the others.
func TestSpoiltDigits(t *testing.T) {
	clips := fsdd(t, 3)
	clips, kinds := Trial{Shares: spoiltShares(), Seed: 1}.Spoil(clips[:min(800, len(clips))])
	count, _ := stream(t, clips, kinds, measureAll(t, clips, nil), 800, nil, nil)
	t.Logf("refused of all, by kind: %v", count)
	for kind, least := range map[string]float64{TrialFlipped: 0.9, TrialNoise: 0.75, TrialClipped: 1, TrialOver: 1} {
		if count.share(kind) < least {
			t.Errorf("%s: %v of all are refused, want %.2f", kind, count[kind], least)
		}
	}
	if got := count.share(TrialGood); got > 0.05 {
		t.Errorf("%.3f of the good clips are refused, want 0.05 at most", got)
	}
}

// TestFigures prints the tables of docs/operators/guard.md. It runs where WAVEMILL_GUARD_FIGURES is the number of seeds, and
// takes some minutes for each.
func TestFigures(t *testing.T) {
	seeds, _ := strconv.Atoi(os.Getenv("WAVEMILL_GUARD_FIGURES"))
	if seeds < 1 {
		t.Skip("set WAVEMILL_GUARD_FIGURES to a number of seeds to print the tables of docs/operators/guard.md")
	}
	arch := os.Getenv("WAVEMILL_GUARD_MODEL")
	if arch == "" {
		arch = "vaegan"
	}
	all := fsdd(t, 1)
	fe := frontend.PlanFor(all)
	total := map[string]tally{}
	var names []string
	record := func(name string, count tally) {
		if total[name] == nil {
			total[name] = tally{}
			names = append(names, name)
		}
		for kind, n := range count {
			sum := total[name][kind]
			total[name][kind] = [2]int{sum[0] + n[0], sum[1] + n[1]}
		}
		t.Logf("%s: %v", name, count)
	}
	for seed := range uint64(seeds) {
		clips, kinds := Trial{Shares: spoiltShares(), Seed: seed + 1}.Spoil(all)
		var checkpoint *models.Checkpoint
		for _, name := range []string{"audio", "spectrograms"} {
			front := map[string]*models.FrontEnd{"spectrograms": &fe}[name]
			examples := measureAll(t, clips, front)
			count, passes := stream(t, clips, kinds, examples, 1024, front, nil)
			record(name+", before any model", count)
			if arch == "none" {
				continue
			}
			if checkpoint == nil {
				c := trained(t, arch, kept(clips, passes), seed)
				checkpoint = &c
			}
			count, _ = stream(t, clips, kinds, examples, 1024, front, checkpoint)
			record(name+", with a "+arch, count)
		}
	}
	for _, name := range names {
		cells := []string{name}
		for _, kind := range []string{TrialFlipped, TrialNoise, TrialClipped, TrialOver, TrialGood} {
			cells = append(cells, fmt.Sprintf("%.1f %% (%d of %d)", 100*total[name].share(kind), total[name][kind][1], total[name][kind][0]))
		}
		fmt.Println("| " + strings.Join(cells, " | ") + " |")
	}
}

// kept are the clips that passed.
func kept(clips []audio.Clip, passes []bool) []audio.Clip {
	var out []audio.Clip
	for i, c := range clips {
		if passes[i] {
			out = append(out, c)
		}
	}
	return out
}

// trained trains a model on clips for some hundred steps.
func trained(t *testing.T, arch string, clips []audio.Clip, seed uint64) models.Checkpoint {
	t.Helper()
	steps := int64(600)
	if text := os.Getenv("WAVEMILL_GUARD_STEPS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		steps = int64(n)
	}
	return train(t.Context(), t, training.Job{Arch: arch, Seed: seed, Steps: steps}, clips)
}

func train(ctx context.Context, t *testing.T, job training.Job, clips []audio.Clip) models.Checkpoint {
	t.Helper()
	recordings := make([]dataset.Recording, len(clips))
	for i, c := range clips {
		recordings[i] = dataset.Recording{
			Item: dataset.Item{Name: fmt.Sprintf("%d.wav", i), Label: c.Label}, Clip: c, Digest: fingerprint.Digest(c), Print: fingerprint.Of(c),
		}
	}
	set, err := training.Prepare(ctx, recordings, training.Options{Holdout: dataset.Holdout{Share: 0.05, Validation: 0.05, Seed: job.Seed}})
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, _, err := job.Run(ctx, set)
	if err != nil {
		t.Fatal(err)
	}
	return checkpoint
}
