package benchmark

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wavemill/models/nn/kernel"
)

// peakTime is how long the peak of the processor is measured.
const peakTime = 200 * time.Millisecond

// Options say what to time.
type Options struct {
	Threads []int    // counts of threads, one after the other, each 1 or more
	Only    []string // names of works; none is all
	Seconds float64  // how long each work is repeated for, above 0; see Measure
	Scaling bool     // time the works of Scaling instead of those with a name
}

// A Line is one measured time, with the FMA peak of one core beside it, as `wavemill bench train --json` prints it.
type Line struct {
	Timing
	Peak float64 `json:"peak_gflops"`
}

// Validate reports the first wrong option.
func (o Options) Validate() error {
	for _, name := range o.Only {
		if !slices.Contains(Names(), name) && !o.Scaling {
			return fmt.Errorf("only is one of %s; not %q", strings.Join(Names(), ", "), name)
		}
	}
	for _, n := range o.Threads {
		if n < 1 {
			return fmt.Errorf("threads must be 1 or more, not %d", n)
		}
	}
	if !(o.Seconds > 0) {
		return fmt.Errorf("seconds must be above 0, not %g", o.Seconds)
	}
	return nil
}

// Run times the works one after the other, with each count of threads, and gives each Line to emit as soon as it is known.
func Run(o Options, emit func(Line) error) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("benchmark: %w", err)
	}
	peak := kernel.PeakGFLOPS(peakTime)
	for _, threads := range o.Threads {
		for _, prepare := range o.works() {
			w, err := prepare()
			if err != nil {
				return err
			}
			t, err := Measure(w, threads, time.Duration(o.Seconds*float64(time.Second)))
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

// works returns what prepares each work.
func (o Options) works() []func() (*Work, error) {
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

// String is the line for a person.
func (l Line) String() string {
	return fmt.Sprintf("%-34s %d thread(s) %10.3f ms %8.1f GFLOPS %5.1f %% of the peak",
		l.Name, l.Threads, l.MS, l.GFLOPS, 100*l.GFLOPS/(l.Peak*float64(l.Threads)))
}
