package sampling

import "context"

// StreamBatches is Stream with the size of batches.
func (s *Sampler) StreamBatches(ctx context.Context, ps []Provenance, size int, each func(i int, c Clip) error) error {
	return s.stream(ctx, ps, size, each)
}
