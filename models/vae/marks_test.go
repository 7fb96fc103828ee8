package vae

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/internal/latent"
)

// markedClips are clips of a front end with marks: n of three labels, whose marks differ from clip to clip.
func markedClips(fe models.FrontEnd, n int) models.Batch {
	b := models.Batch{B: n, T: fe.Frames, F: fe.Spectrogram.Bins()}
	b.Data = make([]float32, n*b.T*b.F)
	for i := range n {
		b.Labels = append(b.Labels, i%3)
		clip := b.Clip(i)
		for at := range clip {
			f, t := at%b.F, at/b.F
			clip[at] = float32(math.Exp(-float64(t)/8) - 1 + 0.2*math.Sin(float64(f*(1+i%3))))
			if mark := f - (b.F - fe.Spectrogram.Marks() - fe.Spectrogram.Image()); mark >= 0 {
				clip[at] = float32(0.7 * math.Sin(float64(3*i+mark)))
			}
		}
	}
	return b
}

// TestClipsHaveTheMarksOfRecordings: each clip has the marks and the stereo image of one recording of its label, as the decoder
// reconstructs them, and the recordings are taken in turn.
func TestClipsHaveTheMarksOfRecordings(t *testing.T) {
	mel := spectrogram.Default(22050)
	mel.Mels = 32
	two := func(c spectrogram.Config) spectrogram.Config {
		c.Channels = 2
		return c
	}
	for name, c := range map[string]struct {
		front spectrogram.Config
		bins  int
	}{
		"marks":           {spectrogram.OneShot(22050), 3},
		"marks and image": {two(spectrogram.OneShot(22050)), 3 + spectrogram.StereoBins},
		"image":           {two(mel), spectrogram.StereoBins},
	} {
		t.Run(name, func(t *testing.T) { checkMarks(t, models.FrontEnd{Spectrogram: c.front, Frames: 32}, c.bins) })
	}
}

// checkMarks checks the last bins of generated clips.
func checkMarks(t *testing.T, fe models.FrontEnd, bins int) {
	l, err := NewLearner(json.RawMessage(`{"channels":4,"latent":6,"embedding":4,"shift":0,"texture":0.5}`), fe, []string{"a", "b", "c"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	const each = 8 // recordings of a label
	clips := markedClips(fe, 3*each)
	c, err := (&models.Trainer{Steps: 20, BatchSize: 8, Seed: 3}).Run(t.Context(), l, clips, models.Batch{})
	if err != nil {
		t.Fatal(err)
	}
	g := opened(t, c)
	r := models.Series(slices.Repeat([]int{1}, 3*each), 7, 1)
	out, err := g.Generate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var z []float32
	for k := range each {
		z = g.prior.recording(z, component{1, k})
	}
	decoded, err := g.Decode(t.Context(), z, slices.Repeat([]int{1}, each))
	if err != nil {
		t.Fatal(err)
	}
	image := fe.Spectrogram.Image()
	marksOf := func(clip []float32) (marks []float32) {
		for at := out.F; at <= len(clip); at += out.F {
			marks = append(marks, clip[at-bins:at]...)
		}
		return marks
	}
	used := make([]int, each)
	for i := range out.B {
		marks := marksOf(out.Clip(i))
		k := -1
		for j := range each {
			want := marksOf(decoded.Clip(j))
			g.prior.place(want, bins, component{1, j})
			if slices.Equal(marks, want) {
				k = j
			}
		}
		if k < 0 {
			t.Fatalf("clip %d has marks of no recording", i)
		}
		used[k]++
		// Where the decoder is wrong, as after so few steps, the mean image is still that of the recording.
		of, at := meanFrame(lastBins(out.Clip(i), out.F, image), max(1, image)), meanFrame(lastBins(clips.Clip(3*k+1), out.F, image), max(1, image))
		for b := range image {
			if math.Abs(float64(of[b]-at[b])) > 0.02 {
				t.Errorf("clip %d: bin %d of the image is %g in the mean, that of recording %d %g", i, b, of[b], k, at[b])
			}
		}
	}
	if slices.Min(used) < 2 || slices.Max(used) > 4 {
		t.Errorf("%d clips take the marks of %d recordings %v times; each should be taken about three times", out.B, each, used)
	}
	again, err := opened(t, c).Generate(t.Context(), r.Slice(5, 6))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.Data, out.Clip(5)) {
		t.Error("a clip differs when it is made alone")
	}
	// Between labels, and like a given clip, the image is the decoder's: no residual noise moves the sound about.
	one := models.Series([]int{1}, 7, 1)
	blended, err := g.Blend(t.Context(), z[:g.Latent()], []int{1}, []int{1}, []float64{0}, one)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(blended.Data, decoded.Clip(0)) || !slices.Equal(lastBins(blended.Clip(0), out.F, image), lastBins(decoded.Clip(0), out.F, image)) {
		t.Error("a blended clip has no residual noise, or noise in its stereo image")
	}
}

// TestRecordingsInTurn: of 5 and 7 recordings with 4 varied copies each, clips begin at all recordings in turn, and over many
// clips at all copies.
func TestRecordingsInTurn(t *testing.T) {
	const copies = 4
	for label, n := range []int{5, 7} {
		g := &Generator{marks: &marker{bins: 3}, prior: &prior{labels: []mixture{{weight: make([]float32, 5*copies)}, {weight: make([]float32, 7*copies)}}}}
		used, all := make([]int, n), make([]int, n*copies)
		for seed := range uint64(40 * n) {
			s := latent.Stream{Seed: seed}
			k := g.start(label, g.marks.where(s, s.Prior()))
			all[k]++
			if seed < 4*uint64(n) {
				used[k%n]++
			}
		}
		if slices.Min(used) < 3 || slices.Max(used) > 5 || slices.Min(all) < 8 || slices.Max(all) > 12 {
			t.Errorf("label %d: recordings %v, copies %v", label, used, all)
		}
	}
}

// TestRecordingOfRareLabel: the centres of a rare label were moved towards their mean.
func TestRecordingOfRareLabel(t *testing.T) {
	z := []float32{1, 2, 5, -4, 0, 8}
	mean, _ := moments(z, []int{0, 1, 2}, 2)
	p := &prior{latent: 2, labels: []mixture{transferred(z, []int{0, 1, 2}, mean)}}
	for k := range 3 {
		got := p.recording(nil, component{0, k})
		for j, v := range got {
			if math.Abs(float64(v-z[2*k+j])) > 1e-5 {
				t.Errorf("recording %d is %v, want %v", k, got, z[2*k:2*k+2])
			}
		}
	}
}
