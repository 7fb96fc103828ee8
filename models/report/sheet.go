package report

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/audio/spectrogram/picture"
)

// A ContactSheet is one picture of many clips: a column for each label, and rows of recordings, of round trips, of generated
// clips.
type ContactSheet struct {
	Title, Note string
	// Rows are drawn from the top. The loudest value of a label in the first row is the brightest colour of that label in
	// all rows, and the longest clip of a label gives the time axis of its column.
	Rows []SheetRow
}

// A SheetRow is a row of pictures: a clip of each label; labels without one have an empty plot.
type SheetRow struct {
	Name  string
	Clips map[string]audio.Clip
}

// Sizes of a contact sheet.
const (
	sheetWidth, sheetHeight = 240, 110 // pixels of a plot
	sheetLabels             = 12       // columns at most
	sheetSeconds            = 4        // of a clip
	sheetRange              = 70       // dB
	sheetBins               = 110      // mel bins
)

// Write draws the sheet as PNG. Clips are mixed down, and silence before and after them (below -60 dB of the peak) is left
// out. Frequencies go to half the highest rate among the clips. It is an error if there is no clip with sound.
func (s ContactSheet) Write(w io.Writer) error {
	labels, rate := s.labels()
	if len(labels) == 0 {
		return errors.New("report: a contact sheet without clips")
	}
	columns := make([]sheetColumn, len(labels))
	for i, label := range labels {
		var err error
		if columns[i], err = s.column(label, rate); err != nil {
			return err
		}
	}
	sheet := picture.Sheet{Title: s.Title, Note: s.Note, Columns: len(labels)}
	for r, row := range s.Rows {
		for i, label := range labels {
			p := picture.Plot{
				Width: sheetWidth, Height: sheetHeight, Title: row.Name + ": " + label,
				X: picture.Linear(0, columns[i].seconds, picture.XTicks(sheetWidth), "s"),
			}
			if columns[i].pictures[r] == nil {
				p.Title += " (none)"
			}
			sheet.Plots = append(sheet.Plots, p)
		}
	}
	return sheet.WriteFields(w, func(at, x, y int) float64 {
		return columns[at%len(labels)].value(at/len(labels), x, y)
	})
}

// labels are those of the clips with sound, sorted, and the highest rate of these clips.
func (s ContactSheet) labels() (labels []string, rate int) {
	for _, row := range s.Rows {
		for label, c := range row.Clips {
			if c.Validate() == nil && c.Peak() > 0 {
				labels, rate = append(labels, label), max(rate, c.Rate)
			}
		}
	}
	slices.Sort(labels)
	labels = slices.Compact(labels)
	return labels[:min(len(labels), sheetLabels)], rate
}

// A sheetColumn is the pictures of a label, one a row, nil where there is none.
type sheetColumn struct {
	pictures []*spectrogram.Spectrogram
	seconds  float64 // of the time axis
	top      float64 // natural logarithm of the brightest value
}

// column makes the pictures of a label.
func (s ContactSheet) column(label string, rate int) (sheetColumn, error) {
	nfft := 64
	for nfft < rate/22 { // 46 ms or more
		nfft *= 2
	}
	transform, err := spectrogram.New(spectrogram.Config{
		SampleRate: rate, NFFT: nfft, Hop: nfft / 8, Window: spectrogram.WindowHann, Scale: spectrogram.ScaleMel, Mels: sheetBins,
		FMin: 20, FMax: float64(rate) / 2, Value: spectrogram.ValueLog, Floor: 1e-6,
	})
	if err != nil {
		return sheetColumn{}, fmt.Errorf("report: %w", err)
	}
	col := sheetColumn{pictures: make([]*spectrogram.Spectrogram, len(s.Rows)), top: math.Inf(-1)}
	for r, row := range s.Rows {
		c, ok := row.Clips[label]
		if !ok || c.Validate() != nil || c.Peak() == 0 {
			continue
		}
		if c, err = audio.Resample(audio.TrimSilence(c.Mono(), -60), rate); err != nil {
			return col, fmt.Errorf("report: %w", err)
		}
		samples := c.Samples[:min(len(c.Samples), sheetSeconds*rate)]
		if col.pictures[r], err = transform.Forward(nil, samples); err != nil {
			return col, fmt.Errorf("report: %s: %w", label, err)
		}
		col.seconds = max(col.seconds, float64(len(samples))/float64(rate))
		if math.IsInf(col.top, -1) { // The first row with this label.
			col.top = float64(slices.Max(col.pictures[r].Data))
		}
	}
	return col, nil
}

// value is the level in [0, 1] at a pixel of the picture in a row.
func (c sheetColumn) value(row, x, y int) float64 {
	s := c.pictures[row]
	if s == nil {
		return 0
	}
	frame := int((float64(x) + 0.5) / sheetWidth * c.seconds * float64(s.Config.SampleRate) / float64(s.Config.Hop))
	if frame >= s.Frames {
		return 0
	}
	level := float64(s.Data[frame*s.Bins+y*s.Bins/sheetHeight])
	return min(1, max(0, 1+(level-c.top)*20*math.Log10E/sheetRange))
}
