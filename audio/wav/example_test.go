package wav_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"wavemill/audio"
	"wavemill/audio/wav"
)

func ExampleDecode() {
	data, err := wav.Encode(audio.Clip{
		Samples:  []float32{0, 0.5, 1.5, -0.5}, // 1.5 is beyond full scale: it is clipped.
		Channels: 2, Rate: 44100,
	}, wav.Options{Tags: map[string]string{"INAM": "kick"}})
	if err != nil {
		log.Fatal(err)
	}
	clip, header, err := wav.Decode(data)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(header.Encoding, header.Channels, header.SampleRate, header.Frames, header.Tags["INAM"])
	fmt.Println(clip.Samples)
	// Output:
	// pcm_s16le 2 44100 2 kick
	// [0 0.5 0.9999695 -0.5]
}

// WriteFile replaces a file as a whole: after a failure the old content is still there.
func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "wav")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "kick.wav")
	if err := wav.WriteFile(file, audio.Clip{Samples: make([]float32, 100), Channels: 1, Rate: 8000}, wav.Options{}); err != nil {
		fmt.Println(err)
		return
	}
	data, err := os.ReadFile(file)
	fmt.Println(len(data), "bytes", err)
	// Output: 244 bytes <nil>
}

// A Writer and a Reader handle recordings of any length in constant memory.
func ExampleNewReader() {
	var stream bytes.Buffer
	w, err := wav.NewWriter(&stream, 1, 8000, wav.Options{Encoding: wav.Float32})
	if err != nil {
		log.Fatal(err)
	}
	for range 100 {
		if err := w.WriteFrames(make([]float32, 8000)); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	r, err := wav.NewReader(&stream)
	if err != nil {
		log.Fatal(err)
	}
	block := make([]float32, 4096)
	total := 0
	for {
		n, err := r.ReadFrames(block)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		total += n
	}
	fmt.Println(total, r.Header().Notes)
	// Output:
	// 800000 [The file was streamed: its data size was never filled in, and all that follows is taken.]
}
