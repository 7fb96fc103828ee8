package frontend

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
	"wavemill/models"
)

// AnalyzeAll analyzes clips in parallel, on as many goroutines as there are cores. specs[i] is nil where clip i cannot be
// used, and then errs[i] says why (see [FrontEnd.Analyze]). Its error is that of ctx.
func (f *FrontEnd) AnalyzeAll(ctx context.Context, clips []audio.Clip) (specs []*spectrogram.Spectrogram, errs []error, err error) {
	specs, errs = make([]*spectrogram.Spectrogram, len(clips)), make([]error, len(clips))
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range clips {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			specs[i], _, errs[i] = f.Analyze(clips[i])
			return working.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	return specs, errs, ctx.Err()
}

// Silence is the spectrogram of a clip without sound: its lowest value throughout, and of two channels the middle.
func (f *FrontEnd) Silence() *spectrogram.Spectrogram {
	frames, bins := f.Shape()
	s := &spectrogram.Spectrogram{Config: f.config.Spectrogram, Frames: frames, Bins: bins, Data: make([]float32, frames*bins)}
	for i := range s.Data {
		s.Data[i] = -1
	}
	if f.Channels() == 2 {
		for at := bins - spectrogram.StereoBins; at < len(s.Data); at += bins {
			clear(s.Data[at : at+spectrogram.StereoBands]) // pan
		}
	}
	return s
}

// BatchOf analyzes clips into one batch, all with label 0, in which a silent clip is [FrontEnd.Silence]. Any other clip
// that cannot be used is an error.
func (f *FrontEnd) BatchOf(ctx context.Context, clips []audio.Clip) (models.Batch, error) {
	specs, errs, err := f.AnalyzeAll(ctx, clips)
	if err != nil {
		return models.Batch{}, err
	}
	for i, err := range errs {
		switch {
		case errors.Is(err, ErrSilent):
			specs[i] = f.Silence()
		case err != nil:
			return models.Batch{}, fmt.Errorf("clip %d (%s): %w", i, clips[i].Source, err)
		}
	}
	return f.Batch(specs, make([]int, len(clips)))
}
