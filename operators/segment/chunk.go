package segment

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"mime"
	"strconv"

	"wavemill/audio"
	"wavemill/audio/codec"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// maxChunk bounds the body of a chunk in bytes: about a minute of stereo. Longer audio is a recording, which needs no order.
const maxChunk = 16 << 20

// maxSource bounds the name of a source in bytes: it becomes part of headers and of the stored state.
const maxSource = 4096

// A chunk is one piece of endless audio.
type chunk struct {
	sequence uint64
	id       string
	source   string
	label    string
	group    string
	number   int64
	last     bool
	sum      uint32 // Of the body.
	clip     audio.Clip
	about    codec.Info
}

// isChunk reports whether a message is a piece of endless audio, and not a recording.
func isChunk(m *pipeline.Message) bool { return m.Header[header.Chunk] != "" }

// numberOf returns the number of a chunk, -1 where the header has none.
func numberOf(m *pipeline.Message) int64 {
	n, err := strconv.ParseInt(m.Header[header.Chunk], 10, 64)
	if err != nil || n < 0 || n > 1<<53 {
		return -1
	}
	return n
}

// parse reads a chunk. It depends on the message alone.
func parse(ctx context.Context, m *pipeline.Message, label string) (*chunk, error) {
	c := &chunk{
		sequence: m.Sequence, id: m.ID, source: m.Header[header.Source], label: m.Label, group: m.Header[header.Group],
		number: numberOf(m), sum: crc32.ChecksumIEEE(m.Body),
	}
	if label != "" {
		c.label = label
	}
	switch {
	case c.number < 0:
		return nil, fmt.Errorf("header %s is %q; number the chunks of a source from 0", header.Chunk, shortened(m.Header[header.Chunk]))
	case c.source == "":
		return nil, fmt.Errorf("a chunk without the header %s: it says which chunks belong together", header.Source)
	case len(c.source) > maxSource || len(c.group) > maxSource:
		return nil, fmt.Errorf("header %s or %s has more than %d bytes", header.Source, header.Group, maxSource)
	case len(m.Body) > maxChunk:
		return nil, fmt.Errorf("a chunk of %d bytes; it may have %d. Send smaller ones, or the recording whole, without the header %s", len(m.Body), maxChunk, header.Chunk)
	}
	switch last := m.Header[header.Last]; last {
	case "", "false":
	case "true":
		c.last = true
	default:
		return nil, fmt.Errorf("header %s is %q; it is true or absent", header.Last, shortened(last))
	}
	if len(m.Body) == 0 && c.last {
		return c, nil // The end alone.
	}
	if err := c.decode(ctx, m); err != nil {
		return nil, fmt.Errorf("chunk %d of %s: %w", c.number, shortened(c.source), err)
	}
	return c, nil
}

// shortened is a text of a stranger in an error.
func shortened(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}

// decode decodes the body: samples as the Content-Type describes them, or a file.
func (c *chunk) decode(ctx context.Context, m *pipeline.Message) (err error) {
	kind, params, errType := mime.ParseMediaType(m.Header[header.ContentType])
	if kind != "audio/l16" && kind != "audio/pcm" {
		c.clip, c.about, err = codec.Decode(ctx, c.source, m.Body)
		if err == nil && c.clip.Frames() == 0 {
			err = errors.New("there are no samples in it")
		}
		return err
	}
	if errType != nil {
		return fmt.Errorf("header %s: %w", header.ContentType, errType)
	}
	number := func(name string, fallback, most int) (int, error) {
		text, ok := params[name]
		if !ok && fallback > 0 {
			return fallback, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return 0, fmt.Errorf("header %s: %s is %q", header.ContentType, name, shortened(text))
		}
		return n, nil
	}
	if c.clip.Rate, err = number("rate", 0, 1<<20); err != nil {
		return err
	}
	if c.clip.Channels, err = number("channels", 1, 64); err != nil {
		return err
	}
	encoding := "s16be" // RFC 2586 and RFC 3551: L16 is in network order.
	if kind == "audio/pcm" {
		encoding = params["encoding"]
	}
	if c.clip.Samples, err = samples(m.Body, encoding); err != nil {
		return err
	}
	if len(c.clip.Samples)%c.clip.Channels != 0 {
		return fmt.Errorf("%d samples do not fill whole frames of %d channels", len(c.clip.Samples), c.clip.Channels)
	}
	c.about = codec.Info{Format: "pcm", Encoding: "pcm_" + encoding, Bits: 16, SampleRate: c.clip.Rate, Channels: c.clip.Channels}
	if encoding == "f32le" {
		c.about.Bits = 32
	}
	return nil
}

// samples decodes headerless samples.
func samples(b []byte, encoding string) ([]float32, error) {
	width := 2
	if encoding == "f32le" {
		width = 4
	}
	if len(b) == 0 || len(b)%width != 0 {
		return nil, fmt.Errorf("%d bytes are no samples of %d bytes", len(b), width)
	}
	x := make([]float32, len(b)/width)
	for i := range x {
		switch encoding {
		case "s16le", "":
			x[i] = float32(int16(binary.LittleEndian.Uint16(b[2*i:]))) / (1 << 15)
		case "s16be":
			x[i] = float32(int16(binary.BigEndian.Uint16(b[2*i:]))) / (1 << 15)
		case "f32le":
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
			if v := float64(x[i]); math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("sample %d is %v", i, v)
			}
		default:
			return nil, fmt.Errorf("header %s: encoding is %q; it is s16le, s16be or f32le", header.ContentType, shortened(encoding))
		}
	}
	return x, nil
}
