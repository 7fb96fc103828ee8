package stereo

import (
	"fmt"

	"wavemill/audio"
	"wavemill/audio/spectrogram"
)

// A Transform makes spectrograms of two channels and two channels of spectrograms: those of a spectrogram.Config with two
// Channels. It is not safe for concurrent use.
type Transform struct {
	config spectrogram.Config
	mono   *spectrogram.Transform
	image  *imager
}

// New makes a Transform. It fails where spectrogram.New fails for one channel, and for a Config of one channel.
func New(c spectrogram.Config) (*Transform, error) {
	if c.Channels != 2 {
		return nil, fmt.Errorf("stereo: a config of %d channels; package spectrogram makes one", max(1, c.Channels))
	}
	mono, err := spectrogram.New(c.Mono())
	if err != nil {
		return nil, err
	}
	image, err := newImager(c.SampleRate)
	if err != nil {
		return nil, err
	}
	return &Transform{config: c, mono: mono, image: image}, nil
}

// Config returns the Config that t was made from.
func (t *Transform) Config() spectrogram.Config { return t.config }

// Mono returns the transform of one channel. It is t's own.
func (t *Transform) Mono() *spectrogram.Transform { return t.mono }

// Forward computes the spectrogram of interleaved samples of two channels: the features of their Downmix, then their image
// in each frame.
func (t *Transform) Forward(samples []float32) (*spectrogram.Spectrogram, error) {
	c, err := Downmix(audio.Clip{Samples: samples, Channels: 2, Rate: t.config.SampleRate})
	if err != nil {
		return nil, err
	}
	s, err := t.mono.Forward(nil, c.Samples)
	if err != nil {
		return nil, err
	}
	return t.join(s, t.image.Measure(samples, t.middles(s.Frames))), nil
}

// middles returns the samples in the middle of so many frames.
func (t *Transform) middles(frames int) []int {
	out := make([]int, frames)
	for i := range out {
		out[i] = t.config.Samples(i + 1)
	}
	return out
}

func (t *Transform) join(s *spectrogram.Spectrogram, image []float32) *spectrogram.Spectrogram {
	out := &spectrogram.Spectrogram{Config: t.config, Frames: s.Frames, Bins: t.config.Bins()}
	out.Data = make([]float32, 0, out.Frames*out.Bins)
	for f := range s.Frames {
		out.Data = append(out.Data, s.Data[f*s.Bins:(f+1)*s.Bins]...)
		out.Data = append(out.Data, image[f*spectrogram.StereoBins:(f+1)*spectrogram.StereoBins]...)
	}
	return out
}

// separate returns the spectrogram of one channel and the image of a spectrogram of two, with memory of their own.
func separate(s *spectrogram.Spectrogram) (mono *spectrogram.Spectrogram, image []float32, err error) {
	bins := s.Config.Bins()
	if s.Config.Channels != 2 || s.Bins != bins || s.Frames < 1 || len(s.Data) != s.Frames*bins {
		return nil, nil, fmt.Errorf("stereo: %d values for %d frames of %d bins in %d channels; its config has %d bins", len(s.Data), s.Frames, s.Bins, max(1, s.Config.Channels), bins)
	}
	of := bins - spectrogram.StereoBins
	mono = &spectrogram.Spectrogram{Config: s.Config.Mono(), Frames: s.Frames, Bins: of, Data: make([]float32, 0, s.Frames*of)}
	image = make([]float32, 0, s.Frames*spectrogram.StereoBins)
	for f := range s.Frames {
		row := s.Data[f*bins : (f+1)*bins]
		mono.Data = append(mono.Data, row[:of]...)
		for _, v := range row[of:] {
			if v != v {
				v = 0
			}
			image = append(image, min(max(v, -1), 1))
		}
	}
	return mono, image, nil
}

// Reconstruct makes n frames of two channels, interleaved: one channel as [spectrogram.Transform.Reconstruct] makes it,
// distributed by imager.Apply with the seed of the phases. n <= 0 is the natural length.
func (t *Transform) Reconstruct(s *spectrogram.Spectrogram, n int, ph spectrogram.Phase) ([]float32, error) {
	mono, image, err := separate(s)
	if err != nil {
		return nil, err
	}
	x, err := t.mono.Reconstruct(mono, n, ph)
	if err != nil || len(x) == 0 {
		return x, err
	}
	return t.image.Apply(x, image, t.middles(s.Frames), ph.Seed), nil
}
