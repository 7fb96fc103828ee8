// Package flactest encodes clips as FLAC files, which the tests of the codec and of its callers decode.
package flactest

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"

	"wavemill/audio"
	"wavemill/audio/wav"
)

// Options says how Encode works. The zero Options make 16 bits with dither from seed 0.
type Options struct {
	// Bits is the width of a sample: 16 (also for 0) or 24.
	Bits int
	// Tags are Vorbis comments by name ("TITLE"), written as UTF-8.
	Tags map[string]string
	// DitherSeed and NoDither are those of wav.Options.
	DitherSeed uint64
	NoDither   bool
}

// flacBlock is the number of frames in a block, that of the reference encoder.
const flacBlock = 4096

// Encode makes a FLAC file of a clip: samples are clipped, never wrapped, and decode to the same
// integers as those of wav.Encode with the same options. Clips of more than 8 channels, rates above
// 655350 Hz and samples that are no finite number are errors.
func Encode(c audio.Clip, o Options) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if o.Bits == 0 {
		o.Bits = 16
	}
	switch {
	case o.Bits != 16 && o.Bits != 24:
		return nil, fmt.Errorf("flactest: cannot write FLAC of %d bits; use 16 or 24", o.Bits)
	case c.Channels > 8:
		return nil, fmt.Errorf("flactest: cannot write FLAC of %d channels; the maximum is 8", c.Channels)
	case c.Rate > 655350:
		return nil, fmt.Errorf("flactest: cannot write FLAC of %d Hz; the maximum is 655350", c.Rate)
	}
	for name := range o.Tags {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '}' || r == '=' }) {
			return nil, fmt.Errorf("flactest: tag name %q: Vorbis comments are named in ASCII without =", name)
		}
	}
	for i, v := range c.Samples {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("flactest: frame %d, channel %d is %v; every sample must be finite", i/c.Channels, i%c.Channels, v)
		}
	}
	out := &memoryFile{}
	info := &meta.StreamInfo{
		BlockSizeMin: 16, BlockSizeMax: flacBlock, SampleRate: uint32(c.Rate), NChannels: uint8(c.Channels),
		BitsPerSample: uint8(o.Bits), NSamples: uint64(c.Frames()),
	}
	enc, err := flac.NewEncoder(out, info, commentBlocks(o.Tags)...)
	if err != nil {
		return nil, fmt.Errorf("flactest: FLAC: %w", err)
	}
	// The library adds the residuals of a block in an int, whose overflow at 32 bits makes it choose codes of
	// gigabytes. There blocks are written without prediction.
	enc.EnablePredictionAnalysis(strconv.IntSize > 32)
	q := wav.NewQuantizer(o.Bits, wav.Options{DitherSeed: o.DitherSeed, NoDither: o.NoDither})
	for x := c.Samples; len(x) > 0; {
		n := min(flacBlock, len(x)/c.Channels)
		if err := enc.WriteFrame(flacFrame(q, x[:n*c.Channels], c, o.Bits)); err != nil {
			return nil, fmt.Errorf("flactest: FLAC: %w", err)
		}
		x = x[n*c.Channels:]
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("flactest: FLAC: %w", err)
	}
	return out.fixBlockSizes(c.Frames()), nil
}

// flacFrame quantizes a block. The encoder chooses the predictors.
func flacFrame(q *wav.Quantizer, x []float32, c audio.Clip, bits int) *frame.Frame {
	n := len(x) / c.Channels
	f := &frame.Frame{Header: frame.Header{
		HasFixedBlockSize: true, BlockSize: uint16(n), SampleRate: uint32(c.Rate),
		Channels: flacChannels(c.Channels), BitsPerSample: uint8(bits),
	}}
	for range c.Channels {
		f.Subframes = append(f.Subframes, &frame.Subframe{
			SubHeader: frame.SubHeader{Pred: frame.PredVerbatim}, Samples: make([]int32, n), NSamples: n,
		})
	}
	for i, v := range x {
		f.Subframes[i%c.Channels].Samples[i/c.Channels] = q.Step(v)
	}
	if c.Channels == 2 && sideIsSmaller(f.Subframes[0].Samples, f.Subframes[1].Samples) {
		f.Channels = frame.ChannelsMidSide
	}
	return f
}

// sideIsSmaller reports whether middle and side take fewer bits than left and right, by the size of
// their second differences, which the encoder's fixed predictors leave.
func sideIsSmaller(left, right []int32) bool {
	var l, r, m, s int64
	abs := func(v int64) int64 { return max(v, -v) }
	second := func(x []int32, i int) int64 { return int64(x[i]) - 2*int64(x[i-1]) + int64(x[i-2]) }
	for i := 2; i < len(left); i++ {
		dl, dr := second(left, i), second(right, i)
		l, r, m, s = l+abs(dl), r+abs(dr), m+abs(dl+dr)/2, s+abs(dl-dr)
	}
	return m+s < l+r
}

func flacChannels(n int) frame.Channels {
	return []frame.Channels{
		frame.ChannelsMono, frame.ChannelsLR, frame.ChannelsLRC, frame.ChannelsLRLsRs,
		frame.ChannelsLRCLsRs, frame.ChannelsLRCLfeLsRs, frame.ChannelsLRCLfeCsSlSr, frame.ChannelsLRCLfeLsRsSlSr,
	}[n-1]
}

// commentBlocks is a Vorbis comment with the tags sorted by name; none when there are none.
func commentBlocks(tags map[string]string) []*meta.Block {
	if len(tags) == 0 {
		return nil
	}
	c := &meta.VorbisComment{Vendor: "wavemill"}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		c.Tags = append(c.Tags, [2]string{name, tags[name]})
	}
	// Any length but 0, which stands for an empty block; the encoder works out its own.
	return []*meta.Block{{Header: meta.Header{Type: meta.TypeVorbisComment, Length: 1}, Body: c}}
}

// memoryFile is a file in memory that the encoder can go back in.
type memoryFile struct {
	b  []byte
	at int64
}

// Seek implements io.Seeker for the one jump that the encoder makes, back into the header.
func (m *memoryFile) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart || offset > int64(len(m.b)) {
		return 0, fmt.Errorf("flactest: unexpected seek to %d", offset)
	}
	m.at = offset
	return offset, nil
}

// Write implements io.Writer.
func (m *memoryFile) Write(p []byte) (int, error) {
	n := copy(m.b[m.at:], p)
	m.b = append(m.b, p[n:]...)
	m.at += int64(len(p))
	return len(p), nil
}

// fixBlockSizes states the block sizes as RFC 9639 (section 8.2) wants them: the last block does not
// count, and a stream of one short block states the size of the others it could have had.
func (m *memoryFile) fixBlockSizes(frames int) []byte {
	b := m.b
	size := uint16(flacBlock)
	if frames < flacBlock {
		size = uint16(max(16, frames))
	}
	const blockSizes = 8 // After the signature and the block's head.
	binary.BigEndian.PutUint16(b[blockSizes:], size)
	binary.BigEndian.PutUint16(b[blockSizes+2:], size)
	return b
}
