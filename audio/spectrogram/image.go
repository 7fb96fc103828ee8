package spectrogram

import "errors"

// What a frame says of two channels: for each of StereoBands bands the pan, then for each the width. Package audio/stereo
// measures and applies them.
const (
	StereoBands = 8
	StereoBins  = 2 * StereoBands
)

// Mono returns c without the stereo image: the levels and marks, of which a Transform makes one channel.
func (c Config) Mono() Config {
	c.Channels = 0
	return c
}

// Image is the number of bins at the end of a frame that hold no level but the stereo image: StereoBins for two channels,
// 0 for one.
func (c Config) Image() int { return c.Bins() - c.Mono().Bins() }

// Levels is the number of bins at the beginning of a frame that hold levels: all but marks and stereo image.
func (c Config) Levels() int { return c.Mono().Bins() - c.Marks() }

// withoutImage returns the levels and marks of s: s itself where it has nothing else.
func (s *Spectrogram) withoutImage() *Spectrogram {
	bins := s.Config.Mono().Bins()
	if bins == s.Bins {
		return s
	}
	out := &Spectrogram{Config: s.Config.Mono(), Frames: s.Frames, Bins: bins, Data: make([]float32, 0, s.Frames*bins)}
	for f := range s.Frames {
		out.Data = append(out.Data, s.Data[f*s.Bins:f*s.Bins+bins]...)
	}
	return out
}

// errStereo is the error of New for a Config of two channels.
var errStereo = errors.New("spectrogram config: channels: a Transform makes one channel; package audio/stereo makes two")
