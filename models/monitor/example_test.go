package monitor_test

import (
	"context"
	"fmt"

	"wavemill/models"
	"wavemill/models/modeltest"
	"wavemill/models/monitor"
)

// repeater is a generator that makes the same clip again and again.
type repeater struct{ clip models.Batch }

func (r repeater) Generate(_ context.Context, request models.Request) (models.Batch, error) {
	out := models.Batch{B: len(request.Labels), T: r.clip.T, F: r.clip.F, Labels: request.Labels}
	for range out.B {
		out.Data = append(out.Data, r.clip.Data...)
	}
	return out, nil
}

// A model that always makes the same clip gets a warning.
func ExampleMonitor_Evaluate() {
	fe := modeltest.FrontEnd()
	clips := func(n int, seed uint64) models.Batch {
		return modeltest.Clips(n, fe.Frames, fe.Spectrogram.Mels, 2, seed)
	}
	m, err := monitor.New(clips(60, 1), clips(20, 2), []string{"kick", "bell"}, fe, monitor.Options{
		Clips: 40,
		Open:  func(models.Checkpoint) (models.Generator, error) { return repeater{clips(1, 3)}, nil },
	})
	if err != nil {
		panic(err)
	}
	v, err := m.Evaluate(context.Background(), models.Checkpoint{Step: 100, FrontEnd: fe})
	if err != nil {
		panic(err)
	}
	fmt.Println("distance above 0.1:", v.Metrics[monitor.Distance] > 0.1)
	for _, w := range v.Warnings {
		fmt.Println(w.Kind)
	}
	// Output:
	// distance above 0.1: true
	// collapse
}
