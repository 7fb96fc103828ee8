package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/frontend"
)

const (
	ceilingClips = 128 // that the distances are measured on
	ceilingTests = 400 // that the classifier hears, at most
	ceilingLearn = 3000
	ceilingSeed  = 1

	// Above and below, a front end is the bottleneck: from there on, a classifier of spoken digits hears fewer of them
	// after the round trip (docs/frontend.md).
	mostLogSpectral = 7.0 // dB
	leastSNR        = 5.0 // dB, of the magnitudes
	mostDrop        = 0.02
	mostCut         = 0.05 // the plan itself leaves 2 % of the clips
	mostLost        = 0.01 // of the power: -20 dB
	mostClamped     = 0.001

	// ceilingShare is the most that the ceiling's classifier may take of a budget, and ceilingLeast the least that it
	// needs to be worth its time.
	ceilingShare = 0.05
	ceilingLeast = 15 * time.Second
)

// A ceiling is what the front end leaves of recordings: what a perfect model would make.
type ceiling struct {
	frontend.Ceiling
	Classifier *ceilingLabels `json:"classifier,omitempty"`
}

// ceilingLabels is what a classifier, trained on the recordings, hears in others before and after the round trip.
type ceilingLabels struct {
	Clips     int     `json:"clips"`
	Real      float64 `json:"real"`       // label accuracy
	RoundTrip float64 `json:"round_trip"` // of the same clips
	Error     float64 `json:"error"`      // standard error of the difference
	Seconds   float64 `json:"seconds"`
}

// classifierTime is how long the ceiling's classifier may be trained: 0 for not at all, negative for no limit.
func (o *frontOptions) classifierTime(budget time.Duration) time.Duration {
	switch o.ceiling {
	case ceilingFull:
		return -1
	case ceilingAuto:
		if t := time.Duration(ceilingShare * float64(budget)); t >= ceilingLeast {
			return t
		}
	}
	return 0
}

// measureCeiling measures the ceiling of a front end on recordings.
func (a *app) measureCeiling(ctx context.Context, fe models.FrontEnd, recordings []recording, classifier time.Duration) (ceiling, error) {
	task := a.console.StartTimed("ceiling", max(classifier, 0))
	defer task.Done()
	sample := every(recordings, ceilingClips)
	c, err := frontend.MeasureCeiling(ctx, fe, clipsOf(sample), ceilingSeed)
	if err != nil || classifier == 0 || len(labelNames(recordings)) < 2 {
		return ceiling{Ceiling: c}, err
	}
	learn, test := split(recordings, ceilingSeed)
	if len(learn) < 20 || len(test) < 10 {
		return ceiling{Ceiling: c}, nil // too few to tell a drop from chance
	}
	began := time.Now()
	o := eval.Options{Seed: ceilingSeed, Budget: max(classifier, 0), OnProgress: func(p eval.Progress) {
		task.Note("classifier, epoch %d of %d", p.Epoch, p.Epochs)
		task.Elapse(p.Elapsed)
	}}
	judge, err := eval.Train(ctx, clipsOf(every(learn, ceilingLearn)), o)
	if err != nil {
		return ceiling{}, err
	}
	l, err := hearCeiling(ctx, judge, fe, every(test, ceilingTests))
	if err != nil {
		return ceiling{}, err
	}
	l.Seconds = time.Since(began).Seconds()
	return ceiling{c, l}, nil
}

// hearCeiling compares what a classifier hears in recordings before and after the round trip.
func hearCeiling(ctx context.Context, judge *eval.Classifier, fe models.FrontEnd, test []recording) (*ceilingLabels, error) {
	clips := clipsOf(test)
	back, err := eval.RoundTrip(ctx, fe, clips, ceilingSeed)
	if err != nil {
		return nil, err
	}
	before, err := judge.Predict(ctx, clips)
	if err != nil {
		return nil, err
	}
	after, err := judge.Predict(ctx, back)
	if err != nil {
		return nil, err
	}
	names := judge.Labels()
	n := float64(len(clips))
	l := &ceilingLabels{Clips: len(clips)}
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

// warnings says where the front end is the bottleneck, and what to change.
func (c ceiling) warnings(fe models.FrontEnd) []string {
	var w []string
	s := fe.Spectrogram
	finer := fmt.Sprintf("--mels %d", 2*s.Bins())
	if l := c.Classifier; l != nil {
		if drop := l.Real - l.RoundTrip; drop > mostDrop && drop > 2*l.Error {
			w = append(w, fmt.Sprintf("the front end is the bottleneck: a classifier names %.1f %% of the recordings, and %.1f %% after the round trip; no model will do better. Try %s, or --n-fft %d",
				100*l.Real, 100*l.RoundTrip, finer, s.NFFT/2))
		}
	}
	if len(w) == 0 && (c.LogSpectral > mostLogSpectral || c.SpectralSNR < leastSNR) {
		w = append(w, fmt.Sprintf("the front end may be the bottleneck: a round trip changes spectra by %.1f dB and leaves %.1f dB above the error (%.0f and %.0f are where labels begin to suffer). Try %s, or --n-fft %d; \"wavemill plan --ceiling full\" tells whether labels suffer",
			c.LogSpectral, c.SpectralSNR, mostLogSpectral, leastSNR, finer, s.NFFT/2))
	}
	if c.Cut > mostCut && c.Lost > mostLost {
		w = append(w, fmt.Sprintf("%.0f %% of the clips are cut, and %.1f %% of their sound with it. Try --frames %d, or cut the recordings into shorter ones",
			100*c.Cut, 100*c.Lost, min(fe.Frames*2, 1<<16)))
	}
	if c.Clamped > mostClamped {
		w = append(w, fmt.Sprintf("%.2f %% of the values are above the scaling's range: the loudest sounds come back quieter. Leave --front-end out, so that the range is fitted", 100*c.Clamped))
	}
	return w
}
