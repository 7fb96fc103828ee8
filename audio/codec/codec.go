// Package codec decodes audio files: WAV, FLAC and Ogg Vorbis itself, other formats through the ffmpeg
// program where it is installed. The content of a file decides its format, not its name.
//
// Decode and DecodeFile make a clip of a file, of at most MaxSeconds and MaxBytes; Open streams a file of any length in
// constant memory. A file's claims are checked: hostile input gives an error, never a panic, a hang, or memory
// beyond these limits.
//
// A codec is added in one place: a value of format in a file of its own and one line in the table
// standard (format.go). IsAudioName and MediaType follow from the table.
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

// Info describes the content and the format of a file.
type Info struct {
	// Format is the container: "wav", "flac", "ogg", or ffmpeg's name ("mp3", "mov,mp4,m4a,3gp,3g2,mj2").
	Format string
	// Encoding is the sample format or codec by ffmpeg's name: "pcm_s16le", "flac", "vorbis", "mp3".
	Encoding string
	// Bits is the number of bits of a sample that carry information; 0 where it is not known, and for lossy encodings,
	// whose samples have no width.
	Bits int
	// SampleRate is the number of frames a second.
	SampleRate int
	// Channels is the number of channels, 1 to 64.
	Channels int
	// Frames counts the frames. From a Reader that has not reached the end it is what the header
	// declares, -1 if it declares none.
	Frames int64
	// Tags are the file's own: RIFF INFO names ("INAM") for WAV, Vorbis comment names in upper case
	// ("TITLE") for FLAC and Ogg; nil when there are none, and for what ffmpeg decodes.
	Tags map[string]string
	// Sampler is what the smpl chunk of a WAV file says of loops and note; nil when there is none.
	Sampler *wav.Sampler
	// Truncated reports that the file ends before the data that its header declares.
	Truncated bool
	// Cut reports that Decode or DecodeFile took only the beginning of a recording, as much as Limit says. Frames is then
	// what the header declares.
	Cut bool
	// Notes describe faults of the file and how they were handled, in sentences.
	Notes []string
}

func (i *Info) note(format string, args ...any) {
	i.Notes = append(i.Notes, fmt.Sprintf(format, args...))
}

// MaxSeconds and MaxBytes bound what Decode and DecodeFile keep of a recording: five minutes, and 256 MiB of samples over
// all channels, whichever is less. A labelled clip is shorter; compressed silence and day-long recordings are not, and
// would fill the memory. A Reader takes recordings of any length block by block.
const (
	MaxSeconds = 300
	MaxBytes   = 256 << 20
)

// Limit is how many frames of a recording Decode and DecodeFile keep.
func Limit(rate, channels int) int64 {
	const sample = 4 // Bytes of a float32.
	return min(int64(rate)*MaxSeconds, MaxBytes/sample/int64(max(1, channels)))
}

// wholeBytes is the size up to which a file that is decoded faster whole is read into memory.
const wholeBytes = 32 << 20

// Decode decodes a file up to Limit, whose kind it finds from the content. name is the clip's Source and
// begins every error; its extension helps only where the content is of no known kind. The clip
// shares no memory with data. A cancelled context ends it with the context's error.
func Decode(ctx context.Context, name string, data []byte) (audio.Clip, Info, error) {
	return standard.decode(ctx, name, data)
}

