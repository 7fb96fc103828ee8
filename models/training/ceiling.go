package training

import (
	"context"
	"fmt"
	"math"
	"time"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/frontend"
)

const (
	ceilingClips = 128  // that the distances are measured on
	ceilingTests = 400  // that the classifier predicts, at most
	ceilingLearn = 3000 // that the classifier learns from, at most
	ceilingSeed  = 1

	// Beyond these, a front end is the bottleneck: from there on, a classifier of spoken digits recognises fewer of them
	// after the round trip (docs/experiments.md).
	mostLogSpectral = 7.0   // dB
	leastSNR        = 5.0   // dB, of the magnitudes
	mostDrop        = 0.02  // of label accuracy
	mostCut         = 0.05  // of the clips; the plan itself leaves 2 %
	mostLost        = 0.01  // of the power: -20 dB
	mostClamped     = 0.001 // of the values

	// leastLearn and leastTests are how many recordings the classifier must have to learn from and to predict: with fewer,
	// a drop cannot be told from chance.
	leastLearn = 20
	leastTests = 10
)

// A Ceiling is what a front end leaves of recordings: the best that a model behind it can do.
type Ceiling struct {
	frontend.Ceiling
	Classifier *CeilingLabels `json:"classifier,omitempty"`
}

// CeilingLabels are what a classifier, trained on some of the recordings, predicts for others before and after the round
// trip.
type CeilingLabels struct {
	Clips     int     `json:"clips"`
	Real      float64 `json:"real"`       // label accuracy
	RoundTrip float64 `json:"round_trip"` // of the same clips
	Error     float64 `json:"error"`      // standard error of the difference
	Seconds   float64 `json:"seconds"`
}

// MeasureCeiling measures the ceiling of a front end on recordings. classifier bounds the time for training a classifier: 0
// trains none, a negative time has no limit. Where there are too few recordings for one, the result has none. onProgress,
// which may be nil, is called after every epoch.
func MeasureCeiling(ctx context.Context, fe models.FrontEnd, recordings []dataset.Recording, classifier time.Duration, onProgress func(eval.Progress)) (Ceiling, error) {
	ids := dataset.Identities(recordings)
	all := canonical(ids)
	c, err := frontend.MeasureCeiling(ctx, fe, clipsAt(recordings, every(all, ceilingClips)), ceilingSeed)
	if err != nil || classifier == 0 || len(labelsOf(ids, all)) < 2 {
		return Ceiling{Ceiling: c}, err
	}
	parts, err := Divide(ids, dataset.Holdout{Share: 0.1, Seed: ceilingSeed}, nil)
	if err != nil {
		return Ceiling{}, err
	}
	learn := parts.Learnable()
	if len(learn) < leastLearn || len(parts.HeldOut) < leastTests {
		return Ceiling{Ceiling: c}, nil
	}
	began := time.Now()
	o := eval.Options{Seed: ceilingSeed, Budget: max(classifier, 0), OnProgress: onProgress}
	trained, err := eval.Train(ctx, frontend.InChannelsOf(clipsAt(recordings, every(learn, ceilingLearn)), fe), o)
	if err != nil {
		return Ceiling{}, err
	}
	l, err := labelCeiling(ctx, trained, fe, frontend.InChannelsOf(clipsAt(recordings, every(parts.HeldOut, ceilingTests)), fe))
	if err != nil {
		return Ceiling{}, err
	}
	l.Seconds = time.Since(began).Seconds()
	return Ceiling{c, l}, nil
}

// labelCeiling compares the predictions of a classifier before and after the round trip.
func labelCeiling(ctx context.Context, classifier *eval.Classifier, fe models.FrontEnd, clips []audio.Clip) (*CeilingLabels, error) {
	back, err := eval.RoundTrip(ctx, fe, clips, ceilingSeed)
	if err != nil {
		return nil, err
	}
	before, err := classifier.Predict(ctx, clips)
	if err != nil {
		return nil, err
	}
	after, err := classifier.Predict(ctx, back)
	if err != nil {
		return nil, err
	}
	names := classifier.Labels()
	n := float64(len(clips))
	l := &CeilingLabels{Clips: len(clips)}
	changed := 0.0
	for i, c := range clips {
		was, _ := before.Label(i)
		is, _ := after.Label(i)
		if names[was] == c.Label {
			l.Real += 1 / n
		}
		if names[is] == c.Label {
			l.RoundTrip += 1 / n
		}
		if (names[was] == c.Label) != (names[is] == c.Label) {
			changed++
		}
	}
	l.Error = math.Sqrt(changed) / n // of paired answers, as McNemar's test takes it
	return l, nil
}

