package codec

import (
	"context"

	"wavemill/audio"
	"wavemill/audio/wav"
)

var wavFormat = format{
	name: "wav", title: "WAV", extensions: []string{".wav", ".wave", ".bwf", ".rf64"}, mediaType: "audio/wav",
	magic: isWAV,
	open:  func(_ context.Context, s source) (decoder, error) { return newWAV(s.content) },
	whole: func(data []byte) (audio.Clip, Info, error) {
		c, h, err := wav.Decode(data)
		return c, fromWAV(h), err
	},
}

// fromWAV is the Info of a WAV header.
func fromWAV(h wav.Header) Info {
	return Info{
		Format: "wav", Encoding: h.Encoding, SampleRate: h.SampleRate, Channels: h.Channels,
		Frames: h.Frames, Tags: h.Tags, Truncated: h.Truncated, Notes: h.Notes,
	}
}

// wavDecoder decodes WAV.
type wavDecoder struct {
	*wav.Reader
	c content
}

func newWAV(c content) (decoder, error) {
	r, err := wav.NewReader(c.reader())
	if err != nil {
		return nil, err
	}
	return wavDecoder{r, c}, nil
}

func (d wavDecoder) readFrames(dst []float32) (int, error) { return d.ReadFrames(dst) }
func (d wavDecoder) info() Info                            { return fromWAV(d.Header()) }
func (d wavDecoder) close() error                          { d.c.close(); return nil }
