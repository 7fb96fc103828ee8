// Package predict runs networks over many clips, a batch at a time, until a context is done.
package predict

import (
	"context"

	"wavemill/models/nn"
)

// Each runs p on clips 0 to count-1 in batches. feeds returns the inputs of clips lo to hi-1; use reads the outputs, which
// are valid until it returns. It stops with the context's error when ctx is done.
func Each(ctx context.Context, p *nn.Predictor, count int, feeds func(lo, hi int) []nn.Feed, use func(m *nn.Machine)) error {
	return p.Each(count, func(m *nn.Machine, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.Run(feeds(lo, hi)...); err != nil {
			return err
		}
		use(m)
		return nil
	})
}

// Append is Each for one output, whose values it appends to dst.
func Append(ctx context.Context, p *nn.Predictor, dst []float32, output string, count int, feeds func(lo, hi int) []nn.Feed) ([]float32, error) {
	err := Each(ctx, p, count, feeds, func(m *nn.Machine) { dst = append(dst, m.Output(output)...) })
	return dst, err
}
