package eval

import (
	"context"
	"errors"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/frontend"
)

// synthesize turns a batch into clips as they come back from WAV files; the phase of clip i comes from seed and i. A
// spectrogram without sound becomes half a second of silence.
func synthesize(ctx context.Context, front *frontend.FrontEnd, b models.Batch, seed uint64) ([]audio.Clip, error) {
	clips := make([]audio.Clip, b.B)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i := range clips {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			c, err := front.Synthesize(b, i, rng.Uint64())
			if errors.Is(err, frontend.ErrSilent) {
				rate := front.Config().Spectrogram.SampleRate
				c, err = audio.Clip{Samples: make([]float32, rate/2), Channels: 1, Rate: rate}, nil
			}
			if err != nil {
				return err
			}
			clips[i], err = throughFile(c)
			return err
		})
	}
	return clips, group.Wait()
}

// throughFile returns a clip as it comes back from a 16-bit WAV file.
func throughFile(c audio.Clip) (audio.Clip, error) {
	file, err := wav.Encode(c, wav.Options{})
	if err != nil {
		return audio.Clip{}, err
	}
	c, _, err = wav.Decode(file)
	return c, err
}

// RoundTrip sends clips through a front end and back: what a perfect model behind it would make, the ceiling of all
// models that use it. Labels are kept; a clip that the front end finds silent comes back silent. Phases come from the
// seed and the clip's number.
func RoundTrip(ctx context.Context, fe models.FrontEnd, clips []audio.Clip, seed uint64) ([]audio.Clip, error) {
	front, err := frontend.New(fe)
	if err != nil {
		return nil, err
	}
	b, err := analyze(ctx, front, clips)
	if err != nil {
		return nil, err
	}
	out, err := synthesize(ctx, front, b, seed)
	for i := range out {
		out[i].Label, out[i].Source = clips[i].Label, clips[i].Source
	}
	return out, err
}

// Noise returns white noise with the durations, levels and labels of clips, as a model that has learnt nothing would.
func Noise(clips []audio.Clip, seed uint64) []audio.Clip {
	rng := rand.New(rand.NewPCG(seed, 0x6e6f697365))
	out := make([]audio.Clip, len(clips))
	for i, c := range clips {
		level := c.RMS()
		c = c.Mono()
		x := make([]float32, len(c.Samples))
		for j := range x {
			x[j] = float32(min(max(level*rng.NormFloat64(), -1), 1))
		}
		c.Samples, c.Source = x, "noise"
		out[i] = c
	}
	return out
}