func (t table) decode(ctx context.Context, name string, data []byte) (audio.Clip, Info, error) {
	if err := ctx.Err(); err != nil {
		return audio.Clip{}, Info{}, err
	}
	if f := t.byContent(data); f != nil && f.whole != nil && len(data) <= wholeBytes {
		c, info, err := f.whole(data)
		if err == nil {
			c.Source = name
			cut(&c, &info)
			return c, info, nil
		}
		if !errors.Is(err, errNotWhole) {
			return audio.Clip{}, Info{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	r, err := t.reader(ctx, name, content{data: data, size: int64(len(data))})
	if err != nil {
		return audio.Clip{}, Info{}, err
	}
	defer r.Close()
	return r.all(ctx)
}

// cut shortens a clip to Limit.
func cut(c *audio.Clip, info *Info) {
	if n := Limit(c.Rate, c.Channels); int64(c.Frames()) > n {
		c.Samples = slices.Clone(c.Samples[:n*int64(c.Channels)])
		info.cut(n)
	}
}

// cut notes that only n frames were kept.
func (i *Info) cut(n int64) {
	i.Cut = true
	i.note("The recording is longer than %.0f s, the most that is kept of one: the rest is left out.", float64(n)/float64(i.SampleRate))
}

// errNotWhole is what format.whole returns for a file that open must open.
var errNotWhole = errors.New("not decoded whole")

// DecodeFile decodes the file at path, see Decode.
func DecodeFile(ctx context.Context, path string) (audio.Clip, Info, error) {
	return standard.decodeFile(ctx, path)
}

func (t table) decodeFile(ctx context.Context, path string) (audio.Clip, Info, error) {
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
	head := make([]byte, min(info.Size(), headLength))
	if _, err := io.ReadFull(f, head); err != nil {
		return audio.Clip{}, Info{}, fmt.Errorf("%s: %w", path, err)
	}
	if f := t.byContent(head); f == nil || f.whole == nil || info.Size() > wholeBytes { // Streamed: the file need not be in memory as well.
		r, err := t.openFile(ctx, path)
		if err != nil {
			return audio.Clip{}, Info{}, err
		}
		defer r.Close()
		return r.all(ctx)
	}
	data := append(make([]byte, 0, info.Size()+1), head...) // One more byte lets the last Read see the end.
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return t.decode(ctx, path, data)
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
func Open(ctx context.Context, path string) (*Reader, error) { return standard.openFile(ctx, path) }

func (t table) openFile(ctx context.Context, path string) (*Reader, error) {
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
	return t.reader(ctx, path, content{file: f, size: info.Size()})
}

// NewReader begins to decode a file in memory, see Open. name begins every error; its extension helps only where the content
// is of no known kind. data must not be changed before Close.
func NewReader(ctx context.Context, name string, data []byte) (*Reader, error) {
	return standard.reader(ctx, name, content{data: data, size: int64(len(data))})
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

// head reads the beginning, up to headLength bytes, and goes back to the start.
func (c content) head() ([]byte, error) {
	r := c.reader()
	head := make([]byte, min(c.size, headLength))
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	_, err = r.Seek(0, io.SeekStart)
	return head[:n], err
}

func (c content) close() {
	if c.file != nil {
		c.file.Close()
	}
}

// reader opens c with the decoder of its format. It owns c.
func (t table) reader(ctx context.Context, name string, c content) (*Reader, error) {
	head, err := c.head()
	if err == nil {
		var d decoder
		if d, err = t.open(ctx, name, head, c); err == nil {
			return &Reader{name: name, d: d}, nil
		}
	}
	c.close()
	return nil, fmt.Errorf("%s: %w", name, err)
}

// Info returns what is known so far; it is final once ReadFrames has returned io.EOF.
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

// all decodes the rest into a clip, up to Limit.
func (r *Reader) all(ctx context.Context) (audio.Clip, Info, error) {
	info := r.Info()
	channels := info.Channels
	limit := Limit(info.SampleRate, channels)
	const block = 1 << 16
	want := block // A promise is believed as far as it is cheap; beyond that the clip grows as it comes.
	n := min(info.Frames, limit+1) * int64(channels)
	if counted := info.Format == wavFormat.name; n > 0 && (n <= 1<<20 || counted) { // Frames of WAV are those that are there.
		want = int(n) + channels // Room to read what is not there, which is the end.
	}
	samples := make([]float32, 0, want)
	for {
		if err := ctx.Err(); err != nil {
			return audio.Clip{}, Info{}, err
		}
		left := limit + 1 - int64(len(samples)/channels) // One more frame tells whether there is more.
		samples = slices.Grow(samples, channels)
		n, err := r.ReadFrames(samples[len(samples):min(int64(cap(samples)), int64(len(samples))+left*int64(channels))])
		samples = samples[:len(samples)+n*channels]
		if err != nil && !errors.Is(err, io.EOF) {
			return audio.Clip{}, Info{}, err
		}
		more := int64(len(samples)/channels) > limit
		if !more && err == nil {
			continue
		}
		info = r.Info()
		if more {
			samples = samples[:limit*int64(channels)]
			info.cut(limit)
		}
		return audio.Clip{Samples: samples, Channels: channels, Rate: info.SampleRate, Source: r.name}, info, nil
	}
}
