package report

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/internal/text"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/training"
)

// Demo is the result of a demo: one model that was trained on recordings, and the clips that it generated.
type Demo struct {
	Checkpoint models.Checkpoint
	Digest     string           // of the checkpoint
	Took       time.Duration    // of the training
	History    training.History // its losses

	Learnt, HeldOut []dataset.Recording // by the record of the checkpoint
	Untrusted       string              // why HeldOut may have been learnt from; "" where it was not
	Clips           []DemoClip

	// Real and Generated are what a classifier that was trained on Learnt says about HeldOut and Clips. NoClassifier says why
	// there is none; "" where there is one.
	Real, Generated Confusion
	NoClassifier    string

	// These are shown as they are, see Page.
	Made    time.Time
	Letters []Letter
	Notes   []string
	Facts   []Fact // before those of the model
	Timings []Timing
	Command string
	Next    []Fact
}

// DemoClip is a generated clip.
type DemoClip struct {
	File     string
	Sound    audio.Clip // Label is the requested one
	Assigned string     // label that the classifier assigns; "" without one
	// Confidence is the probability of the requested label.
	Confidence float64
}

// Shares from which on a figure is shown as good: of generated clips, and of held-out recordings.
const (
	goodGenerated = 0.5
	goodHeldOut   = 0.9
)

// realShown is how many recordings of a label stand beside the generated clips.
const realShown = 4

// Page fills a page with the result of a demo. Pictures show what the front end of the checkpoint gets.
func (d Demo) Page() (Page, error) {
	labels, err := d.labels()
	if err != nil {
		return Page{}, err
	}
	p := Page{
		Title: text.Count(len(d.Clips), "generated clip", "generated clips"), Summary: d.summary(), Made: d.Made, Tiles: d.tiles(), Labels: labels,
		SoundsHint: "Left: recordings that the model was trained on. Right: generated clips. Click a picture to play its clip; time runs to the right, frequency upwards. The number in a clip's name is its seed: with the model and the label it gives the same clip again.",
		Curves:     Losses("", d.History), HeldOut: training.HeldOutList(dataset.Identities(d.HeldOut)), Letters: d.Letters,
		Facts: append(append([]Fact(nil), d.Facts...), d.facts()...), Timings: d.Timings, Command: d.Command, Next: d.Next,
	}
	p.Notes = append(p.Notes, d.Notes...)
	if d.Untrusted != "" {
		p.Warnings = []string{d.Untrusted}
	}
	if d.NoClassifier != "" {
		p.Notes = append(p.Notes, "no classifier evaluates the clips: "+d.NoClassifier)
		return p, nil
	}
	p.Confusions = []Confusion{d.Generated, d.Real}
	return p, nil
}

// summary states what was done.
func (d Demo) summary() string {
	return fmt.Sprintf("A %s was trained for %s (%s) on %s of %s.", architectures.Title(d.Checkpoint.Arch), text.RoundDuration(d.Took).String(),
		text.Count(int(d.Checkpoint.Step), "step", "steps"), text.Count(len(d.Learnt), "recording", "recordings"), text.Count(len(d.Checkpoint.Labels), "label", "labels"))
}

// facts describe the model.
func (d Demo) facts() []Fact {
	fe := d.Checkpoint.FrontEnd
	s := fe.Spectrogram
	return []Fact{
		{Name: "model", Value: fmt.Sprintf("%s, %d steps of %d clips", d.Checkpoint.Arch, d.Checkpoint.Step, d.Checkpoint.BatchSize)},
		{Name: "model digest", Value: d.Digest},
		{Name: "model settings", Value: string(d.Checkpoint.Config)},
		{Name: "spectrograms", Value: fmt.Sprintf("%d frames by %d bins, %s %s, %d Hz, n_fft %d, hop %d", fe.Frames, s.Bins(), s.Scale, s.Value, s.SampleRate, s.NFFT, s.Hop)},
		{Name: "split", Value: fmt.Sprintf("%d recordings learnt from, %d held out", len(d.Learnt), len(d.HeldOut))},
	}
}

// tiles are the most important figures.
func (d Demo) tiles() []Tile {
	var tiles []Tile
	if s := d.Generated.Share(); s.Whole > 0 {
		tiles = append(tiles, shareTile(s, goodGenerated, "of generated clips", "are classified as the requested label"))
	}
	if s := d.Real.Share(); s.Whole > 0 {
		tiles = append(tiles, shareTile(s, goodHeldOut, "of held-out recordings", "are classified correctly by the same classifier"))
	}
	tiles = append(tiles,
		Tile{Value: strconv.Itoa(len(d.Learnt) + len(d.HeldOut)), Name: "recordings", Detail: text.Count(len(d.Checkpoint.Labels), "label", "labels")},
		Tile{Value: text.RoundDuration(d.Took).String(), Name: "of training", Detail: text.Count(int(d.Checkpoint.Step), "step", "steps")},
	)
	if n := len(d.Letters); n > 0 {
		tiles = append(tiles, Tile{Value: strconv.Itoa(n), Name: "dead letters", Detail: "could not be used; see below", Bad: true})
	}
	return tiles
}

// shareTile shows a share with its interval.
func shareTile(s Share, good float64, of, what string) Tile {
	return Tile{
		Value: fmt.Sprintf("%.1f %%", 100*s.Value()), Name: of, Good: s.Value() >= good, Bad: s.Value() < good,
		Detail: fmt.Sprintf("%d of %d %s; 95 %% interval %.1f to %.1f %%", s.Part, s.Whole, what, 100*s.Interval[0], 100*s.Interval[1]),
	}
}

// labels collects the sounds and figures of every label that the model knows.
func (d Demo) labels() ([]Label, error) {
	front, err := frontend.New(d.Checkpoint.FrontEnd)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	index := map[string]*Label{}
	out := make([]Label, len(d.Checkpoint.Labels))
	for i, name := range d.Checkpoint.Labels {
		index[name] = &out[i]
		out[i] = Label{Name: name, Sides: []Side{{Name: "recordings"}, {Name: "generated", Generated: true}}}
		if s := d.Generated.ShareOf(name); s.Whole > 0 {
			out[i].Scores = append(out[i].Scores, fmt.Sprintf("generated: %d of %d classified as %s, %v", s.Part, s.Whole, name, s))
		}
		if s := d.Real.ShareOf(name); s.Whole > 0 {
			out[i].Scores = append(out[i].Scores, fmt.Sprintf("held-out recordings: %v", s))
		}
	}
	add := func(side int, label string, c audio.Clip, name string, detail func(*Sound)) error {
		l, known := index[label]
		if !known {
			return nil // such as a label that is held out whole
		}
		sound, err := NewSound(front, c, name)
		if err != nil {
			return err
		}
		detail(&sound)
		l.Sides[side].Clips = append(l.Sides[side].Clips, Clip{Sound: sound})
		return nil
	}
	for _, r := range Examples(d.Learnt, realShown) {
		if err := add(0, r.Label, r.Clip, filepath.Base(r.Name), func(*Sound) {}); err != nil {
			return nil, err
		}
	}
	for _, c := range d.Clips {
		if err := add(1, c.Sound.Label, c.Sound, c.File, c.describe); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// describe writes what the classifier says about the clip.
func (c DemoClip) describe(s *Sound) {
	switch c.Assigned {
	case "":
	case c.Sound.Label:
		s.Detail = fmt.Sprintf("classified as %s, %.0f\u00a0%%", c.Assigned, 100*c.Confidence)
	default:
		s.Detail, s.Doubted = "classified as "+c.Assigned, true
	}
}
