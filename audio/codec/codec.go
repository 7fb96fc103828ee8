// Package codec decodes audio files of any kind by their content: WAV, FLAC and Ogg Vorbis itself,
// everything else through the ffmpeg program where that is installed. It encodes FLAC.
//
// Decode and DecodeFile make a clip of a whole file; Open streams a file of any length in constant
// memory. Nothing that a file claims is trusted: hostile input gives an error, never a panic, a
// hang, or memory out of proportion to its size (see Limit).
package codec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"wavemill/audio"
	"wavemill/audio/wav"
)

// Info says what a file holds and how it holds it.
type Info struct {
	// Format is the container: "wav", "flac", "ogg", or ffmpeg's name ("mp3", "mov,mp4,m4a,3gp,3g2,mj2").
	Format string
	// Encoding is the sample format or codec by ffmpeg's name: "pcm_s16le", "flac", "vorbis", "mp3".
	Encoding string
	// SampleRate is the number of frames a second.
	SampleRate int
	// Channels is the number of channels, 1 to 64.
	Channels int
	// Frames counts the frames. From a Reader that has not reached the end it is what the file
	// promises, -1 when it promises nothing.
	Frames int64
	// Tags are the file's own: RIFF INFO names ("INAM") for WAV, Vorbis comment names in upper case
	// ("TITLE") for FLAC and Ogg; nil when there are none, and for what ffmpeg decodes.
	Tags map[string]string
	// Truncated reports that the file ends before the data it promises.
	Truncated bool
	// Notes says, in sentences, what was wrong with the file and what was made of it.
	Notes []string
}

func (i *Info) note(format string, args ...any) {
	i.Notes = append(i.Notes, fmt.Sprintf(format, args...))
}

// fromWAV is the Info of a WAV header.
func fromWAV(h wav.Header) Info {
	return Info{
		Format: "wav", Encoding: h.Encoding, SampleRate: h.SampleRate, Channels: h.Channels,
		Frames: h.Frames, Tags: h.Tags, Truncated: h.Truncated, Notes: h.Notes,
	}
}

// Limit is how many samples Decode makes of a file of so many bytes before it refuses to go on:
// 16 Mi (64 MB, three minutes of 48 kHz stereo) and 256 for each byte. Compressed silence and
// hostile files can stand for any length; a Reader takes them block by block.
func Limit(size int64) int64 { return 16<<20 + 256*size }

// Decode decodes a whole file, whose kind it finds from the content. name is the clip's Source and
// begins every error; its extension helps only where the content is of no known kind. The clip
// shares no memory with data. A cancelled context ends it with the context's error.
func Decode(ctx context.Context, name string, data []byte) (audio.Clip, Info, error) {
	if err := ctx.Err(); err != nil {
		return audio.Clip{}, Info{}, err
	}
	if sniff(data) == kindWAV { // The common case without a stream's buffers.
		c, h, err := wav.Decode(data)
		if err != nil {
			return audio.Clip{}, Info{}, fmt.Errorf("%s: %w", name, err)
		}
		c.Source = name
		return c, fromWAV(h), nil
	}
	r, err := open(ctx, name, content{data: data, size: int64(len(data))})
	if err != nil {
		return audio.Clip{}, Info{}, err
	}
	defer r.Close()
	return r.all(ctx, Limit(int64(len(data))))
}

// DecodeFile decodes the file at path, see Decode.
func DecodeFile(ctx context.Context, path string) (audio.Clip, Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return audio.Clip{}, Info{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return audio.Clip{}, Info{}, err
	}
	if !info.Mode().IsRegular() {
		return audio.Clip{}, Info{}, fmt.Errorf("%s: not a regular file", path)
	}
	head := make([]byte, min(info.Size(), sniffLength))
	if _, err := io.ReadFull(f, head); err != nil {
		return audio.Clip{}, Info{}, fmt.Errorf("%s: %w", path, err)
	}
	if sniff(head) != kindWAV { // Compressed files are streamed: they need not be in memory as well.
		r, err := Open(ctx, path)
		if err != nil {
			return audio.Clip{}, Info{}, err
		}
		defer r.Close()
		return r.all(ctx, Limit(info.Size()))
	}
	data := append(make([]byte, 0, info.Size()+1), head...) // One more byte lets the last Read see the end.
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return Decode(ctx, path, data)
		}
		if err != nil {
			return audio.Clip{}, Info{}, fmt.Errorf("%s: %w", path, err)
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data)) // The file grows while it is read.
		}
	}
}

