package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/audio/spectrogram"
	"wavemill/audio/stereo"
	"wavemill/audio/wav"
)

// errEmpty is why recordings without a single frame are skipped.
var errEmpty = errors.New("the recording has no samples")

// smallFile is the size up to which a WAV file is decoded at once: streaming costs more than it saves.
const smallFile = 1 << 20

// blockSamples is how much of a long recording is in memory at a time, over all channels.
const blockSamples = 1 << 16

// extractor turns recordings into the rows of spectrograms. It owns its buffers and is not safe for
// concurrent use.
type extractor struct {
	rate  int
	t     *spectrogram.Transform
	two   *stereo.Transform // For a config of two channels, instead of t.
	spec  *spectrogram.Spectrogram
	block []float32
	mono  []float32
	out   []float32
	file  []byte

	resamplers *audio.Resamplers // Shared by the workers of a conversion.
}

func newExtractor(c spectrogram.Config, resamplers *audio.Resamplers) (*extractor, error) {
	x := &extractor{rate: c.SampleRate, resamplers: resamplers}
	var err error
	if c.Channels == 2 {
		x.two, err = stereo.New(c)
	} else {
		x.t, err = spectrogram.New(c)
	}
	return x, err
}

// extract hands the rows of a recording to emit, in one piece or many, and returns the number of
// samples they stand for and what is to be said of the file. emit must not keep the slice.
func (x *extractor) extract(ctx context.Context, path string, size int64, emit func(rows []float32) error) (samples int64, found faults, err error) {
	if x.two != nil {
		return x.image(ctx, path, emit)
	}
	if size <= smallFile {
		c, h, ok, err := x.small(path)
		if err != nil {
			return 0, faults{}, err
		}
		if ok {
			n, err := x.whole(c, emit)
			return n, faults{h.Truncated, h.Notes}, err
		}
	}
	return x.stream(ctx, path, emit)
}

// faults are what a decoder says of a file.
type faults struct {
	truncated bool
	notes     []string
}

// small decodes a small WAV file; it reports false for files of any other kind.
func (x *extractor) small(path string) (audio.Clip, wav.Header, bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return audio.Clip{}, wav.Header{}, false, err
	}
	defer f.Close()
	if cap(x.file) == 0 {
		x.file = make([]byte, smallFile+1)
	}
	n, err := io.ReadFull(f, x.file)
	if err == nil || n < 12 || string(x.file[8:12]) != "WAVE" {
		return audio.Clip{}, wav.Header{}, false, nil // Grown beyond small, or of another kind.
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		return audio.Clip{}, wav.Header{}, false, err
	}
	c, h, err := wav.Decode(x.file[:n])
	if _, other := errors.AsType[*wav.UnsupportedError](err); other {
		return audio.Clip{}, wav.Header{}, false, nil // Compressed: the stream goes through ffmpeg.
	}
	return c, h, err == nil, err
}

// whole extracts from a decoded clip.
func (x *extractor) whole(c audio.Clip, emit func(rows []float32) error) (int64, error) {
	if c.Frames() == 0 {
		return 0, errEmpty
	}
	c = c.Mono()
	c, err := x.resamplers.Resample(c, x.rate)
	if err != nil {
		return 0, err
	}
	if x.spec, err = x.t.Forward(x.spec, c.Samples); err != nil {
		return 0, err
	}
	return int64(c.Frames()), emit(x.spec.Data)
}

// image extracts from both channels of a recording. It holds the whole in memory: where a sound is quiet, its place is that
// of the whole. What lies beyond the limits of codec.Decode is left out, and said.
func (x *extractor) image(ctx context.Context, path string, emit func(rows []float32) error) (int64, faults, error) {
	c, info, err := codec.DecodeFile(ctx, path)
	if err != nil {
		return 0, faults{}, err
	}
	if c.Frames() == 0 {
		return 0, faults{}, errEmpty
	}
	if c.Channels != 2 {
		c = middle(c.Mono())
	}
	if c, err = x.resamplers.Resample(c, x.rate); err != nil {
		return 0, faults{}, err
	}
	s, err := x.two.Forward(c.Samples)
	if err != nil {
		return 0, faults{}, err
	}
	if info.Cut {
		info.Notes = append(info.Notes, fmt.Sprintf("Of two channels, the first %d s or %d MiB of samples were converted.", codec.MaxSeconds, codec.MaxBytes>>20))
	}
	return int64(c.Frames()), faults{info.Truncated || info.Cut, info.Notes}, emit(s.Data)
}

// middle is one channel as two.
func middle(c audio.Clip) audio.Clip {
	both := make([]float32, 2*len(c.Samples))
	for i, v := range c.Samples {
		both[2*i], both[2*i+1] = v, v
	}
	c.Samples, c.Channels = both, 2
	return c
}

// stream extracts from a recording of any length.
func (x *extractor) stream(ctx context.Context, path string, emit func(rows []float32) error) (samples int64, found faults, err error) {
	s := x.t.NewStream(emit)
	info, err := monoBlocks(ctx, path, x.rate, x, func(block []float32) error {
		samples += int64(len(block))
		return s.Write(block)
	})
	if err == nil && samples == 0 {
		err = errEmpty
	}
	if err == nil {
		err = s.Close()
	}
	return samples, faults{info.Truncated, info.Notes}, err
}

// monoBlocks decodes a recording, mixes it down and resamples it block by block.
func monoBlocks(ctx context.Context, path string, rate int, x *extractor, emit func([]float32) error) (codec.Info, error) {
	r, err := codec.Open(ctx, path)
	if err != nil {
		return codec.Info{}, err
	}
	defer r.Close()
	info := r.Info()
	var resample *audio.ResampleStream
	if info.SampleRate != rate {
		rs, err := x.resamplers.Get(info.SampleRate, rate)
		if err != nil {
			return info, err
		}
		resample = rs.Stream()
	}
	n := max(1, blockSamples/info.Channels)
	x.block, x.mono = grown(x.block, n*info.Channels), grown(x.mono, n)
	for {
		if err := ctx.Err(); err != nil {
			return info, err
		}
		got, err := r.ReadFrames(x.block)
		mono := x.mono[:got]
		audio.MixDown(mono, x.block[:got*info.Channels], info.Channels)
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return r.Info(), err
		}
		if resample != nil {
			x.out = resample.Write(x.out[:0], mono)
			if last {
				x.out = resample.Flush(x.out)
			}
			mono = x.out
		}
		if err := emit(mono); err != nil {
			return r.Info(), err
		}
		if last {
			return r.Info(), nil
		}
	}
}

// grown is a slice of n values, the old one where it is large enough.
func grown(x []float32, n int) []float32 {
	if cap(x) < n {
		return make([]float32, n)
	}
	return x[:n]
}

// where names a failing file in an error that ends the conversion.
func where(j job, err error) error { return fmt.Errorf("convert: %s: %w", j.item.Path, err) }
