package codec

import (
	"context"
	"errors"
	"io"

	"wavemill/audio"
	"wavemill/audio/wav"
)

var wavFormat = format{
	name: "wav", title: "WAV", extensions: []string{".wav", ".wave", ".bwf", ".rf64"}, mediaType: "audio/wav",
	magic: isWAV, open: openWAV,
	whole: func(data []byte) (audio.Clip, Info, error) {
		c, h, err := wav.Decode(data)
		if _, unsupported := errors.AsType[*wav.UnsupportedError](err); unsupported {
			err = errNotWhole
		}
		return c, fromWAV(h), err
	},
}

// openWAV opens a WAV file; one of a compressed encoding goes to ffmpeg.
func openWAV(ctx context.Context, s source) (decoder, error) { return openWAVAt(ctx, s, 0) }

// openWAVAt opens a WAV file that begins at an offset, behind an ID3 tag.
func openWAVAt(ctx context.Context, s source, offset int64) (decoder, error) {
	rs := s.reader()
	if _, err := rs.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	r, err := wav.NewReader(rs)
	if other, unsupported := errors.AsType[*wav.UnsupportedError](err); unsupported {
		s.kind = "a WAV file of " + other.Name
		return newFFmpeg(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	return wavDecoder{r, s.content}, nil
}

// fromWAV is the Info of a WAV header.
func fromWAV(h wav.Header) Info {
	return Info{
		Format: "wav", Encoding: h.Encoding, Bits: h.BitsPerSample, SampleRate: h.SampleRate, Channels: h.Channels,
		Frames: h.Frames, Tags: h.Tags, Sampler: h.Sampler, Truncated: h.Truncated, Notes: h.Notes,
	}
}

// wavDecoder decodes WAV.
type wavDecoder struct {
	*wav.Reader
	c content
}

func (d wavDecoder) readFrames(dst []float32) (int, error) { return d.ReadFrames(dst) }
func (d wavDecoder) info() Info                            { return fromWAV(d.Header()) }
func (d wavDecoder) close() error                          { d.c.close(); return nil }
