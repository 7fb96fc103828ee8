package frontend

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
)

// An Analysis is the result of Analyze for one clip of several: a spectrogram, or the reason why there is none.
type Analysis struct {
	Spectrogram *spectrogram.Spectrogram // nil where Err is not
	Notes       Notes
	Err         error // such as ErrSilent
}

// AnalyzeAll analyses clips on all processors and returns one Analysis per clip, in their order. A clip that cannot be
// used carries its own error; AnalyzeAll itself fails only when ctx ends.
func (f *FrontEnd) AnalyzeAll(ctx context.Context, clips []audio.Clip) ([]Analysis, error) {
	out := make([]Analysis, len(clips))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range clips {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			a := &out[i]
			a.Spectrogram, a.Notes, a.Err = f.Analyze(c)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, ctx.Err()
}
