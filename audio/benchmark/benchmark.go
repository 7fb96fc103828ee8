// Package benchmark measures the speed of the audio packages on tasks that other libraries are measured on too: WAV
// files to log-mel, log-mel in memory, Griffin-Lim, phase reconstruction, the real Fourier transform and resampling.
// compare.py runs it and the other libraries in turn and writes the table of docs/benchmarks.md.
package benchmark

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"wavemill/audio/codec"
	"wavemill/audio/spectrogram/fft"
	"wavemill/internal/stats"
)

// A Line is one measurement, as printed by `wavemill bench audio --json` and by the peers' scripts.
type Line struct {
	Name    string  `json:"name"`
	Threads int     `json:"threads"`
	MS      float64 `json:"ms"` // the median time of one run, or of what Unit says
	Unit    string  `json:"unit,omitempty"`
	Files   int     `json:"files,omitempty"`
	Clips   int     `json:"clips,omitempty"`
	DB      float64 `json:"db,omitempty"` // mean spectral convergence of the phase
	Kernel  string  `json:"kernel"`       // class of the kernels in use
}

// Options say what to time. Data is a folder with recordings, at any depth.
type Options struct {
	Data    string
	Threads int           // goroutines that share the work, at least 1
	Time    time.Duration // that each work is repeated for, at least three runs
	Only    []string      // names of works; none is all
}

// Validate reports what is wrong. The message begins with the field's name in lower case; that of Time is seconds.
func (o Options) Validate() error {
	switch {
	case o.Data == "":
		return errors.New("data is missing: a folder with recordings")
	case o.Threads < 1:
		return fmt.Errorf("threads %d: use one or more", o.Threads)
	case o.Time <= 0:
		return fmt.Errorf("seconds %g: use a time above 0", o.Time.Seconds())
	}
	for _, name := range o.Only {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("only: %q is unknown; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	return nil
}

// String is the line for a table.
func (l Line) String() string {
	detail := l.Unit
	switch {
	case l.Files > 0:
		detail = fmt.Sprintf("%d files", l.Files)
	case l.Clips > 0:
		detail = fmt.Sprintf("%d clips", l.Clips)
	}
	return fmt.Sprintf("%-22s %d thread(s) %12.5g ms  %s", l.Name, l.Threads, l.MS, detail)
}

// A work is something to time: prepare readies it and returns one run of it.
type work struct {
	name    string
	single  bool // one thread whatever the options say, as the peers do
	prepare func(ctx context.Context, o Options, line *Line) (func() error, error)
}

// works are all of them, in the order of the peers' script.
func works() []work {
	list := []work{
		{"files-to-logmel", false, filesToLogMel},
		{"logmel-in-memory", false, logMelInMemory},
		{"griffinlim-32", false, griffinLim},
		{"phase-fsdd", false, phaseOfRecordings},
		{"phase-44100", false, phaseOfSignals},
	}
	for _, n := range []int{256, 512, 1024, 2048, 4096} {
		list = append(list, work{fmt.Sprintf("rfft-%d", n), true, realFFT(n)})
	}
	return append(list, work{"resample-44100-16000", false, resample})
}

// Names lists the works that Run knows.
func Names() []string {
	var names []string
	for _, w := range works() {
		names = append(names, w.name)
	}
	return names
}

// Run times works one after the other and gives each Line to emit as soon as it is known. While it runs the process
// uses at most Threads processors.
func Run(ctx context.Context, o Options, emit func(Line) error) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("benchmark: %w", err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(o.Threads))
	for _, w := range works() {
		if len(o.Only) > 0 && !slices.Contains(o.Only, w.name) {
			continue
		}
		line := Line{Name: w.name, Threads: o.Threads, Kernel: fft.Class()}
		if w.single {
			line.Threads = 1
		}
		step, err := w.prepare(ctx, o, &line)
		if err != nil {
			return fmt.Errorf("benchmark: %s: %w", w.name, err)
		}
		per := line.MS // what prepare says one run holds; 0 is 1
		if line.MS, err = median(ctx, o.Time, step); err != nil {
			return fmt.Errorf("benchmark: %s: %w", w.name, err)
		}
		if per > 0 {
			line.MS /= per
		}
		if err := emit(line); err != nil {
			return err
		}
	}
	return nil
}

// median repeats step for a time, at least three times after a first run that does not count, and returns the median
// in milliseconds.
func median(ctx context.Context, total time.Duration, step func() error) (float64, error) {
	if err := step(); err != nil {
		return 0, err
	}
	var times []float64
	for end := time.Now().Add(total); time.Now().Before(end) || len(times) < 3; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := step(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start).Seconds()*1e3)
	}
	return stats.Median(times), nil
}

// share does items 0..n-1 on the options' threads: do gets the thread's number too.
func (o Options) share(n int, do func(thread, i int) error) error {
	var next atomic.Int64
	var g errgroup.Group
	for thread := range o.Threads {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := do(thread, i); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// recordings lists the WAV files below the data folder, sorted by path.
func (o Options) recordings() ([]string, error) {
	var files []string
	err := filepath.WalkDir(o.Data, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.EqualFold(filepath.Ext(path), ".wav") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no WAV files in %s", o.Data)
	}
	slices.Sort(files)
	return files, nil
}

// mono decodes a file to one channel.
func mono(ctx context.Context, path string) ([]float32, error) {
	clip, _, err := codec.DecodeFile(ctx, path)
	if err != nil {
		return nil, err
	}
	return clip.Mono().Samples, nil
}
