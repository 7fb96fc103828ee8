package codec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"wavemill/audio"
)

// toyMagic begins every file of the toy format: 8 kHz mono, one unsigned byte per sample behind it.
const toyMagic = "TOY!"

type toyDecoder struct {
	c content
	r io.Reader
}

func (d *toyDecoder) readFrames(dst []float32) (int, error) {
	b := make([]byte, len(dst))
	n, err := io.ReadFull(d.r, b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	for i, v := range b[:n] {
		dst[i] = (float32(v) - 128) / 128
	}
	return n, err
}

func (d *toyDecoder) info() Info {
	return Info{Format: "toy", Encoding: "pcm_u8", SampleRate: 8000, Channels: 1, Frames: d.c.size - int64(len(toyMagic))}
}

func (d *toyDecoder) close() error { d.c.close(); return nil }

func toyFormat() format {
	return format{
		name: "toy", title: "Toy", extensions: []string{".toy"}, mediaType: "audio/x-toy",
		magic: begins(0, toyMagic),
		open: func(_ context.Context, s source) (decoder, error) {
			r := s.reader()
			head := make([]byte, len(toyMagic))
			if _, err := io.ReadFull(r, head); err != nil || string(head) != toyMagic {
				return nil, errors.New("toy: no magic")
			}
			return &toyDecoder{s.content, r}, nil
		},
	}
}

// validate reports the first row that lacks something or contradicts another.
func (t table) validate() error {
	names, owners := map[string]bool{}, map[string]string{}
	for i, f := range t {
		switch {
		case f.name == "":
			return fmt.Errorf("codec: format %d has no name", i)
		case names[f.name]:
			return fmt.Errorf("codec: two formats are named %s", f.name)
		case f.title == "":
			return fmt.Errorf("codec: format %s has no title", f.name)
		case len(f.extensions) == 0:
			return fmt.Errorf("codec: format %s has no extension", f.name)
		case !strings.Contains(f.mediaType, "/"):
			return fmt.Errorf("codec: format %s has the media type %q, want type/subtype", f.name, f.mediaType)
		case f.magic == nil:
			return fmt.Errorf("codec: format %s has no magic", f.name)
		case f.open == nil:
			return fmt.Errorf("codec: format %s has no decoder", f.name)
		}
		names[f.name] = true
		for _, ext := range f.extensions {
			if len(ext) < 2 || ext[0] != '.' || ext != strings.ToLower(ext) {
				return fmt.Errorf("codec: format %s has the extension %q, want lower case with a dot", f.name, ext)
			}
			if other := owners[ext]; other != "" {
				return fmt.Errorf("codec: the formats %s and %s have the extension %s", other, f.name, ext)
			}
			owners[ext] = f.name
		}
	}
	return nil
}

// TestAddCodec adds a codec as a contributor does: one format, one row.
func TestAddCodec(t *testing.T) {
	with := append(slices.Clone(standard), toyFormat())
	if err := with.validate(); err != nil {
		t.Fatal(err)
	}
	data := []byte(toyMagic + "\x80\xc0\x00")
	want := []float32{0, 0.5, -1}
	for _, name := range []string{"a.toy", "A.TOY", "noname", "a.wav"} { // The content decides.
		clip, info, err := with.decode(t.Context(), name, data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(clip.Samples, want) || clip.Rate != 8000 || clip.Source != name || info.Format != "toy" {
			t.Errorf("%s: %+v, %+v", name, clip, info)
		}
	}
	if f := with.byName("dir/b.ToY"); f == nil || f.name != "toy" {
		t.Errorf("b.ToY is of format %v", f)
	}
	for name, tc := range map[string]struct{ data, want string }{
		"no magic":      {"no magic", "which is not Toy"},
		"another magic": {"fLaC", "FLAC: the file ends within its metadata"}, // Decoded as what it is.
	} {
		if _, _, err := with.decode(t.Context(), "a.toy", []byte(tc.data)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
	}
	if _, _, err := Decode(t.Context(), "a.toy", data); err == nil {
		t.Error("a format that is not in the table was decoded")
	}
	headerless := toyFormat()
	headerless.headerless = true
	if _, _, err := append(slices.Clone(standard), headerless).decode(t.Context(), "a.toy", []byte("no magic")); err == nil || !strings.Contains(err.Error(), "toy: no magic") {
		t.Errorf("a headerless format was not opened by its name: %v", err)
	}
}

func TestStandardTable(t *testing.T) {
	if err := standard.validate(); err != nil {
		t.Error(err)
	}
}

func TestTableRefuses(t *testing.T) {
	for name, change := range map[string]func(f *format){
		"no name":       func(f *format) { f.name = "" },
		"named flac":    func(f *format) { f.name = "flac" },
		"no title":      func(f *format) { f.title = "" },
		"no extension":  func(f *format) { f.extensions = nil },
		"the extension": func(f *format) { f.extensions = []string{".TOY"} },
		"have the ext":  func(f *format) { f.extensions = []string{".toy", ".mp3"} },
		"media type":    func(f *format) { f.mediaType = "" },
		"no magic":      func(f *format) { f.magic = nil },
		"no decoder":    func(f *format) { f.open = nil },
	} {
		f := toyFormat()
		change(&f)
		if err := append(slices.Clone(standard), f).validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestMagic(t *testing.T) {
	ogg := "OggS\x00\x02" + strings.Repeat("\x00", 20) + "\x01\x13"
	for head, want := range map[string]string{
		"RIFF....WAVE": "wav", "RF64....WAVE": "wav", "RIFF....AVI ": "", "fLaC": "flac",
		ogg + "\x01vorbis": "vorbis", ogg + "OpusHead": "opus", ogg + "\x7fFLAC": "oggflac", ogg + "Speex   ": "speex", ogg + "?": "ogg", "OggS": "ogg",
		"ID3\x03": "mp3", "\xff\xfb\x90\x00": "mp3", "\xff\xfd\x90\x00": "mpeg", "\xff\xff\x90\x00": "mpeg", "\xff\xf1\x50\x80": "aac",
		"\xff\xfb\xf0\x00": "", "\xff\xfb\x9c\x00": "", "\xff\xeb\x90\x00": "",
		"\x00\x00\x00\x20ftypM4A ": "mp4", "FORM....AIFF": "aiff", ".snd": "au", "caff": "caf",
		"\x1aE\xdf\xa3\x9fB\x82\x84webm": "webm", "\x1aE\xdf\xa3\x9fB\x82\x88matroska": "matroska",
		"\x0b\x77": "ac3", "": "", "hello": "",
	} {
		got := ""
		if f := standard.byContent([]byte(head)); f != nil {
			got = f.name
		}
		if got != want {
			t.Errorf("%q is of format %q, want %q", head, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"a.wav": "audio/wav", "a.BWF": "audio/wav", "a.flac": "audio/flac", "a.ogg": "audio/ogg", "a.oga": "audio/ogg", "a.opus": "audio/ogg",
		"a.mp3": "audio/mpeg", "a.mp2": "audio/mpeg", "a.m4b": "audio/mp4", "a.aac": "audio/aac", "dir.wav/a": "", "a.txt": "", "wav": "", "": "",
	} {
		if got := IsAudioName(name); got != (want != "") {
			t.Errorf("IsAudioName(%q) = %v", name, got)
		}
		if want == "" {
			want = "application/octet-stream"
		}
		if got := MediaType(name); got != want {
			t.Errorf("MediaType(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestWholeEqualsStream keeps the two ways of decoding a WAV file, at once and by blocks, equal.
func TestWholeEqualsStream(t *testing.T) {
	data := []byte("RIFF\x2a\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x06\x00\x00\x00\x00\x40\x00\xc0\x01\x00")
	var clips []audio.Clip
	for _, whole := range []bool{true, false} {
		only := table{wavFormat}
		if !whole {
			only[0].whole = nil
		}
		c, _, err := only.decode(t.Context(), "a", data)
		if err != nil {
			t.Fatal(err)
		}
		clips = append(clips, c)
	}
	if !slices.Equal(clips[0].Samples, clips[1].Samples) || len(clips[0].Samples) != 3 {
		t.Errorf("at once %v, by blocks %v", clips[0].Samples, clips[1].Samples)
	}
}