// clipsAt returns the clips of the recordings with the given indices.
func clipsAt(recordings []dataset.Recording, indices []int) []audio.Clip {
	out := make([]audio.Clip, len(indices))
	for i, at := range indices {
		out[i] = recordings[at].Clip
	}
	return out
}

// every returns at most n of x, evenly spaced.
func every[T any](x []T, n int) []T {
	if len(x) <= n {
		return x
	}
	out := make([]T, n)
	for i := range out {
		out[i] = x[i*len(x)/n]
	}
	return out
}

// Warnings say where the front end is the bottleneck, and what to change.
func (c Ceiling) Warnings(fe models.FrontEnd) []string {
	var w []string
	s := fe.Spectrogram
	finer := fmt.Sprintf("--mels %d", 2*s.Mono().Bins())
	if l := c.Classifier; l != nil {
		if drop := l.Real - l.RoundTrip; drop > mostDrop && drop > 2*l.Error {
			w = append(w, fmt.Sprintf("the front end is the bottleneck: a classifier recognises %.1f %% of the recordings, and %.1f %% after the round trip; no model will do better. Try %s, or --n-fft %d",
				100*l.Real, 100*l.RoundTrip, finer, s.NFFT/2))
		}
	}
	if len(w) == 0 && (c.LogSpectral > mostLogSpectral || c.SpectralSNR < leastSNR) {
		w = append(w, fmt.Sprintf("the front end may be the bottleneck: a round trip changes spectra by %.1f dB and leaves %.1f dB above the error (beyond %.0f and %.0f, fewer labels are recognised). Try %s, or --n-fft %d; \"wavemill plan --ceiling full\" measures the labels",
			c.LogSpectral, c.SpectralSNR, mostLogSpectral, leastSNR, finer, s.NFFT/2))
	}
	if c.Cut > mostCut && c.Lost > mostLost {
		w = append(w, fmt.Sprintf("%.0f %% of the clips are cut, and %.1f %% of their sound with it. Try --frames %d, or cut the recordings into shorter ones",
			100*c.Cut, 100*c.Lost, min(fe.Frames*2, 1<<16)))
	}
	if c.Sound != nil {
		w = append(w, soundWarnings(fe, *c.Sound)...)
	}
	w = append(w, imageWarnings(fe, c.Image)...)
	switch {
	case c.Clamped <= mostClamped:
	case s.Scale == spectrogram.ScaleOneShot: // Its range is fixed, relative to each clip's peak.
		w = append(w, fmt.Sprintf("%.2f %% of the values are above the scaling's range: these partials come back quieter than the rest of their clips", 100*c.Clamped))
	default:
		w = append(w, fmt.Sprintf("%.2f %% of the values are above the scaling's range: the loudest sounds come back quieter. Leave --front-end out, so that the range is fitted", 100*c.Clamped))
	}
	return w
}

// guessing is the accuracy, relative to guessing, below which a classifier does not tell labels apart.
const guessing = 1.3

// labelWarning warns of labels that a classifier does not tell apart.
func (c Ceiling) labelWarning(fe models.FrontEnd, labels int, stereo int) []string {
	l := c.Classifier
	if l == nil || l.Real > guessing/float64(labels) {
		return nil
	}
	text := fmt.Sprintf("a classifier cannot tell the labels apart: it recognises %.0f %% of other recordings, and guessing %.0f %%. A model cannot learn them either: check the labels", 100*l.Real, 100/float64(labels))
	if stereo > 0 && fe.Spectrogram.Channels != 2 {
		text += "; labels that differ by panning alone need two channels: leave --mono out"
	}
	return []string{text}
}
