package codec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"wavemill/audio/wav"
)

// ffmpegDemuxers are the demuxers that ffmpeg may use: containers of sound, and none that can name
// other files or addresses (playlists, concat scripts).
const ffmpegDemuxers = "aac,ac3,eac3,aiff,amr,ape,asf,au,caf,dts,flac,loas,matroska,webm,mov,mp3,mp2,mpeg,mpegts,nistsphere,ogg,rm,shn,tak,tta,voc,wav,w64,wsaud,wv,xwma,mpc,mpc8,oma,gsm,iff,sox,avi,flv"

// ffmpegDecoder decodes through a child process that writes a streamed float WAV to a pipe.
type ffmpegDecoder struct {
	c         content
	temporary string
	about     Info
	cmd       *exec.Cmd
	out       io.ReadCloser
	log       *capped
	r         *wav.Reader
	ctx       context.Context // ends the child process when the decoder is closed
	cancel    context.CancelFunc
	waited    bool
}

// newFFmpeg starts the child. It takes the container's name and the codec's from ffmpeg's log.
func newFFmpeg(ctx context.Context, s source) (decoder, error) {
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, fmt.Errorf("decoding %s needs the ffmpeg program, which is not installed; install it (apt install ffmpeg, brew install ffmpeg, winget install ffmpeg) or convert the file to WAV, FLAC or Ogg Vorbis", s.kind)
	}
	d := &ffmpegDecoder{c: s.content, log: &capped{limit: 64 << 10}}
	path, err := d.path()
	if err != nil {
		return nil, err
	}
	d.ctx, d.cancel = context.WithCancel(ctx)
	d.cmd = exec.CommandContext(d.ctx, program, // The path stands behind "file:", so that it cannot be an option or a protocol.
		"-nostdin", "-hide_banner", "-loglevel", "info", "-nostats",
		"-protocol_whitelist", "file", "-format_whitelist", ffmpegDemuxers, "-threads", "1",
		"-i", "file:"+path, "-map", "0:a:0", "-map_metadata", "-1", "-fflags", "+bitexact",
		"-c:a", "pcm_f32le", "-f", "wav", "pipe:1")
	d.cmd.Stderr = d.log
	d.cmd.WaitDelay = 5 * time.Second
	if d.out, err = d.cmd.StdoutPipe(); err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		d.cancel()
		d.remove()
		return nil, fmt.Errorf("starting ffmpeg: %w", err)
	}
	if d.r, err = wav.NewReader(d.out); err != nil {
		_, _ = io.Copy(io.Discard, d.out) // The child's own words say more.
		failure := d.wait()
		_ = d.close()
		if failure == nil {
			failure = fmt.Errorf("ffmpeg finds no audio stream in it: %w", err)
		}
		return nil, failure
	}
	d.about = Info{SampleRate: d.r.Header().SampleRate, Channels: d.r.Header().Channels, Frames: -1}
	return d, nil
}

// path is where ffmpeg finds the file. Data in memory goes to a temporary one, because some
// containers must be read back and forth.
func (d *ffmpegDecoder) path() (string, error) {
	if d.c.file != nil {
		return filepath.Abs(d.c.file.Name())
	}
	f, err := os.CreateTemp("", "wavemill-*")
	if err != nil {
		return "", err
	}
	d.temporary = f.Name()
	_, err = f.Write(d.c.data)
	if err = errors.Join(err, f.Close()); err != nil {
		d.remove()
		return "", err
	}
	return d.temporary, nil
}

func (d *ffmpegDecoder) remove() {
	if d.temporary != "" {
		_ = os.Remove(d.temporary)
		d.temporary = ""
	}
}

// A declared duration counts the encoder's delay and padding, and is rounded.
const (
	durationSlack  = 0.01 // of the duration
	paddingSeconds = 0.1
)

func (d *ffmpegDecoder) info() Info {
	about := d.about
	about.Format, about.Encoding, about.Bits = d.log.names()
	return about
}

func (d *ffmpegDecoder) readFrames(dst []float32) (int, error) {
	n, err := d.r.ReadFrames(dst)
	if err != nil && errors.Is(err, io.EOF) {
		d.about.Frames = d.r.Header().Frames
		ended := d.waited
		if failure := d.wait(); failure != nil {
			return n, failure
		}
		if !ended {
			d.missing()
		}
	}
	return n, err
}

