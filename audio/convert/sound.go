package convert

import (
	"context"
	"fmt"
	"math"
	"os"

	"wavemill/audio/spectrogram"
	"wavemill/audio/stereo"
	"wavemill/audio/wav"
)

// inverter makes sound of spectrograms: a spectrogram.Transform, or a stereo.Transform for two channels.
type inverter interface {
	Config() spectrogram.Config
	Reconstruct(s *spectrogram.Spectrogram, n int, ph spectrogram.Phase) ([]float32, error)
}

// reconstructor keeps the inverter of the last config.
type reconstructor struct {
	t inverter
}

// transform is an inverter of a config.
func (r *reconstructor) transform(c spectrogram.Config) (inverter, error) {
	if r.t != nil && r.t.Config() == c {
		return r.t, nil
	}
	var t inverter
	var err error
	if c.Channels == 2 {
		t, err = stereo.New(c)
	} else {
		t, err = spectrogram.New(c)
	}
	if err != nil {
		return nil, err
	}
	r.t = t
	return t, nil
}

// Long spectrograms are turned to sound in segments that overlap and are cross-faded.
const (
	segmentBytes  = 24 << 20 // What the magnitudes and coefficients of a segment may take.
	overlapFrames = 32       // Eight windows at the usual hop: the ends of a segment are the worst of it.
)

// segmentFrames is the number of frames of a segment.
func segmentFrames(c spectrogram.Config) int {
	const perBin = 24 // Bytes: complex coefficients twice and the magnitude twice.
	return max(4*overlapFrames, segmentBytes/perBin/(c.NFFT/2+1))
}

// sound reconstructs the sound of rows in a shard.
func (w *fileWorker) sound(ctx context.Context, j job, f *os.File) outcome {
	c, err := entryConfig(j)
	if err != nil {
		return outcome{skip: err}
	}
	t, err := w.back.transform(c)
	if err != nil {
		return outcome{skip: fmt.Errorf("its config: %w", err)}
	}
	out, err := wav.NewWriter(f, max(1, c.Channels), c.SampleRate, wav.Options{Encoding: w.p.encoding(nil), Tags: w.tags(j)})
	if err != nil {
		return outcome{skip: ifWriting(err)}
	}
	total := j.entry.Samples
	if longest := int64(j.entry.Frames) * int64(c.Hop); total == 0 || total > longest {
		total = int64(c.Samples(j.entry.Frames)) // A manifest that does not say, or says what cannot be.
	}
	s := segments{t: t, config: c, phase: w.p.o.Phase, total: total, emit: func(x []float32) error { return ifWriting(out.WriteFrames(x)) }}
	err = readRows(ctx, j, s.add)
	if err == nil {
		err = s.finish()
	}
	if err == nil {
		if failed := out.Close(); failed != nil {
			err = &writeError{failed}
		}
	}
	return outcome{rows: int64(j.entry.Frames), seconds: float64(out.Frames()) / float64(c.SampleRate), clipped: out.Clipped(), skip: err}
}

// segments turns rows into sound as they come.
type segments struct {
	t      inverter
	config spectrogram.Config
	phase  spectrogram.Phase
	total  int64 // Samples of each channel of the whole.
	emit   func([]float32) error

	rows []float32
	tail []float32 // The end of the last segment, which the next fades in over.
	done int64     // Samples of each channel emitted.
}

// add takes rows and turns a segment to sound as soon as more than one is there.
func (s *segments) add(rows []float32) error {
	s.rows = append(s.rows, rows...)
	bins, n := s.config.Bins(), segmentFrames(s.config)
	for len(s.rows) > n*bins {
		if err := s.segment(s.rows[:n*bins], false); err != nil {
			return err
		}
		s.rows = append(s.rows[:0], s.rows[(n-overlapFrames)*bins:]...)
	}
	return nil
}

// finish turns the rest to sound.
func (s *segments) finish() error { return s.segment(s.rows, true) }

// segment reconstructs some rows, fades from the last segment's end to them, and keeps their end.
func (s *segments) segment(rows []float32, last bool) error {
	spec := &spectrogram.Spectrogram{Config: s.config, Frames: len(rows) / s.config.Bins(), Bins: s.config.Bins(), Data: rows}
	n := s.config.Samples(spec.Frames)
	if last {
		n = int(s.total - s.done)
		if n <= 0 {
			return nil
		}
	}
	x, err := s.t.Reconstruct(spec, n, s.phase)
	if err != nil {
		return err
	}
	channels := max(1, s.config.Channels)
	for i := range min(len(s.tail), len(x)) {
		gain := float32(0.5 - 0.5*math.Cos(math.Pi*(float64(i/channels)+0.5)/float64(len(s.tail)/channels)))
		x[i] = gain*x[i] + (1-gain)*s.tail[i]
	}
	if !last {
		keep := (overlapFrames - 1) * s.config.Hop * channels
		s.tail = append(s.tail[:0], x[len(x)-keep:]...)
		x = x[:len(x)-keep]
	}
	s.done += int64(len(x) / channels)
	return s.emit(x)
}
