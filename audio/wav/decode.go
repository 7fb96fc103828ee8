package wav

import (
	"wavemill/audio"
)

// Decode decodes a whole file. The samples of integer formats are divided by their full scale,
// those of float formats are as they are, and one that is no finite number is an error that names
// its frame. The clip shares no memory with data. Beyond the samples themselves it takes no memory
// to speak of, whatever the file claims.
func Decode(data []byte) (audio.Clip, Header, error) {
	var h Header
	src := &memory{data}
	w := walker{src: src, header: &h}
	c, err := w.openData()
	if err != nil {
		return audio.Clip{}, Header{}, err
	}
	f := w.format
	h.Encoding, h.BitsPerSample, h.SampleRate, h.Channels = f.encoding(), f.valid, f.rate, f.channels
	body := src.b
	if !c.open {
		body = body[:min(c.size, int64(len(body)))]
	}
	frames := len(body) / f.frame()
	h.Frames = int64(frames)
	h.checkLength(c, int64(len(body)), f)
	src.b = src.b[len(body):]
	if !c.open && int64(len(body)) == c.size {
		if err := w.align(c); err != nil {
			return audio.Clip{}, Header{}, err
		}
		if err := w.tail(); err != nil {
			return audio.Clip{}, Header{}, err
		}
	}
	samples := make([]float32, frames*f.channels)
	if err := f.decode(samples, body, 0); err != nil {
		return audio.Clip{}, Header{}, err
	}
	return audio.Clip{Samples: samples, Channels: f.channels, Rate: f.rate}, h, nil
}

// checkLength says what is wrong with n bytes of data where the data chunk declares c.size.
func (h *Header) checkLength(c chunk, n int64, f format) {
	if !c.open && n < c.size {
		h.Truncated = true
		h.note("The data chunk declares %d bytes, but only %d are there: %d whole frames are kept.", c.size, n, n/int64(f.frame()))
	} else if cut := n % int64(f.frame()); cut != 0 {
		h.note("The data ends with %d of the %d bytes of a frame, which are dropped.", cut, f.frame())
	}
}
