package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// maxTable bounds a label table in bytes: it is read whole.
const maxTable = 1 << 28

// readText reads a table in the encoding that it is detected to have, and returns its text without a byte order mark. The
// name of the encoding is empty for UTF-8.
func readText(name string) (text, encoding string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTable+1))
	switch {
	case err != nil:
		return "", "", err
	case len(b) > maxTable:
		return "", "", fmt.Errorf("the table has more than %d MiB; a list of recordings is smaller", maxTable>>20)
	}
	return decodeText(b)
}

// decodeText detects an encoding by its byte order mark, by the zero bytes of UTF-16, and else by whether the bytes are
// UTF-8; bytes that are not are Windows-1252, which western editions of spreadsheets write.
func decodeText(b []byte) (text, name string, err error) {
	var e encoding.Encoding
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		b = b[3:]
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}), zeros(b, 1):
		e, name = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "UTF-16, little-endian"
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}), zeros(b, 0):
		e, name = unicode.UTF16(unicode.BigEndian, unicode.UseBOM), "UTF-16, big-endian"
	}
	if e == nil && !utf8.Valid(b) {
		e, name = charmap.Windows1252, "Windows-1252"
	}
	if e != nil {
		if b, err = e.NewDecoder().Bytes(b); err != nil {
			return "", "", fmt.Errorf("its text is no %s: %w", name, err)
		}
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return "", "", errors.New("it has zero bytes: it is no text")
	}
	text = string(b)
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n") // Line ends of old spreadsheets.
	}
	return text, name, nil
}

// zeros reports whether most bytes at even (0) or odd (1) places are zero and most others are not: UTF-16 of Latin text.
func zeros(b []byte, odd int) bool {
	const enough = 1 << 12
	b = b[:min(len(b), enough)&^1]
	var at [2]int
	for i, c := range b {
		if c == 0 {
			at[i&1]++
		}
	}
	return len(b) > 0 && at[odd]*4 > len(b) && at[1-odd]*16 < len(b)
}
