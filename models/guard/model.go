package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"wavemill/audio"
	"wavemill/internal/stats"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/nn/kernel"
)

// A Model judges clips by a generative model of them: how well its autoencoder, if it has one, reconstructs a clip under the
// clip's label and under another one, and the score of its discriminator, if it has one. Its limits are those of recent
// clips, see [Model.Calibrate]. It is safe for concurrent use once it is calibrated.
type Model struct {
	Digest string // of the checkpoint
	Labels []string

	front         *frontend.FrontEnd
	autoencoder   models.Autoencoder   // nil: none
	discriminator models.Discriminator // nil: none
	errors        map[string]float64   // greatest reconstruction error by label
	preference    float64              // greatest ratio of the errors under the clip's label and under another
	scores        []float64            // of the discriminator, ascending; nil: not known
}

// OpenModel opens a checkpoint. It is an error where the model has neither an autoencoder nor a discriminator.
func OpenModel(c models.Checkpoint) (*Model, error) {
	digest, err := c.Digest()
	if err != nil {
		return nil, err
	}
	m := &Model{Digest: digest, Labels: c.Labels}
	if m.front, err = frontend.New(c.FrontEnd); err != nil {
		return nil, err
	}
	g, err := architectures.Open(c)
	if err != nil {
		return nil, err
	}
	m.autoencoder, _ = g.(models.Autoencoder)
	if m.discriminator, err = architectures.OpenDiscriminator(c); err != nil && !errors.Is(err, models.ErrNoDiscriminator) {
		return nil, err
	}
	if m.autoencoder == nil && m.discriminator == nil {
		return nil, fmt.Errorf("guard: a model of architecture %s cannot judge clips: it has neither an encoder nor a discriminator", c.Arch)
	}
	return m, nil
}

// A Sample is what a model sees of a clip.
type Sample struct {
	Label  string
	Values []float32 // [frames, bins] of the model's front end
}

// OfClip returns the sample of a clip; ok is false for a clip that the model cannot judge: of a label that it does not know,
// or without sound.
func (m *Model) OfClip(c audio.Clip) (s Sample, ok bool) {
	if !slices.Contains(m.Labels, c.Label) {
		return Sample{}, false
	}
	spec, _, err := m.front.Analyze(c)
	if err != nil {
		return Sample{}, false
	}
	return Sample{c.Label, spec.Data}, true
}

// OfSpectrogram returns the sample of a spectrogram; ok is false where it has another front end than the model, apart from the way
// back to sound, or a label that the model does not know.
func (m *Model) OfSpectrogram(label string, values []float32, fe models.FrontEnd) (s Sample, ok bool) {
	fe.Phase = m.front.Config().Phase
	return Sample{label, values}, fe == m.front.Config() && slices.Contains(m.Labels, label)
}

// measured are a model's figures of a sample, without their limits.
type measured struct {
	error, ratio, score float64
	compared            bool // ratio is set
}

// measure returns the figures of a sample. other is a label to compare with; one that the model does not know is left out.
func (m *Model) measure(ctx context.Context, s Sample, other string) (measured, error) {
	var out measured
	var err error
	own := slices.Index(m.Labels, s.Label)
	if m.autoencoder != nil {
		if out.error, err = m.reconstruct(ctx, s, own); err != nil {
			return out, err
		}
		if o := slices.Index(m.Labels, other); o >= 0 && o != own {
			e, err := m.reconstruct(ctx, s, o)
			if err != nil {
				return out, err
			}
			out.ratio, out.compared = out.error/max(e, 1e-12), true
		}
	}
	if m.discriminator != nil {
		scores, err := m.discriminator.Score(ctx, m.batch(s, own))
		if err != nil {
			return out, fmt.Errorf("guard: discriminator: %w", err)
		}
		out.score = scores[0]
	}
	return out, nil
}

func (m *Model) batch(s Sample, label int) models.Batch {
	frames, bins := m.front.Shape()
	return models.Batch{B: 1, T: frames, F: bins, Data: s.Values, Labels: []int{label}}
}

// reconstruct returns the mean squared error of a reconstruction under a label.
func (m *Model) reconstruct(ctx context.Context, s Sample, label int) (float64, error) {
	b := m.batch(s, label)
	mean, _, err := m.autoencoder.Encode(ctx, b)
	if err != nil {
		return 0, fmt.Errorf("guard: encode: %w", err)
	}
	decoded, err := m.autoencoder.Decode(ctx, mean, b.Labels)
	if err != nil {
		return 0, fmt.Errorf("guard: decode: %w", err)
	}
	return kernel.SumSquaredDiff(decoded.Data, s.Values) / float64(len(s.Values)), nil
}

// Calibrate sets the limits by recent clips: the samples of those that the detector passes. It needs ten or more; with fewer,
// the model judges nothing. heard are the labels to compare with.
func (m *Model) Calibrate(ctx context.Context, samples []Sample, heard []string, l Limits) error {
	var ratios []float64
	byLabel := map[string][]float64{}
	m.errors, m.scores, m.preference = nil, nil, 0
	if len(samples) < 10 {
		return nil
	}
	for i, s := range samples {
		f, err := m.measure(ctx, s, heard[i])
		if err != nil {
			return err
		}
		byLabel[s.Label] = append(byLabel[s.Label], f.error)
		byLabel[""] = append(byLabel[""], f.error)
		m.scores = append(m.scores, f.score)
		if f.compared {
			ratios = append(ratios, f.ratio)
		}
	}
	slices.Sort(m.scores)
	if m.autoencoder != nil {
		m.errors = map[string]float64{}
		for label, of := range byLabel {
			if len(of) >= l.Least {
				m.errors[label] = robustRatio(of, l.Spread)
			}
		}
	}
	if len(ratios) >= 10 {
		m.preference = max(1.02, stats.Quantile(ratios, 0.99))
	}
	return nil
}

// farther is an error, relative to its limit, that no score of the classifier makes up for.
const farther = 2

// uncertain is by how much the classifier may prefer the clip's label where the model contradicts it.
const uncertain = 0.25

// Judge adds the findings of the model to a verdict.
func (m *Model) Judge(ctx context.Context, v *Verdict, s Sample, l Limits) error {
	if m.scores == nil {
		return nil
	}
	f, err := m.measure(ctx, s, v.Scores.Heard)
	if err != nil {
		return err
	}
	limit, known := m.errors[s.Label]
	if !known {
		limit, known = m.errors[""]
	}
	if known && limit > 0 {
		r := f.error / limit
		v.Scores.Reconstruction = &r
		if own := v.Scores.Own; r > farther || r > 1 && (own == nil || *own < max(certain, *v.Scores.Other)) {
			v.find(l, RuleModel, "the model's reconstruction error is %.1f times the greatest usual one", r)
		}
	}
	if f.compared && m.preference > 0 {
		r := f.ratio / m.preference
		v.Scores.Preference = &r
		if own, other := v.Scores.Own, v.Scores.Other; r > 1 && own != nil && *other > *own-uncertain {
			v.find(l, RuleLabel, "the model reconstructs it better as %s", v.Scores.Heard)
		}
	}
	if m.discriminator != nil {
		below, _ := slices.BinarySearch(m.scores, f.score)
		share := float64(below) / float64(len(m.scores))
		v.Scores.Realness = &share
		if share < l.Realness {
			v.find(l, RuleUnreal, "the model's discriminator scores it lower than %.1f %% of recent clips", 100*(1-share))
		}
	}
	return nil
}
