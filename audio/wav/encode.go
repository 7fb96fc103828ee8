package wav

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"wavemill/audio"
)

// Encoding is a sample format that Encode and Writer make.
type Encoding uint8

// The encodings; the zero value is PCM16, which everything plays.
const (
	PCM16 Encoding = iota
	PCM24
	PCM32
	Float32
)

// String is ffmpeg's name of the encoding.
func (e Encoding) String() string {
	switch e {
	case PCM16:
		return "pcm_s16le"
	case PCM24:
		return "pcm_s24le"
	case PCM32:
		return "pcm_s32le"
	case Float32:
		return "pcm_f32le"
	}
	return fmt.Sprintf("wav.Encoding(%d)", uint8(e))
}

// format describes the encoding as the decoder sees it.
func (e Encoding) format(channels, rate int) format {
	f := format{kind: kindSigned, order: binary.LittleEndian, channels: channels, rate: rate}
	switch e {
	case PCM16:
		f.width = 2
	case PCM24:
		f.width = 3
	case PCM32:
		f.width = 4
	case Float32:
		f.kind, f.width = kindFloat, 4
	}
	f.valid = 8 * f.width
	return f
}

// Options says how to encode. The zero Options make 16-bit PCM with dither from seed 0.
type Options struct {
	Encoding Encoding
	// Tags are RIFF INFO tags by their four-letter names, written as UTF-8 before the data.
	Tags map[string]string
	// Sampler, when not nil, is written before the data as a smpl chunk.
	Sampler *Sampler
	// DitherSeed seeds the dither. The same samples and seed make the same bytes.
	DitherSeed uint64
	// NoDither rounds instead. PCM16 and PCM24 otherwise add triangular noise of two steps
	// peak to peak (TPDF; Lipshitz, Wannamaker and Vanderkooy, "Quantization and dither", JAES
	// 40(5), 1992) wherever a sample lies between two steps, which turns distortion into constant
	// noise. Samples that lie on a step are exact either way, so decoded PCM comes back bit for bit.
	NoDither bool
}

// Encode makes a whole file of a clip. Samples beyond full scale are clipped, never wrapped; one
// that is no finite number is an error that names its frame. Source and Label are not written.
func Encode(c audio.Clip, o Options) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	q, err := newQuantizer(c.Channels, c.Rate, o)
	if err != nil {
		return nil, err
	}
	size := int64(len(c.Samples) * q.format.width)
	head, err := fileHead(q.format, o, size, false)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(head)+int(size)+1)
	if out, err = q.encode(append(out, head...), c.Samples); err != nil {
		return nil, err
	}
	if size%2 == 1 {
		out = append(out, 0)
	}
	return out, nil
}

// Quantizer turns floats into integers of a width: clipped, and dithered where they lie between two
// steps. It is not safe for concurrent use.
type Quantizer struct {
	full   float64
	dither bool
	rng    *rand.PCG
}

// NewQuantizer makes a Quantizer for 2 to 32 bits. Of the options DitherSeed and NoDither count; more
// than 24 bits are never dithered, for a float32 has no more. It panics when bits is out of range.
func NewQuantizer(bits int, o Options) *Quantizer {
	if bits < 2 || bits > 32 {
		panic(fmt.Sprintf("wav: quantizing to %d bits", bits))
	}
	// The second half of the PCG seed only keeps this stream apart from others of the same seed.
	const stream = 0x7761762d64697468
	return &Quantizer{
		full:   float64(int64(1) << (bits - 1)),
		dither: !o.NoDither && bits <= 24,
		rng:    rand.NewPCG(o.DitherSeed, stream),
	}
}

// Step is the nearest step to v, dithered when v lies between two, clipped to the range. v must be a
// number.
func (q *Quantizer) Step(v float32) int32 {
	x := float64(v) * q.full
	if q.dither && math.Floor(x) != x {
		const unit = 1.0 / (1 << 32)
		r := q.rng.Uint64()
		x += (float64(uint32(r)) - float64(r>>32)) * unit // The difference of two uniforms is triangular.
	}
	return int32(min(max(math.RoundToEven(x), -q.full), q.full-1))
}

// quantizer turns floats into the bytes of one file.
type quantizer struct {
	*Quantizer
	format  format
	done    int64 // Samples encoded.
	clipped int64 // Of these, samples beyond full scale of an integer format.

	lead     float32 // The first channel's sample of the current frame,
	leadStep int32   // and what it became.
}

func newQuantizer(channels, rate int, o Options) (*quantizer, error) {
	f := o.Encoding.format(channels, rate)
	switch {
	case f.width == 0:
		return nil, fmt.Errorf("wav: %v is no encoding", o.Encoding)
	case channels < 1 || channels > maxChannels:
		return nil, fmt.Errorf("wav: %d channels; 1 to %d can be written", channels, maxChannels)
	case rate < 1 || int64(rate)*int64(f.frame()) > math.MaxUint32:
		return nil, fmt.Errorf("wav: a sample rate of %d Hz with %d bytes a frame cannot be written", rate, f.frame())
	}
	return &quantizer{Quantizer: NewQuantizer(8*f.width, o), format: f}, nil
}

// encode appends samples to out.
func (q *quantizer) encode(out []byte, samples []float32) ([]byte, error) {
	const exponent, magnitude, one = 0x7F800000, 0x7FFFFFFF, 0x3F800000
	over := int64(0)
	for i, v := range samples {
		bits := math.Float32bits(v)
		if bits&exponent == exponent {
			return out, q.format.badSample(v, q.done+int64(i))
		}
		if bits&magnitude > one {
			over++
		}
	}
	if q.format.kind != kindFloat {
		q.clipped += over
	}
	first := q.done
	q.done += int64(len(samples))
	le := binary.LittleEndian
	switch {
	case q.format.kind == kindFloat:
		for _, v := range samples {
			out = le.AppendUint32(out, math.Float32bits(v))
		}
	case q.format.width == 2:
		for i, v := range samples {
			out = le.AppendUint16(out, uint16(q.step(v, first+int64(i))))
		}
	case q.format.width == 3:
		for i, v := range samples {
			s := q.step(v, first+int64(i))
			out = append(out, byte(s), byte(s>>8), byte(s>>16))
		}
	default:
		for _, v := range samples {
			out = le.AppendUint32(out, uint32(q.Step(v)))
		}
	}
	return out, nil
}

// step is Step of the sample with that number. A channel whose sample is that of the first channel gets the same step: equal
// channels stay equal, and do not become a mid with a side of dither.
func (q *quantizer) step(v float32, number int64) int32 {
	s := q.Step(v)
	channels := int64(q.format.channels)
	switch {
	case channels == 1:
	case number%channels == 0:
		q.lead, q.leadStep = v, s
	case v == q.lead:
		return q.leadStep
	}
	return s
}
