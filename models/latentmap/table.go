package latentmap

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
)

// A Line is a line of the JSON table: a recording, its place in the pictures and its latents.
type Line struct {
	File    string    `json:"file"`
	Label   string    `json:"label"`
	X       float32   `json:"x"`
	Y       float32   `json:"y"`
	Latents []float32 `json:"latents"`
}

// WriteCSV writes a table with a header: file, label, x and y in the pictures, and the latents z1, z2 and so on. Numbers
// have as many digits as a float32 needs.
func (m *Map) WriteCSV(out io.Writer) error {
	if !m.fitted {
		return errNotFitted
	}
	w := csv.NewWriter(out)
	row := []string{"file", "label", "x", "y"}
	for i := range m.Latent() {
		row = append(row, "z"+strconv.Itoa(i+1))
	}
	if err := w.Write(row); err != nil {
		return err
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 32) }
	for _, p := range m.points {
		x, y := m.plane.Project(p.Latents)
		row = append(row[:0], p.File, p.Label, number(x), number(y))
		for _, v := range p.Latents {
			row = append(row, number(float64(v)))
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// WriteJSONL writes one Line of JSON per recording.
func (m *Map) WriteJSONL(out io.Writer) error {
	if !m.fitted {
		return errNotFitted
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, p := range m.points {
		x, y := m.plane.Project(p.Latents)
		if err := e.Encode(Line{p.File, p.Label, float32(x), float32(y), p.Latents}); err != nil {
			return err
		}
	}
	return nil
}