// missing notes what the log of a child that has ended says of sound that is not there: a declared duration that is not
// reached, or packets that could not be read. Some formats declare nothing, such as raw streams and Ogg.
func (d *ffmpegDecoder) missing() {
	there := float64(d.about.Frames) / float64(d.about.SampleRate)
	if declared := d.log.duration(); there < declared*(1-durationSlack)-paddingSeconds {
		d.about.Truncated = true
		d.about.note("The file ends early: it declares %.2f s, and %.2f s of sound are in it.", declared, there)
	} else if line := d.log.damage(); line != "" {
		d.about.Truncated = true
		d.about.note("A part of the file cannot be decoded. ffmpeg reports: %s.", line)
	}
}

// wait ends the child and says, in its own words, what failed.
func (d *ffmpegDecoder) wait() error {
	if d.waited {
		return nil
	}
	d.waited = true
	err := d.cmd.Wait()
	if stopped := d.ctx.Err(); stopped != nil {
		return stopped
	}
	if err != nil {
		return fmt.Errorf("ffmpeg: %s", d.log.failure(err, d.c.file, d.temporary))
	}
	return nil
}

func (d *ffmpegDecoder) close() error {
	d.cancel()
	_ = d.wait() // It was stopped, so it failed.
	d.remove()
	d.c.close()
	return nil
}

// capped keeps the beginning and goes on accepting.
type capped struct {
	mu    sync.Mutex
	b     bytes.Buffer
	limit int
}

// Write implements io.Writer.
func (c *capped) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if room := c.limit - c.b.Len(); room > 0 {
		c.b.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

var (
	inputLine  = regexp.MustCompile(`(?m)^Input #0, (.+), from '`)
	streamLine = regexp.MustCompile(`(?m)^ *Stream #0:\d+.*?: Audio: (\w+)(?:.*\((\d+) bit\))?`)
	pcmName    = regexp.MustCompile(`^pcm_[suf](\d+)`)

	durationLine = regexp.MustCompile(`(?m)^  Duration: (\d+):(\d\d):(\d\d\.\d+)`)
	damageLine   = regexp.MustCompile(`(?mi)^(?:\[[^]]*\] *|file:.*: )?((?:packet corrupt|corrupt (?:input|decoded)|file ended prematurely|incomplete frame|filesize and duration|invalid pcm packet|invalid data|error while decoding|error submitting).*)$`)
)

// duration returns the seconds that the file declares; 0 where it declares none. Without a declaration ffmpeg estimates the
// duration from what is there, and beside a picture or a film it may be that of the picture.
func (c *capped) duration() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	log := c.b.Bytes()
	m := durationLine.FindSubmatch(log)
	if m == nil || bytes.Contains(log, []byte("Estimating duration from bitrate")) || bytes.Contains(log, []byte(": Video: ")) {
		return 0
	}
	seconds := 0.
	for _, part := range m[1:] {
		n, err := strconv.ParseFloat(string(part), 64)
		if err != nil {
			return 0
		}
		seconds = 60*seconds + n
	}
	return seconds
}

// damage returns the first line of the log that says that sound could not be read, without the part of ffmpeg that says it.
func (c *capped) damage() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := damageLine.FindSubmatch(c.b.Bytes()); m != nil {
		return strings.TrimRight(strings.TrimSpace(string(m[1])), ".")
	}
	return ""
}

// names finds the container, the codec and, where it is known, the width of samples in ffmpeg's log.
func (c *capped) names() (format, encoding string, bits int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	format, encoding = "unknown", "unknown"
	if m := inputLine.FindSubmatch(c.b.Bytes()); m != nil {
		format = string(m[1])
	}
	if m := streamLine.FindSubmatch(c.b.Bytes()); m != nil {
		encoding = string(m[1])
		width := m[2]
		if pcm := pcmName.FindStringSubmatch(encoding); pcm != nil {
			width = []byte(pcm[1])
		}
		bits, _ = strconv.Atoi(string(width)) // 0 where it is not said.
	}
	return format, encoding, bits
}

// failure is the last line of the log that says something, without the file's name.
func (c *capped) failure(err error, f *os.File, temporary string) string {
	c.mu.Lock()
	text := c.b.String()
	c.mu.Unlock()
	if temporary != "" {
		text = strings.ReplaceAll(text, "file:"+temporary+": ", "")
	}
	if f != nil {
		if abs, err := filepath.Abs(f.Name()); err == nil {
			text = strings.ReplaceAll(text, "file:"+abs+": ", "")
		}
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return last
	}
	return err.Error()
}
