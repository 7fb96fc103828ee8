// Package convert turns folders of recordings into spectrograms in shards, into pictures or into WAV
// files, and shards back into sound or pictures, on all cores. It does the work of `wavemill convert`.
//
// A conversion can be killed at any moment; with the same Options it continues after the last complete
// result. A file gets its name only when it is complete. Recordings that cannot be read are skipped, and
// skipped.jsonl lists the reasons. A recording of any length takes constant memory.
package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"wavemill/audio/dataset"
	"wavemill/audio/spectrogram"
	"wavemill/internal/filelock"
)

// Target is what a conversion makes.
type Target string

// The targets.
const (
	NPY Target = "npy" // Spectrograms in shards, see dataset.ShardWriter.
	PNG Target = "png" // A picture of the spectrogram of each recording.
	WAV Target = "wav" // A WAV file of each recording; from shards by phase reconstruction.
)

// Targets lists the targets.
func Targets() []Target { return []Target{NPY, PNG, WAV} }

// Options says what to convert, and how. Sources and Out are needed; the zero value of everything
// else is a good default.
type Options struct {
	// Sources are folders and files of recordings, or folders of shards (or their manifests), not both.
	Sources []string
	// Out is the folder for the results. It is made if it is not there, and holds one conversion.
	Out string
	// To is what to make; "" means NPY.
	To Target
	// Labels says where labels come from, see dataset.Options.
	Labels string
	// Workers is the number of files worked on at a time; 0 means one for each processor.
	Workers int
	// Rate is the sample rate that recordings are brought to, in Hz. 0 means, for spectrograms, the
	// rate that most recordings have, and for WAV each recording's own.
	Rate int
	// Config makes the spectrograms' Config for the rate; nil means spectrogram.Default.
	Config func(rate int) spectrogram.Config
	// ShardBytes is the size at which a shard ends; 0 means dataset.DefaultShardBytes.
	ShardBytes int64
	// Phase says how sound is made from shards.
	Phase spectrogram.Phase
	// Bits is the sample format of the WAV files: "16" and "24" of PCM, "32f" of float. "" chooses for each recording what
	// holds its samples: float for float, for 32 bits and for what is made from shards, 24 bits for 17 to 24, 16 for all
	// others. Samples beyond full scale are clipped in 16 and 24 bits, and counted.
	Bits string
}

// Progress says how far a conversion is.
type Progress struct {
	Done    int           // Files finished in this run, the skipped ones among them.
	Total   int           // Files to do in this run.
	Skipped int           // Left out so far, in this run and by the scan before it.
	Seconds float64       // Of sound, converted in this run.
	Elapsed time.Duration // Of this run.
	Rate    float64       // Files a second.
	Left    time.Duration // Estimated from the bytes that are left; negative when nothing is known yet.
}

// Summary says what a conversion did.
type Summary struct {
	To           Target              `json:"to"`
	Out          string              `json:"out"`
	Files        int                 `json:"files"`                   // Found, the skipped ones not among them until they are tried.
	Converted    int                 `json:"converted"`               // In this run.
	AlreadyDone  int                 `json:"already_done"`            // In an earlier run.
	Skipped      int                 `json:"skipped"`                 // See skipped.jsonl.
	Reasons      []string            `json:"reasons,omitempty"`       // How many were skipped for which reason.
	Clipped      int64               `json:"clipped,omitempty"`       // Samples beyond full scale, in this run.
	ClippedFiles int                 `json:"clipped_files,omitempty"` // Files that have such samples.
	Faults       []string            `json:"faults,omitempty"`        // Of files that were converted all the same: how many have which.
	Truncated    int                 `json:"truncated"`               // Converted, though a part of the file is missing or cannot be decoded.
	Rows         int64               `json:"rows"`                    // Spectrogram frames made in this run.
	Seconds      float64             `json:"seconds"`                 // Of sound, converted in this run.
	SampleRate   int                 `json:"sample_rate,omitempty"`
	Config       *spectrogram.Config `json:"config,omitempty"`
	LabelSource  string              `json:"label_source,omitempty"`
	Notes        []string            `json:"notes,omitempty"` // About labels and names, see dataset.Dataset.Notes.
	Labels       map[string]int      `json:"labels"`          // Files of each label, of this run and earlier ones.
	Elapsed      float64             `json:"elapsed"`
	Realtime     float64             `json:"realtime"` // Seconds of sound a second.
	// Error is what ended the run before its end. Where shards could not be finished, nothing counts as converted.
	Error string `json:"error,omitempty"`
}

// SkippedName is the file in Options.Out that lists what was skipped, one dataset.Skip a line.
const SkippedName = "skipped.jsonl"

// LabelsName is the file in Options.Out that lists the labels of WAV files and pictures; it serves
// as dataset.Options.Labels.
const LabelsName = "labels.csv"

// ErrNothing reports that not one file was or had been converted.
var ErrNothing = errors.New("convert: nothing could be converted")

// Check reports what is wrong with the options themselves, before any file is looked at.
func (o Options) Check() error {
	switch {
	case len(o.Sources) == 0:
		return errors.New("convert: no sources were given")
	case o.Out == "":
		return errors.New("convert: no output folder was given")
	case !slices.Contains(Targets(), o.target()):
		return fmt.Errorf("convert: unknown target %q; want npy, png or wav", o.To)
	case !slices.Contains(BitChoices(), o.Bits):
		return fmt.Errorf("convert: WAV of %q bits; want 16, 24 or 32f", o.Bits)
	case o.Workers < 0:
		return fmt.Errorf("convert: %d workers", o.Workers)
	case o.Rate < 0:
		return fmt.Errorf("convert: a sample rate of %d Hz", o.Rate)
	case o.ShardBytes < 0:
		return fmt.Errorf("convert: shards of %d bytes", o.ShardBytes)
	}
	return nil
}

