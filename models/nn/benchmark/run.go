package benchmark

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wavemill/models/nn/kernel"
)

// Options say what [Run] times.
type Options struct {
	Threads []int         // numbers of threads, one after the other
	Only    []string      // of [Names]; none: all of them
	Time    time.Duration // for each
	Scaling bool          // instead of Names: [Scaling]
}

// Validate reports what is wrong. The message begins with the field's name in lower case; that of Time is seconds.
func (o Options) Validate() error {
	for _, n := range o.Threads {
		if n < 1 {
			return fmt.Errorf("threads %d: use one or more", n)
		}
	}
	for _, name := range o.Only {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("only: %q is unknown; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	if o.Time <= 0 {
		return fmt.Errorf("seconds %g: use a time above 0", o.Time.Seconds())
	}
	return nil
}

// A Line is a measured time beside the FMA peak of one core.
type Line struct {
	Timing
	Peak float64 `json:"peak_gflops"`
}

// String is the line for a table.
func (l Line) String() string {
	return fmt.Sprintf("%-34s %d thread(s) %10.3f ms %8.1f GFLOPS %5.1f %% of the peak",
		l.Name, l.Threads, l.MS, l.GFLOPS, 100*l.GFLOPS/(l.Peak*float64(l.Threads)))
}

// Run times the work and gives each Line to emit as soon as it is known. peak is that of one core in GFLOPS, see
// [kernel.PeakGFLOPS].
func Run(o Options, peak float64, emit func(Line) error) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("benchmark: %w", err)
	}
	for _, threads := range o.Threads {
		for _, prepare := range o.work() {
			w, err := prepare()
			if err != nil {
				return err
			}
			t, err := Measure(w, threads, o.Time)
			if err != nil {
				return fmt.Errorf("%s: %w", w.Name, err)
			}
			if err := emit(Line{t, peak}); err != nil {
				return err
			}
		}
	}
	return nil
}

// work returns what is to be timed.
func (o Options) work() []func() (*Work, error) {
	if o.Scaling {
		return Scaling()
	}
	var list []func() (*Work, error)
	for _, name := range Names() {
		if len(o.Only) == 0 || slices.Contains(o.Only, name) {
			list = append(list, func() (*Work, error) { return New(name) })
		}
	}
	return list
}

// Heading names the class of kernels in use and the peak of a core, for the first line of a table.
func Heading(peak float64) string {
	return fmt.Sprintf("kernels %s, at most %.0f GFLOPS per core", kernel.Class(), peak)
}
