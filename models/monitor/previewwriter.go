package monitor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/spectrogram/picture"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/frontend"
)

// A PreviewWriter writes pictures and sounds of what a model generates at every evaluation, always from the same seeds, so
// that they can be compared.
type PreviewWriter struct {
	// Dir is the folder for step-NNNNNNNN.png, one picture of all, and step-NNNNNNNN_LABEL_I.wav. It is made if it is not
	// there; "" writes no files.
	Dir string
	// Clips of each label that are kept; 0 means 4.
	Clips int
	// Show, when not nil, is given each preview, which it may keep.
	Show func(Preview) error
}

// A Preview is what is written of an evaluation.
type Preview struct {
	Step    int64
	Picture []byte // PNG: a row for each label, a column for each clip
	Sounds  []Sound
}

// A Sound is one clip after phase reconstruction.
type Sound struct {
	Label  string
	Number int // of the clips of this label, from 1
	Clip   audio.Clip
	WAV    []byte // 16-bit PCM
}

// Limits of a picture.
const (
	previewClips  = 4
	previewLabels = 24 // evenly chosen, where there are more
	pictureWidth  = 1600
)

// show keeps the previews' first clips of each label. A clip without sound has a picture but no WAV.
func (g *PreviewWriter) show(ctx context.Context, front *frontend.FrontEnd, p Previews) error {
	rows := g.rows(p)
	if len(rows) == 0 {
		return errors.New("no clips to show")
	}
	e := Preview{Step: p.Step}
	var err error
	if e.Picture, err = mosaic(p, rows); err != nil {
		return err
	}
	for _, row := range rows {
		label := p.Labels[p.Batch.Labels[row[0]]]
		for number, i := range row {
			if err := ctx.Err(); err != nil {
				return err
			}
			clip, err := front.Synthesize(p.Batch, i, uint64(i))
			if errors.Is(err, frontend.ErrSilent) {
				continue
			}
			if err != nil {
				return err
			}
			s := Sound{Label: label, Number: number + 1, Clip: clip}
			if s.WAV, err = wav.Encode(clip, wav.Options{Tags: map[string]string{
				"INAM": label, "ICMT": fmt.Sprintf("preview at step %d", p.Step), "ISFT": "Wavemill",
			}}); err != nil {
				return err
			}
			e.Sounds = append(e.Sounds, s)
		}
	}
	if err := g.write(e); err != nil {
		return err
	}
	if g.Show != nil {
		return g.Show(e)
	}
	return nil
}

// KindPreviews is the kind of warnings about files of previews that could not be written.
const KindPreviews = "previews"

// unwritten is the warning about the previews of a step.
func unwritten(step int64, err error) models.Warning {
	return models.Warning{
		Kind: KindPreviews, Finding: fmt.Sprintf("previews of step %d are missing: %v", step, err),
		Advice: "mend the folder or free space on its disk; the figures and the choice of the weights are not affected",
	}
}

// rows are the indices of the clips shown, by label.
func (g *PreviewWriter) rows(p Previews) [][]int {
	most := g.Clips
	if most <= 0 {
		most = previewClips
	}
	var rows [][]int
	at := map[int]int{}
	for i, l := range p.Batch.Labels {
		if _, ok := at[l]; !ok {
			at[l] = len(rows)
			rows = append(rows, nil)
		}
		if r := at[l]; len(rows[r]) < most {
			rows[r] = append(rows[r], i)
		}
	}
	if len(rows) <= previewLabels {
		return rows
	}
	chosen := make([][]int, previewLabels)
	for i := range chosen {
		chosen[i] = rows[i*len(rows)/previewLabels]
	}
	return chosen
}

func (g *PreviewWriter) write(e Preview) error {
	if g.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(g.Dir, 0o755); err != nil {
		return err
	}
	name := filepath.Join(g.Dir, fmt.Sprintf("step-%08d", e.Step))
	for _, s := range e.Sounds {
		if err := os.WriteFile(fmt.Sprintf("%s_%s_%d.wav", name, dataset.FileSlug(s.Label), s.Number), s.WAV, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(name+".png", e.Picture, 0o644)
}

// mosaic draws the clips side by side, time to the right and frequency upwards, a row for each label.
func mosaic(p Previews, rows [][]int) ([]byte, error) {
	const gap = 2
	frames, bins := p.Batch.T, p.Batch.F
	columns := 0
	for _, row := range rows {
		columns = max(columns, len(row))
	}
	scale := 1
	for scale < 3 && columns*((scale+1)*frames+gap) <= pictureWidth {
		scale++
	}
	width, height := scale*frames+gap, scale*bins+gap
	plot := picture.Plot{
		Width: columns * width, Height: len(rows) * height, Title: fmt.Sprintf("step %d", p.Step),
		X: picture.Axis{Caption: "previews, always from the same seeds"},
	}
	for r, row := range slices.Backward(rows) { // an axis goes upwards
		plot.Y.Ticks = append(plot.Y.Ticks, picture.Tick{
			At: 1 - (float64(r)+0.5)/float64(len(rows)), Label: short(p.Labels[p.Batch.Labels[row[0]]]),
		})
	}
	var out bytes.Buffer
	err := plot.WriteField(&out, func(x, y int) float64 {
		y = plot.Height - 1 - y // from the top
		row, column := rows[y/height], x/width
		t, f := x%width/scale, bins-1-y%height/scale
		if column >= len(row) || t >= frames || f < 0 {
			return 1
		}
		return (float64(p.Batch.Clip(row[column])[t*bins+f]) + 1) / 2
	})
	return out.Bytes(), err
}

// short is as much of a label as fits beside a plot.
func short(label string) string {
	r := []rune(label)
	return string(r[:min(len(r), 6)])
}
