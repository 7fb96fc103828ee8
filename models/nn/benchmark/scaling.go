package benchmark

import "fmt"

// Scaling returns the further work of the benchmarks: the discriminator's step against the batch size
// and the image size, and the stock operations' step.
func Scaling() []func() (*Work, error) {
	named := func(w *Work, err error, suffix string) (*Work, error) {
		if err == nil {
			w.Name += suffix
		}
		return w, err
	}
	var list []func() (*Work, error)
	for _, batch := range []int{1, 4, 16, 64, 256} {
		list = append(list, func() (*Work, error) {
			w, err := DiscriminatorStep(Default(), batch)
			return named(w, err, fmt.Sprintf("-b%d", batch))
		})
	}
	for _, side := range []int{32, 64, 128} {
		list = append(list, func() (*Work, error) {
			w, err := DiscriminatorStep(Size{Image: side, Channels: Default().Channels}, 64)
			return named(w, err, fmt.Sprintf("-%dpx", side))
		})
	}
	return append(list,
		func() (*Work, error) { return StockDiscriminatorStep(Default(), 64) },
		func() (*Work, error) {
			// From nothing to the first image: weights, graph, memory, one run.
			return &Work{Name: "generator-start", FLOPs: Default().generator(1, Latent).forward(), Step: func() error {
				w, err := Inference(Default(), 1)
				if err != nil {
					return err
				}
				return w.Step()
			}}, nil
		})
}
