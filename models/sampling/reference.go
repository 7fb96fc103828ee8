package sampling

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
)

// ErrNoLabel is returned, wrapped, where the label of a given clip cannot be found out.
var ErrNoLabel = errors.New("the label of the clip is not known")

// maxSound is the greatest size of an audio file that is read whole, in bytes. A generated clip of the greatest length has
// fewer.
const maxSound = 256 << 20

// ReadReference reads an audio file and encodes it as a clip of a label. Without a label (""), it is the first label of
// the model among the file's title, its name up to the first "_", its whole name and its folder; otherwise what the
// classifier (nil: none) predicts. note gets lines for the user: what was changed in the clip, and where its label is
// from. Errors are those of [Sampler.Encode], [ErrNoLabel], or of reading the file.
func (s *Sampler) ReadReference(ctx context.Context, path, label string, c *eval.Classifier, note func(format string, args ...any)) (Reference, error) {
	data, err := models.ReadLimited(path, maxSound)
	if err != nil {
		return Reference{}, err
	}
	clip, info, err := codec.Decode(ctx, filepath.Base(path), data)
	if err != nil {
		return Reference{}, err
	}
	if label == "" {
		if label, err = s.labelOf(ctx, path, clip, info.Tags["INAM"], c, note); err != nil {
			return Reference{}, err
		}
	}
	source, notes, err := s.Encode(ctx, clip, label)
	if err != nil {
		return Reference{}, err
	}
	changes := info.Notes
	notes.Trimmed, notes.Padded = 0, 0 // These lose nothing.
	if s := notes.String(); s != "" {
		changes = append(changes, s)
	}
	if len(changes) > 0 {
		note("%s: %s", path, strings.Join(changes, "; "))
	}
	digest := sha256.Sum256(data)
	source.File, source.SHA256 = filepath.Base(path), hex.EncodeToString(digest[:])
	return Reference{Label: label, Like: source}, nil
}

// labelOf finds the label of a clip from where it comes from, or with a classifier.
func (s *Sampler) labelOf(ctx context.Context, path string, clip audio.Clip, title string, c *eval.Classifier, note func(format string, args ...any)) (string, error) {
	label, err := s.LabelOfName(path, title)
	if err != nil {
		return "", err
	}
	if label != "" {
		note("%s: taken for %q by its name", path, label)
		return label, nil
	}
	if c == nil {
		return "", fmt.Errorf("%w: neither its title nor its name contains a label of the model (%s)", ErrNoLabel, strings.Join(s.Labels, ", "))
	}
	p, err := c.Predict(ctx, []audio.Clip{clip})
	if err != nil {
		return "", err
	}
	index, probability := p.Label(0)
	label = c.Labels()[index]
	if !slices.Contains(s.Labels, label) {
		return "", fmt.Errorf("%w: the classifier predicts %q, which the model does not know", ErrNoLabel, label)
	}
	note("%s: the classifier predicts %q (%.0f %%)", path, label, 100*probability)
	return label, nil
}

// LabelOfName returns the label that a file's title, name or folder contains; "" for none.
func (s *Sampler) LabelOfName(path, title string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	name := filepath.Base(path)
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	prefix, _, _ := strings.Cut(stem, "_")
	for _, label := range []string{title, prefix, stem, filepath.Base(filepath.Dir(abs))} {
		if i := slices.IndexFunc(s.Labels, func(known string) bool {
			return label != "" && (label == known || label == dataset.FileSlug(known))
		}); i >= 0 {
			return s.Labels[i], nil
		}
	}
	return "", nil
}