// decoder is one way of getting samples out of a file.
type decoder interface {
	// readFrames is Reader.ReadFrames, without the file's name in errors.
	readFrames(dst []float32) (int, error)
	info() Info
	close() error
}

// Reader decodes a file of any length block by block in constant memory. It is not safe for
// concurrent use.
type Reader struct {
	name string
	d    decoder
	err  error
}

// Open begins to decode the file at path. Cancelling the context ends a child process that decodes
// it; Close releases what is held.
func Open(ctx context.Context, path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return open(ctx, path, content{file: f, size: info.Size()})
}

// content is an encoded file, in memory or open.
type content struct {
	data []byte
	file *os.File
	size int64
}

func (c content) reader() io.ReadSeeker {
	if c.file != nil {
		return c.file
	}
	return bytes.NewReader(c.data)
}

func (c content) close() {
	if c.file != nil {
		c.file.Close()
	}
}

// open chooses the decoder. It owns c.
func open(ctx context.Context, name string, c content) (*Reader, error) {
	d, err := newDecoder(ctx, name, c)
	if err != nil {
		c.close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Reader{name: name, d: d}, nil
}

func newDecoder(ctx context.Context, name string, c content) (decoder, error) {
	r := c.reader()
	head := make([]byte, min(c.size, sniffLength))
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	head = head[:n]
	switch kind := sniff(head); {
	case len(head) == 0:
		return nil, errors.New("the file is empty")
	case kind == kindWAV:
		return newWAV(c)
	case kind == kindFLAC:
		return newFLAC(c)
	case kind == kindVorbis:
		d, err := newVorbis(c)
		if errors.Is(err, errVariant) {
			return newFFmpeg(ctx, name, "this variant of "+kindVorbis, c)
		}
		return d, err
	case kind != "" || plausibleName(name):
		return newFFmpeg(ctx, name, kind, c)
	}
	return nil, fmt.Errorf("not an audio file of a known kind (it begins with %q)", head[:min(len(head), 12)])
}

// Info says what is known so far; it is final once ReadFrames has returned io.EOF.
func (r *Reader) Info() Info { return r.d.info() }

// ReadFrames decodes up to len(dst)/Channels frames, interleaved, and returns how many: fewer than
// asked for only at the end, and then with a nil error; the next call returns 0 and io.EOF.
func (r *Reader) ReadFrames(dst []float32) (int, error) {
	channels := r.d.info().Channels
	want := len(dst) / channels
	done := 0
	for done < want && r.err == nil {
		var n int
		n, r.err = r.d.readFrames(dst[done*channels : want*channels])
		done += n
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			r.err = fmt.Errorf("%s: %w", r.name, r.err)
		}
	}
	if done > 0 && errors.Is(r.err, io.EOF) {
		return done, nil
	}
	return done, r.err
}

// Close releases the file and ends a child process.
func (r *Reader) Close() error { return r.d.close() }

// all decodes the rest into a clip of at most limit samples.
func (r *Reader) all(ctx context.Context, limit int64) (audio.Clip, Info, error) {
	info := r.Info()
	const block = 1 << 16
	want := block // A promise is believed as far as it is cheap; beyond that the clip grows as it comes.
	if n := info.Frames * int64(info.Channels); n > 0 && n <= 1<<20 {
		want = int(n)
	}
	samples := make([]float32, 0, want)
	for {
		if err := ctx.Err(); err != nil {
			return audio.Clip{}, Info{}, err
		}
		samples = slices.Grow(samples, info.Channels)
		n, err := r.ReadFrames(samples[len(samples):cap(samples)])
		samples = samples[:len(samples)+n*info.Channels]
		if errors.Is(err, io.EOF) {
			return audio.Clip{Samples: samples, Channels: info.Channels, Rate: info.SampleRate, Source: r.name}, r.Info(), nil
		}
		if err != nil {
			return audio.Clip{}, Info{}, err
		}
		if int64(len(samples)) > limit {
			return audio.Clip{}, Info{}, fmt.Errorf("%s: decodes to more than %d samples, which is too much for memory from a file of its size; convert it in blocks (wavemill convert does)", r.name, limit)
		}
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
