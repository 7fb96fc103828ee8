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

// FilterArch is the architecture's name in a filter's checkpoint, which `wavemill judge` writes.
const FilterArch = models.FilterArch

// Tensors of a filter's checkpoint. The names are part of the file format.
const (
	prefixClassifier = "classifier/"     // the classifier's
	tensorTrain      = "sieve/pictures"  // [N, P]: downsampled spectrograms of the training clips
	prefixScores     = "sieve/realness/" // followed by a checkpoint's digest: [labels + 1, 101], quantiles of its discriminator's scores of recordings
)

// filterConfig is what a filter's checkpoint holds beside its tensors.
type filterConfig struct {
	Classifier config  `json:"classifier"`
	Scale      float64 `json:"scale"`   // median distance between neighbours
	Newness    float64 `json:"newness"` // default of Limits.Newness
	// Rare are the labels with few training clips; see Filter.Rare.
	Rare []string `json:"rare,omitempty"`
}

// Checkpoint returns the filter, without its limits, as a self-describing checkpoint, to be opened with OpenFilter. It
// holds downsampled spectrograms of the training clips and, for each known discriminator, the scores of recordings, not
// the discriminator itself.
func (s *Filter) Checkpoint(known ...*DiscriminatorQuantile) (models.Checkpoint, error) {
	cp, err := s.classifier.Checkpoint()
	if err != nil {
		return cp, err
	}
	var c filterConfig
	if err := json.Unmarshal(cp.Config, &c.Classifier); err != nil { // Impossible: it was just written.
		return cp, fmt.Errorf("eval: %w", err)
	}
	c.Scale, c.Newness, c.Rare = s.scale, s.usual, s.rare
	if cp.Config, err = json.Marshal(c); err != nil {
		return cp, fmt.Errorf("eval: %w", err)
	}
	cp.Arch = FilterArch
	for i := range cp.Tensors {
		cp.Tensors[i].Name = prefixClassifier + cp.Tensors[i].Name
	}
	cp.Tensors = append(cp.Tensors, table(tensorTrain, s.train))
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

// OpenFilter returns the filter in a checkpoint made by Filter.Checkpoint, with default limits.
func OpenFilter(cp models.Checkpoint) (*Filter, error) {
	if cp.Arch != FilterArch {
		return nil, fmt.Errorf("the file holds a %s and no filter; \"wavemill judge\" makes one", cp.Arch)
	}
	var c filterConfig
	if err := json.Unmarshal(cp.Config, &c); err != nil {
		return nil, fmt.Errorf("eval: the filter's config: %w", err)
	}
	if !(c.Scale > 0) || !(c.Newness >= 0) {
		return nil, fmt.Errorf("eval: the filter's scale is %v, its newness %v", c.Scale, c.Newness)
	}
	classifier := cp
	var err error
	if classifier.Config, err = json.Marshal(c.Classifier); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	classifier.Arch, classifier.Tensors = Arch, nil
	for _, t := range cp.Tensors {
		if name, ok := strings.CutPrefix(t.Name, prefixClassifier); ok {
			t.Name = name
			classifier.Tensors = append(classifier.Tensors, t)
		}
	}
	s := &Filter{scale: c.Scale, usual: c.Newness, rare: c.Rare}
	if s.classifier, err = Open(classifier); err != nil {
		return nil, err
	}
	spectrograms, err := cp.Tensor(tensorTrain)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	frames, bins := s.classifier.model.front.Shape()
	if len(spectrograms.Shape) != 2 || spectrograms.Shape[0] < 1 || spectrograms.Shape[1] != frames/2*(bins/2) {
		return nil, fmt.Errorf("eval: the filter's downsampled spectrograms have the shape %v; those of clips [%d, %d] have %d values", spectrograms.Shape, frames, bins, frames/2*(bins/2))
	}
	s.train = rows(spectrograms)
	return s.Within(Limits{})
}

// ErrNotScored is returned, wrapped, where a filter's checkpoint lacks the scores of a model's discriminator.
var ErrNotScored = errors.New("the filter's file has no scores of recordings by this model's discriminator")

// OpenDiscriminatorQuantile opens the discriminator of model with the scores of recordings in a filter's checkpoint, cp.
// Where cp has none of this model, the error is ErrNotScored; where the model has no discriminator,
// models.ErrNoDiscriminator.
func OpenDiscriminatorQuantile(cp, model models.Checkpoint) (*DiscriminatorQuantile, error) {
	r, err := openDiscriminator(model)
	if err != nil {
		return nil, err
	}
	t, err := cp.Tensor(prefixScores + r.scores.digest)
	if err != nil {
		return nil, fmt.Errorf("%w (digest %.12s)", ErrNotScored, r.scores.digest)
	}
	if !slices.Equal(t.Shape, []int{len(r.labels) + 1, scoreQuantiles}) {
		return nil, fmt.Errorf("eval: the scores of model %.12s have the shape %v", r.scores.digest, t.Shape)
	}
	r.scores.values = rows(t)
	for l, q := range r.scores.values {
		if !slices.IsSorted(q) {
			return nil, fmt.Errorf("eval: the scores of model %.12s do not rise (row %d)", r.scores.digest, l)
		}
	}
	return r, nil
}