func (o Options) target() Target {
	if o.To == "" {
		return NPY
	}
	return o.To
}

func (o Options) workers() int {
	if o.Workers == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return o.Workers
}

// Run converts. progress, which may be nil, is called now and then and once at the end, never by two
// goroutines at once. The Summary tells what was done also when an error ended it.
//
// Files that cannot be read or decoded are skipped; that is no error unless nothing is left
// (ErrNothing). Of files that differ only in their extension, the results keep it: kick.flac becomes kick.flac.wav beside
// kick.wav. Errors are sources that are not there, results in Out that are of another conversion, and failures to write. When the context is
// cancelled, what is complete stays, and Run returns the context's error.
//
// Out is reserved meanwhile: another conversion into it ends with an error at once (filelock.ErrHeld).
func Run(ctx context.Context, o Options, progress func(Progress)) (_ Summary, err error) {
	if err := o.Check(); err != nil {
		return Summary{}, err
	}
	begin := time.Now()
	release, err := o.reserve()
	if err != nil {
		return Summary{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	p, err := newPlan(ctx, o)
	if err != nil {
		return Summary{}, err
	}
	if err := p.prepare(); err != nil {
		return Summary{}, err
	}
	m := newMeter(p.jobs, len(p.skipped), progress)
	err = p.work(ctx, m)
	m.finish()
	s := p.summary(m, time.Since(begin))
	if cause := ctx.Err(); cause != nil {
		err = fmt.Errorf("convert: stopped after %d of %d files; the same command goes on from there: %w", s.Converted+s.AlreadyDone, s.Files, cause)
	}
	finishing := p.close(m, s)
	if finishing != nil && o.target() == NPY {
		s.Converted, s.Rows, s.Seconds, s.Realtime, s.Labels = 0, 0, 0, 0, map[string]int{}
	}
	if err == nil {
		err = finishing
	}
	if err == nil && s.Converted+s.AlreadyDone == 0 {
		err = p.nothing(m)
	}
	if err != nil {
		s.Error = err.Error()
	}
	return s, err
}

// reserve makes the folder and locks it until release is called. A folder that it made and that is still empty then is removed.
func (o Options) reserve() (release func() error, err error) {
	_, missing := os.Stat(o.Out)
	if err := os.MkdirAll(o.Out, 0o755); err != nil { // Others may read the results.
		return nil, fmt.Errorf("convert: %w", err)
	}
	unlock, err := filelock.Acquire(filepath.Join(o.Out, lockName))
	if errors.Is(err, filelock.ErrHeld) {
		return nil, fmt.Errorf("convert: another conversion writes to %s; wait for its end, or choose another folder: %w", o.Out, err)
	}
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	return func() error {
		err := unlock()
		if missing != nil {
			_ = os.Remove(o.Out) // It fails where there is something in it.
		}
		return err
	}, nil
}

// nothing explains why nothing was converted.
func (p *plan) nothing(m *meter) error {
	skipped := append(slices.Clone(p.skipped), m.skipped...)
	if len(skipped) == 0 {
		return fmt.Errorf("%w: there is no file in %s", ErrNothing, strings.Join(p.o.Sources, ", "))
	}
	first := skipped[0]
	for _, s := range m.skipped[:min(1, len(m.skipped))] {
		first = s // A recording that failed says more than a file that is none.
	}
	return fmt.Errorf("%w: %d files were skipped (see %s), the first of them %s: %s", ErrNothing, len(skipped), filepath.Join(p.o.Out, SkippedName), first.Path, first.Reason)
}

// summary counts what was done.
func (p *plan) summary(m *meter, elapsed time.Duration) Summary {
	s := Summary{
		To: p.o.target(), Out: p.o.Out, Files: len(p.jobs) + len(p.done), Converted: m.converted, AlreadyDone: len(p.done),
		Skipped: len(p.skipped) + len(m.skipped), Truncated: m.truncated, Clipped: m.clipped, ClippedFiles: m.clippedFiles, Rows: m.rows, Seconds: m.seconds,
		SampleRate: p.rate, LabelSource: p.labelSource, Notes: p.notes, Labels: map[string]int{}, Elapsed: elapsed.Seconds(),
	}
	if p.o.target() != WAV {
		s.Config = p.config
	}
	if elapsed > 0 {
		s.Realtime = s.Seconds / elapsed.Seconds()
	}
	for _, j := range p.finished(m) {
		s.Labels[j.item.Label]++
	}
	for _, g := range dataset.GroupSkips(sortedSkips(p.skipped, m.skipped)) {
		s.Reasons = append(s.Reasons, g.String())
	}
	for _, g := range dataset.GroupSkips(sortedSkips(m.faults)) {
		s.Faults = append(s.Faults, g.String())
	}
	return s
}

// finished lists the jobs that are complete, of this run and earlier ones, sorted by name.
func (p *plan) finished(m *meter) []job {
	all := append(slices.Clone(p.done), m.finished...)
	slices.SortFunc(all, func(a, b job) int {
		return cmp.Or(strings.Compare(a.item.Name, b.item.Name), strings.Compare(a.out, b.out))
	})
	return all
}
