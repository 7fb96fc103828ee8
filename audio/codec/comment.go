package codec

import (
	"encoding/binary"
	"errors"
	"strings"
)

// parseComments reads the body of a Vorbis comment (Vorbis I specification, section 5): a vendor
// string and a list of NAME=value. Names are put in upper case, further values of a name joined with
// "; ". Every length is held against what is there.
func parseComments(b []byte) (map[string]string, error) {
	bad := errors.New("malformed Vorbis comment")
	next := func() (string, bool) {
		if len(b) < 4 {
			return "", false
		}
		n := int64(binary.LittleEndian.Uint32(b))
		b = b[4:]
		if n > int64(len(b)) {
			return "", false
		}
		text := string(b[:n])
		b = b[n:]
		return text, true
	}
	if _, ok := next(); !ok || len(b) < 4 {
		return nil, bad
	}
	count := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if int64(count) > int64(len(b)/4) {
		return nil, bad
	}
	var tags map[string]string
	for range count {
		text, ok := next()
		if !ok {
			return nil, bad
		}
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			continue
		}
		if tags == nil {
			tags = map[string]string{}
		}
		name, value = strings.ToUpper(name), strings.ToValidUTF8(value, "\uFFFD")
		const pictures = "METADATA_BLOCK_PICTURE"
		if old, twice := tags[name]; twice {
			value = old + "; " + value
		}
		if name != pictures && len(value) < 1<<20 {
			tags[name] = value
		}
	}
	return tags, nil
}
