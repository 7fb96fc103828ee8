package benchmark

import (
	"slices"
	"time"

	"wavemill/models/nn/kernel"
)

// Timing is a measured time, in the words of the peer script.
type Timing struct {
	Name    string  `json:"name"`
	Threads int     `json:"threads"`
	Layout  string  `json:"layout"`
	MS      float64 `json:"ms"` // median
	Kernel  string  `json:"kernel"`
	GFLOPS  float64 `json:"gflops"`          // of the convolutions and products, over the whole time
	Bytes   int     `json:"bytes,omitempty"` // memory of intermediate values
}

// Measure does w on the given number of threads for about d, after two rounds to warm up and at least
// three times, and returns the median time.
func Measure(w *Work, threads int, d time.Duration) (Timing, error) {
	before := kernel.Threads()
	kernel.SetThreads(threads)
	defer kernel.SetThreads(before)
	for range 2 {
		if err := w.Step(); err != nil {
			return Timing{}, err
		}
	}
	var times []time.Duration
	for end := time.Now().Add(d); time.Now().Before(end) || len(times) < 3; {
		start := time.Now()
		if err := w.Step(); err != nil {
			return Timing{}, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	median := times[len(times)/2]
	return Timing{
		Name: w.Name, Threads: threads, Layout: "nhwc", MS: float64(median.Microseconds()) / 1e3,
		Kernel: kernel.Class(), GFLOPS: w.FLOPs / float64(median.Nanoseconds()), Bytes: w.Bytes,
	}, nil
}
