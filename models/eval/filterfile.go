package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wavemill/models"
)

// FilterArch is the architecture's name in a sieve's checkpoint: what `wavemill judge` writes.
const FilterArch = "judge"

// Tensors of a sieve's checkpoint.
const (
	prefixClassifier = "classifier/"     // the classifier's
	tensorPictures   = "sieve/pictures"  // [N, P]: training clips at half the resolution
	prefixScores     = "sieve/realness/" // followed by a digest: [labels + 1, 101], quantiles of the scores of recordings
)

// sieveConfig is what a sieve's checkpoint says beside its tensors.
type sieveConfig struct {
	Classifier config  `json:"classifier"`
	Scale      float64 `json:"scale"`   // usual distance between neighbours
	Newness    float64 `json:"newness"` // the least, as a ratio of distances
}

// Checkpoint returns the sieve, without its limits, as a self-describing checkpoint, to be opened with OpenSieve. It
// holds pictures of the training clips at half their resolution. Of the discriminators that it knows recordings'
// scores by, it holds the scores; the discriminators stay where they are.
func (s *Filter) Checkpoint(known ...*DiscriminatorQuantile) (models.Checkpoint, error) {
	cp, err := s.classifier.Checkpoint()
	if err != nil {
		return cp, err
	}
	var c sieveConfig
	if err := json.Unmarshal(cp.Config, &c.Classifier); err != nil { // Impossible: it was just written.
		return cp, fmt.Errorf("eval: %w", err)
	}
	c.Scale, c.Newness = s.scale, s.usual
	if cp.Config, err = json.Marshal(c); err != nil {
		return cp, fmt.Errorf("eval: %w", err)
	}
	cp.Arch = FilterArch
	for i := range cp.Tensors {
		cp.Tensors[i].Name = prefixClassifier + cp.Tensors[i].Name
	}
	cp.Tensors = append(cp.Tensors, table(tensorPictures, s.train))
	byDigest := map[string]*DiscriminatorQuantile{}
	for _, r := range known {
		byDigest[r.scores.digest] = r
	}
	for _, digest := range slices.Sorted(maps.Keys(byDigest)) {
		cp.Tensors = append(cp.Tensors, table(prefixScores+digest, byDigest[digest].scores.values))
	}
	return cp, nil
}

// table is rows as a tensor. Values are float32 already.
func table(name string, rows [][]float64) models.Tensor {
	t := models.Tensor{Name: name, Shape: []int{len(rows), len(rows[0])}}
	for _, row := range rows {
		for _, v := range row {
			t.Data = append(t.Data, float32(v))
		}
	}
	return t
}

// rows is the inverse of table.
func rows(t models.Tensor) [][]float64 {
	out := make([][]float64, 0, t.Shape[0])
	for row := range slices.Chunk(t.Data, t.Shape[1]) {
		r := make([]float64, len(row))
		for i, v := range row {
			r[i] = float64(v)
		}
		out = append(out, r)
	}
	return out
}

// OpenFilter returns the sieve in a checkpoint made by Sieve.Checkpoint, with default limits.
func OpenFilter(cp models.Checkpoint) (*Filter, error) {
	if cp.Arch != FilterArch {
		return nil, fmt.Errorf("eval: the checkpoint holds a %q, not a %s", cp.Arch, FilterArch)
	}
	var c sieveConfig
	if err := json.Unmarshal(cp.Config, &c); err != nil {
		return nil, fmt.Errorf("eval: the judge's config: %w", err)
	}
	if !(c.Scale > 0) || !(c.Newness >= 0) {
		return nil, fmt.Errorf("eval: the judge's scale is %v, its newness %v", c.Scale, c.Newness)
	}
	listener := cp
	var err error
	if listener.Config, err = json.Marshal(c.Classifier); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	listener.Arch, listener.Tensors = Arch, nil
	for _, t := range cp.Tensors {
		if name, ok := strings.CutPrefix(t.Name, prefixClassifier); ok {
			t.Name = name
			listener.Tensors = append(listener.Tensors, t)
		}
	}
	s := &Filter{scale: c.Scale, usual: c.Newness}
	if s.classifier, err = Open(listener); err != nil {
		return nil, err
	}
	pictures, err := cp.Tensor(tensorPictures)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	frames, bins := s.classifier.model.front.Shape()
	if len(pictures.Shape) != 2 || pictures.Shape[0] < 1 || pictures.Shape[1] != frames/2*(bins/2) {
		return nil, fmt.Errorf("eval: the judge's pictures have the shape %v; those of clips [%d, %d] have %d values", pictures.Shape, frames, bins, frames/2*(bins/2))
	}
	s.train = rows(pictures)
	return s.Within(Limits{})
}

// ErrNotScored is returned, wrapped, where a judge has not heard what a checkpoint's discriminator says of recordings.
var ErrNotScored = errors.New("the judge does not know how this model's discriminator scores recordings")

// OpenDiscriminatorQuantile returns what a sieve's checkpoint knows of the discriminator of another, model. Where it knows nothing of
// it: ErrNotScored; where the model has none: models.ErrNoDiscriminator.
func OpenDiscriminatorQuantile(cp, model models.Checkpoint) (*DiscriminatorQuantile, error) {
	r, err := openRealness(model)
	if err != nil {
		return nil, err
	}
	t, err := cp.Tensor(prefixScores + r.scores.digest)
	if err != nil {
		return nil, fmt.Errorf("%w (digest %.12s)", ErrNotScored, r.scores.digest)
	}
	if !slices.Equal(t.Shape, []int{len(r.labels) + 1, scoreQuantiles}) {
		return nil, fmt.Errorf("eval: the judge's scores of model %.12s have the shape %v", r.scores.digest, t.Shape)
	}
	r.scores.values = rows(t)
	for l, q := range r.scores.values {
		if !slices.IsSorted(q) {
			return nil, fmt.Errorf("eval: the judge's scores of model %.12s do not rise (row %d)", r.scores.digest, l)
		}
	}
	return r, nil
}
