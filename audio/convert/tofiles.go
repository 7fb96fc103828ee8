package convert

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/wav"
)

// workFiles does jobs that make one file each, in any order.
func (p *plan) workFiles(ctx context.Context, m *meter) error {
	partial := filepath.Join(p.o.Out, partialName)
	if err := os.RemoveAll(partial); err != nil { // What a killed run left.
		return fmt.Errorf("convert: %w", err)
	}
	if err := os.MkdirAll(partial, 0o755); err != nil { // Others may read the results.
		return fmt.Errorf("convert: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(p.o.workers(), len(p.jobs)) {
		w := &fileWorker{p: p, partial: partial}
		if p.config != nil {
			var err error
			if w.x, err = newExtractor(*p.config, &p.resamplers); err != nil {
				return err
			}
		}
		group.Go(func() error {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(p.jobs) {
					return nil
				}
				o := w.do(ctx, i)
				if ctx.Err() != nil && o.skip != nil { // What is whole counts, however late.
					return ctx.Err()
				}
				if failed, ok := asWriteError(o.skip); ok {
					return where(p.jobs[i], failed)
				}
				m.add(p.jobs[i], o)
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// fileWorker makes files one after the other.
type fileWorker struct {
	p       *plan
	partial string
	x       *extractor
	back    reconstructor
	block   []float32
}

// do does one job. The file is made in the folder for partial ones and then moved to its place.
func (w *fileWorker) do(ctx context.Context, i int) outcome {
	j := w.p.jobs[i]
	temporary := filepath.Join(w.partial, fmt.Sprintf("%d.%s", i, w.p.o.target()))
	f, err := os.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666) // Others may read the results.
	if err != nil {
		return outcome{skip: &writeError{err}}
	}
	var o outcome
	switch {
	case w.p.o.target() == PNG:
		o = w.picture(ctx, j, f)
	case j.shards != nil:
		o = w.sound(ctx, j, f)
	default:
		o = w.copy(ctx, j, f)
	}
	if err := f.Close(); err != nil && o.skip == nil {
		o.skip = &writeError{err}
	}
	if o.skip == nil {
		if err := place(temporary, j.out); err != nil {
			o.skip = &writeError{err}
		}
	}
	if o.skip != nil {
		_ = os.Remove(temporary) // The folder goes as a whole in the end.
	}
	return o
}

// place moves a whole file from the folder of unfinished results to where it belongs. Results are not
// synced one by one, because there may be many thousands: whole recognises those that a power failure
// cut short.
func place(from, to string) error {
	err := os.Rename(from, to)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil { // Others may read the results.
			err = os.Rename(from, to)
		}
	}
	return err
}

// tags are the INFO tags of a WAV file made from an item.
func (w *fileWorker) tags(j job) map[string]string {
	tags := map[string]string{"ISFT": "wavemill"}
	if j.item.Label != "" {
		tags["IGNR"] = j.item.Label
	}
	return tags
}

// copy writes a recording as WAV, all its channels, resampled where a rate is asked for.
func (w *fileWorker) copy(ctx context.Context, j job, f *os.File) outcome {
	r, err := codec.Open(ctx, j.item.Path)
	if err != nil {
		return outcome{skip: err}
	}
	defer r.Close()
	info := r.Info()
	rate := w.p.rate
	if rate == 0 {
		rate = info.SampleRate
	}
	channels := make([]*audio.ResampleStream, 0, info.Channels)
	if rate != info.SampleRate {
		rs, err := w.p.resamplers.Get(info.SampleRate, rate)
		if err != nil {
			return outcome{skip: err}
		}
		for range info.Channels {
			channels = append(channels, rs.Stream())
		}
	}
	out, err := wav.NewWriter(f, info.Channels, rate, wav.Options{Encoding: w.p.encoding(&info), Tags: w.tags(j)})
	if err != nil {
		return outcome{skip: ifWriting(err)}
	}
	err = w.frames(ctx, r, channels, out)
	if err == nil && out.Frames() == 0 {
		err = errEmpty
	}
	if err == nil {
		if failed := out.Close(); failed != nil {
			err = &writeError{failed}
		}
	}
	info = r.Info() // Final after the last frame.
	return outcome{seconds: float64(out.Frames()) / float64(rate), truncated: info.Truncated, notes: info.Notes, clipped: out.Clipped(), skip: err}
}

// frames copies all frames, through the channels' resamplers where there are any.
func (w *fileWorker) frames(ctx context.Context, r *codec.Reader, resample []*audio.ResampleStream, out *wav.Writer) error {
	channels := r.Info().Channels
	w.block = grown(w.block, max(1, blockSamples/channels)*channels)
	parts := make([][]float32, len(resample))
	for ctx.Err() == nil {
		n, err := r.ReadFrames(w.block)
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return err
		}
		block := w.block[:n*channels]
		if len(resample) > 0 {
			block = resampleFrames(resample, parts, block, last)
		}
		if err := out.WriteFrames(block); err != nil {
			return ifWriting(err)
		}
		if last {
			return nil
		}
	}
	return ctx.Err()
}

// resampleFrames resamples each channel of interleaved frames. parts are the channels' buffers.
func resampleFrames(resample []*audio.ResampleStream, parts [][]float32, block []float32, last bool) []float32 {
	channels := len(resample)
	x := make([]float32, len(block)/channels)
	for c, s := range resample {
		for i := range x {
			x[i] = block[i*channels+c]
		}
		parts[c] = s.Write(parts[c][:0], x)
		if last {
			parts[c] = s.Flush(parts[c])
		}
	}
	out := make([]float32, len(parts[0])*channels)
	for c, part := range parts {
		for i, v := range part {
			out[i*channels+c] = v
		}
	}
	return out
}

// buffered writes through a buffer and tells failures to write from all others.
func buffered(f io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(f, 1<<16)
	if err := write(b); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return &writeError{err}
	}
	return nil
}
