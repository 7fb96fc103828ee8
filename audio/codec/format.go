package codec

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wavemill/audio"
)

// format describes one kind of audio file. A codec is one value of it, defined beside its decoder, and
// one line in standard.
type format struct {
	// name identifies the format, for example "flac".
	name string
	// title is what messages call it, for example "FLAC".
	title string
	// extensions end the names of its files: lower case, with the dot, at least one. The first is usual.
	extensions []string
	// mediaType is its MIME type.
	mediaType string
	// magic reports whether a file begins like one of this format. head is the first headLength bytes,
	// or the whole of a shorter file.
	magic func(head []byte) bool
	// open returns a decoder. It takes over s.content if it returns no error.
	open func(ctx context.Context, s source) (decoder, error)

	// headerless formats are also opened if no format's magic matches and the extension is theirs: raw
	// frames, or signatures that are not at the beginning. Without it a file must have the magic.
	headerless bool
	// whole decodes a file in memory faster than open does; nil to use open. It may leave a file to open by errNotWhole.
	whole func(data []byte) (audio.Clip, Info, error)
}

// source is a file to open.
type source struct {
	content
	name string // Of the file, for messages.
	kind string // What messages call the file: the format's title where the magic matched.
}

// headLength is how much of a file's beginning magic sees. The first page of an Ogg file is shorter.
const headLength = 512

// table lists formats. Of several whose magic matches, the first counts.
type table []format

// standard is the table behind the functions of this package: a codec is added here.
var standard = slices.Concat(table{wavFormat, flacFormat, vorbisFormat}, ffmpegFormats)

// byContent returns the format whose magic matches, nil if there is none.
func (t table) byContent(head []byte) *format {
	head = head[:min(len(head), headLength)]
	for i := range t {
		if t[i].magic(head) {
			return &t[i]
		}
	}
	return nil
}

// byName returns the format to which the extension of a file name belongs, nil if there is none.
func (t table) byName(name string) *format {
	ext := strings.ToLower(filepath.Ext(name))
	for i := range t {
		if slices.Contains(t[i].extensions, ext) {
			return &t[i]
		}
	}
	return nil
}

// open chooses the format from the content, or from the name for a headerless format, and opens it.
func (t table) open(ctx context.Context, name string, head []byte, c content) (decoder, error) {
	if len(head) == 0 {
		return nil, errors.New("the file is empty")
	}
	if f := t.byContent(head); f != nil {
		return f.open(ctx, source{c, name, f.title})
	}
	f := t.byName(name)
	if f == nil {
		return nil, fmt.Errorf("not an audio file of a known kind (it begins with %q)", head[:min(len(head), 12)])
	}
	if !f.headerless {
		return nil, fmt.Errorf("not an audio file of a known kind (it begins with %q, which is not %s)", head[:min(len(head), 12)], f.title)
	}
	return f.open(ctx, source{c, name, "this kind of audio (" + filepath.Ext(name) + ")"})
}

// IsAudioName reports whether a file name has the extension of an audio file, in upper
// or lower case. The content may still be something else.
func IsAudioName(name string) bool { return standard.byName(name) != nil }

// MediaType returns the MIME type of an audio file by the extension of its name, for people and other
// programs: "audio/flac". It is "application/octet-stream" for other names.
func MediaType(name string) string {
	if f := standard.byName(name); f != nil {
		return f.mediaType
	}
	return "application/octet-stream"
}
