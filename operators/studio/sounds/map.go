package sounds

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"

	"wavemill/models"
	"wavemill/models/latentmap"
	"wavemill/models/sampling"
	"wavemill/operators/studio/web"
)

// atlasSeed is that of the draws which a map is made from. It is part of what an address with x and y means.
const atlasSeed = 1

// shownPoints is how many draws of a label the page shows.
const shownPoints = 60

func newAtlas(c models.Checkpoint) (*atlas, error) {
	m, err := latentmap.Open(c)
	if err != nil {
		return nil, err
	}
	if err := m.Fit(atlasSeed); err != nil {
		return nil, err
	}
	a := &atlas{plane: m}
	for i := range c.Labels {
		r, err := m.Region(i, atlasSeed)
		if err != nil {
			return nil, err
		}
		a.regions = append(a.regions, r)
	}
	return a, nil
}

// mapRegion is where a label lies, as the page sees it.
type mapRegion struct {
	Label  string       `json:"label"`
	Points [][2]float64 `json:"points"`
}

// showMap answers with the plane of a model's latents: its range and where the labels lie.
func (l *Library) showMap(w http.ResponseWriter, r *http.Request) error {
	m, err := l.find(r.URL.Query().Get("model"))
	if err != nil {
		return err
	}
	a, err := m.atlas()
	if errors.Is(err, latentmap.ErrNoSpace) {
		return web.Errorf(http.StatusConflict, "%v", err)
	}
	if err != nil {
		return err
	}
	x, y := [2]float64{math.Inf(1), math.Inf(-1)}, [2]float64{math.Inf(1), math.Inf(-1)}
	var regions []mapRegion
	for i, r := range a.regions {
		x, y = [2]float64{min(x[0], r.X[0]), max(x[1], r.X[1])}, [2]float64{min(y[0], r.Y[0]), max(y[1], r.Y[1])}
		regions = append(regions, mapRegion{m.sampler.Labels[i], r.Points[:min(shownPoints, len(r.Points))]})
	}
	return web.JSON(w, map[string]any{"x": x, "y": y, "explained": a.plane.Plane().Explained, "labels": regions})
}

// place returns the latents at a place of the map, as a given clip.
func (m *model) place(label int, at [2]float64) (*sampling.Source, error) {
	a, err := m.atlas()
	if err != nil {
		return nil, err
	}
	z := a.plane.Plane().Move(a.regions[label].Middle, at[0], at[1])
	h := sha256.New()
	for _, v := range z {
		if f := float64(v); math.IsNaN(f) || math.Abs(f) > farthest {
			return nil, web.Errorf(http.StatusBadRequest, "the place %g, %g is not on the map", at[0], at[1])
		}
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		h.Write(b[:])
	}
	return &sampling.Source{File: fmt.Sprintf("map %g %g", at[0], at[1]), SHA256: hex.EncodeToString(h.Sum(nil)), Latent: z}, nil
}

// farthest is the largest latent that a place may have: models draw them from a few standard deviations around 0.
const farthest = 1000
