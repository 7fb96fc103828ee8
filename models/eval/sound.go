package eval

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
)

// Generate makes one clip per entry of labels, which are indices into the checkpoint's, as a listener gets it: phase
// reconstructed, 16 bits a sample, labelled with what was asked for. Where the model made silence, so is the clip.
// Clip i depends on the checkpoint, labels[i], seed and i alone. onProgress, when not nil, is called now and then with
// the number of clips made.
func Generate(ctx context.Context, cp models.Checkpoint, labels []int, seed uint64, onProgress func(made int)) ([]audio.Clip, error) {
	generator, err := architectures.Open(cp)
	if err != nil {
		return nil, err
	}
	front, err := frontend.New(cp.FrontEnd)
	if err != nil {
		return nil, err
	}
	const share = 64
	clips := make([]audio.Clip, 0, len(labels))
	for lo := 0; lo < len(labels); lo += share {
		part := labels[lo:min(lo+share, len(labels))]
		b, err := generator.Generate(ctx, models.Series(part, seed+uint64(lo), 0))
		if err != nil {
			return nil, err
		}
		made, err := synthesize(ctx, front, b, seed, lo)
		if err != nil {
			return nil, err
		}
		for i := range made {
			made[i].Label = cp.Labels[part[i]]
			made[i].Source = fmt.Sprintf("%s, clip %d of seed %d", cp.Arch, lo+i, seed)
		}
		clips = append(clips, made...)
		if onProgress != nil {
			onProgress(len(clips))
		}
	}
	return clips, nil
}

// synthesize turns a batch into clips; the phase of clip i comes from seed and first+i.
func synthesize(ctx context.Context, front *frontend.FrontEnd, b models.Batch, seed uint64, first int) ([]audio.Clip, error) {
	clips := make([]audio.Clip, b.B)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i := range clips {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			rng := rand.New(rand.NewPCG(seed, uint64(first+i)))
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

// throughFile returns a clip as it comes back from a WAV file.
func throughFile(c audio.Clip) (audio.Clip, error) {
	file, err := wav.Encode(c, wav.Options{})
	if err != nil {
		return audio.Clip{}, err
	}
	c, _, err = wav.Decode(file)
	return c, err
}

// RoundTrip sends clips through a front end and back: what a perfect model behind it would make, the ceiling of all
// models that use it. Labels are kept; a clip that the front end finds silent comes back silent.
func RoundTrip(ctx context.Context, fe models.FrontEnd, clips []audio.Clip, seed uint64) ([]audio.Clip, error) {
	front, err := frontend.New(fe)
	if err != nil {
		return nil, err
	}
	b, err := analyze(ctx, front, clips)
	if err != nil {
		return nil, err
	}
	out, err := synthesize(ctx, front, b, seed, 0)
	for i := range out {
		out[i].Label, out[i].Source = clips[i].Label, clips[i].Source
	}
	return out, err
}

// Noise returns white noise with the durations, levels and labels of clips: what a model is that learnt nothing.
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
