package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"wavemill/audio"
	"wavemill/internal/atomicfile"
	"wavemill/models/comparison"
	"wavemill/models/frontend"
)

// Compared is the result of package comparison, for one model or for several.
type Compared struct {
	Report  comparison.Report
	Verdict comparison.Verdict
	// Data are the recordings, as the evaluation was given them.
	Data comparison.Data
	// Candidates are the models in the order of the report, with their Row, Clips and History.
	Candidates []*comparison.Candidate
	// Facts are shown before those of the models.
	Facts   []Fact
	Made    time.Time // see Page
	Command string    // see Page
}

// Limits of what a page shows, so that it opens at once.
const (
	soundsShown = 3  // of each model and label
	labelsShown = 16 // with sounds
)

// Comparison fills a page with the result of a comparison: the verdict, the figures with their intervals, sounds of each
// model beside the recordings that they are nearest to, curves, confusion tables and the held-out recordings. Pictures
// show what the front end of the first candidate gets. It is an error where there is no candidate.
func Comparison(c Compared) (Page, error) {
	if len(c.Candidates) == 0 {
		return Page{}, errors.New("report: no model was compared")
	}
	r := c.Report
	p := Page{
		Title: "Evaluation of " + c.Candidates[0].Name, Made: c.Made, Verdict: &c.Verdict, Figures: FiguresOf(r),
		HeldOut: r.HeldOut, Facts: slices.Clone(c.Facts), Command: c.Command,
		SoundsHint: "Click a picture to play its clip; time runs to the right, frequency upwards. Below each generated clip is the training recording that is nearest to it.",
	}
	if len(c.Candidates) > 1 {
		p.Title = fmt.Sprintf("Comparison of %d models", len(c.Candidates))
	}
	p.Summary = fmt.Sprintf("%d recordings to learn from, %d held out, %d labels.", r.TrainClips, r.Report.HeldOut, len(r.Labels))
	if !r.Trusted {
		p.Warnings = r.Warnings
	}
	// The verdict repeats the warnings.
	p.Verdict.Cautions = slices.DeleteFunc(slices.Clone(c.Verdict.Cautions), func(s string) bool { return slices.Contains(p.Warnings, s) })
	var err error
	if p.Labels, err = c.labels(); err != nil {
		return Page{}, err
	}
	for _, m := range c.Candidates {
		p.Curves = append(p.Curves, Losses(m.Name, m.History)...)
		p.Confusions = append(p.Confusions, Confusion{Name: m.Name, Labels: r.Labels, Counts: m.Row.Confusion})
		fact := fmt.Sprintf("%s, %d steps", m.Checkpoint.Arch, m.Checkpoint.Step)
		if t := m.Row.Training; t != nil {
			fact += fmt.Sprintf(", digest %s, %s", t.Digest, t.Checkpoint)
		}
		p.Facts = append(p.Facts, Fact{Name: m.Name, Value: fact})
	}
	return p, nil
}

// labels returns the sounds of each label: held-out recordings, and the first clips of each model.
func (c Compared) labels() ([]Label, error) {
	front, err := frontend.New(c.Candidates[0].Checkpoint.FrontEnd)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	var out []Label
	for _, name := range c.Report.Labels[:min(len(c.Report.Labels), labelsShown)] {
		recordings := Side{Name: "recordings, held out"}
		for _, i := range firstOf(c.Data.HeldOut, name) {
			sound, err := NewSound(front, c.Data.HeldOut[i], c.Data.HeldOut[i].Source)
			if err != nil {
				return nil, err
			}
			recordings.Clips = append(recordings.Clips, Clip{Sound: sound})
		}
		label := Label{Name: name, Sides: []Side{recordings}}
		for _, m := range c.Candidates {
			side := Side{Name: m.Name, Generated: true}
			for _, i := range firstOf(m.Clips, name) {
				clip, err := c.clip(front, m, i)
				if err != nil {
					return nil, err
				}
				side.Clips = append(side.Clips, clip)
			}
			label.Sides = append(label.Sides, side)
		}
		out = append(out, label)
	}
	return out, nil
}

// clip returns clip i of a candidate beside the recording that is nearest to it.
func (c Compared) clip(front *frontend.FrontEnd, m *comparison.Candidate, i int) (Clip, error) {
	sound, err := NewSound(front, m.Clips[i], fmt.Sprintf("clip %d", i))
	if err != nil {
		return Clip{}, err
	}
	out := Clip{Sound: sound}
	if i < len(m.Row.Predicted) {
		assigned := c.Report.Labels[m.Row.Predicted[i]]
		out.Detail, out.Doubted = "classified as "+assigned, assigned != m.Clips[i].Label
	}
	if memory := m.Row.Memorisation; i < len(memory.Nearest) && i < len(memory.Ratios) {
		near := c.Data.Learn[memory.Nearest[i]]
		nearest, err := NewSound(front, near, "nearest: "+near.Source)
		if err != nil {
			return Clip{}, err
		}
		nearest.Detail = fmt.Sprintf("%.2f of the usual distance", memory.Ratios[i])
		out.Nearest = &nearest
	}
	return out, nil
}

// firstOf returns the indices of the first clips of a label that are shown.
func firstOf(clips []audio.Clip, label string) []int {
	var out []int
	for i, c := range clips {
		if c.Label == label && len(out) < soundsShown {
			out = append(out, i)
		}
	}
	return out
}

// The files of a comparison in its folder.
const (
	ComparisonJSON = "report.json" // a comparison.Document
	ComparisonHTML = "report.html" // the page
)

// WriteComparison writes both files of a comparison to a folder, each whole or not at all.
func WriteComparison(dir string, d comparison.Document, c Compared) error {
	content, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, ComparisonJSON), append(content, '\n'), atomicfile.Options{NoSync: true}); err != nil {
		return err
	}
	page, err := Comparison(c)
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, ComparisonHTML), page)
}
