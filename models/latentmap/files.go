package latentmap

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// MostPlanes is how many labels a picture of planes should show where none are named: more are too small to see.
const MostPlanes = 12

// Files says which files [Map.Write] writes.
type Files struct {
	Labels []string // labels whose planes are drawn; at least one
	Grid   int      // points along each side of a plane, 2 to MaxGrid
	Seed   uint64   // of the draws that space the grid
	Dir    string   // folder of the files, for their paths in the report
	// Store writes a file of the given path.
	Store func(path string, data []byte) error
}

// Validate reports what is wrong, beginning with the name of the field in lower case.
func (f Files) Validate() error {
	if f.Grid < 2 || f.Grid > MaxGrid {
		return fmt.Errorf("grid %d is not between 2 and %d", f.Grid, MaxGrid)
	}
	return nil
}

// A Report says what the files show. As JSON it is what `wavemill latents --json` prints.
type Report struct {
	Model     string     `json:"model"` // architecture
	Digest    string     `json:"digest"`
	Latent    int        `json:"latent"`
	Axes      string     `json:"axes"`      // latents or principal
	Explained [2]float64 `json:"explained"` // shares of the variance along the axes
	Clips     int        `json:"clips"`     // placed in the space
	Labels    []string   `json:"labels"`    // whose planes are drawn
	Seed      uint64     `json:"seed"`
	Plane     string     `json:"plane"` // paths of the files
	Scatter   string     `json:"scatter,omitempty"`
	CSV       string     `json:"csv,omitempty"`
	JSONL     string     `json:"jsonl,omitempty"`
}

// Paths lists the files, in the order in which they were written.
func (r Report) Paths() []string {
	return slices.DeleteFunc([]string{r.Plane, r.Scatter, r.CSV, r.JSONL}, func(path string) bool { return path == "" })
}

// String lists the Paths, one a line.
func (r Report) String() string { return strings.Join(r.Paths(), "\n") }

// Write makes the picture of the planes, plane.png, and, where recordings were added, scatter.png, latents.csv and
// latents.jsonl. Fit comes first. Nothing is stored of a file that cannot be made.
func (m *Map) Write(ctx context.Context, f Files) (Report, error) {
	if err := f.Validate(); err != nil {
		return Report{}, fmt.Errorf("latentmap: %w", err)
	}
	r := Report{
		Model: m.arch, Digest: m.digest, Latent: m.Latent(), Axes: "latents", Explained: m.plane.Explained,
		Clips: len(m.points), Labels: f.Labels, Seed: f.Seed, Plane: filepath.Join(f.Dir, "plane.png"),
	}
	if m.plane.Principal {
		r.Axes = "principal"
	}
	indices := make([]int, len(f.Labels))
	for i, name := range f.Labels {
		if indices[i] = slices.Index(m.labels, name); indices[i] < 0 {
			return Report{}, fmt.Errorf("latentmap: the model does not know the label %q", name)
		}
	}
	writers := []func(io.Writer) error{func(w io.Writer) error { return m.WritePlanes(ctx, w, indices, f.Grid, f.Seed) }}
	if r.Clips > 0 {
		r.Scatter, r.CSV, r.JSONL = filepath.Join(f.Dir, "scatter.png"), filepath.Join(f.Dir, "latents.csv"), filepath.Join(f.Dir, "latents.jsonl")
		writers = append(writers, m.WriteScatter, m.WriteCSV, m.WriteJSONL)
	}
	for i, path := range r.Paths() {
		var out bytes.Buffer
		if err := writers[i](&out); err != nil {
			return Report{}, fmt.Errorf("%s: %w", path, err)
		}
		if err := f.Store(path, out.Bytes()); err != nil {
			return Report{}, err
		}
	}
	return r, nil
}
