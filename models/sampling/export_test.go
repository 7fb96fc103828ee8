package sampling

import "context"

// StreamBatches is Stream with the size of batches.
func (s *Sampler) StreamBatches(ctx context.Context, ps []Provenance, size int, each func(i int, c Clip) error) error {
	return s.stream(ctx, ps, size, each)
}

// Seams returns where segments are joined in the long clip of p, in samples from its beginning, and the length of a fade.
func (s *Sampler) Seams(ctx context.Context, p Provenance) (at []int, fade int, err error) {
	batch, err := s.Sample(ctx, p)
	if err != nil {
		return nil, 0, err
	}
	h := newShaper(s, batch, 0, p)
	config := s.frontEnd.Config().Spectrogram
	frames := config.Frames(int(p.Duration*float64(config.SampleRate))) + 1
	t, err := h.tape(ctx, frames, 0)
	if err != nil {
		return nil, 0, err
	}
	_, seams := t.long(frames, h.used())
	for _, frame := range seams {
		at = append(at, frame*config.Hop)
	}
	return at, t.overlap * config.Hop, nil
}

// Wrap is wrap.
func Wrap(x []float32, channels, length, give, fade int) ([]float32, error) {
	return wrap(x, channels, length, give, fade)
}

// CheckNames is checkNames.
func CheckNames(kinds []Kind) error { return checkNames(kinds) }

// Locate is locate.
func Locate(digest string, folders ...string) (*Sampler, error) { return locate(digest, folders...) }
