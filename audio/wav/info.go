package wav

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// parseInfo reads the tags of a LIST INFO chunk into h. The first value of a name counts.
func parseInfo(b []byte, order binary.ByteOrder, h *Header) {
	for len(b) >= 8 && plausibleID(b) {
		id, size := string(b[:4]), int64(order.Uint32(b[4:]))
		b = b[8:]
		value := b[:min(size, int64(len(b)))]
		text := infoText(value)
		if _, twice := h.Tags[id]; !twice && text != "" {
			if h.Tags == nil {
				h.Tags = map[string]string{}
			}
			h.Tags[id] = text
		}
		b = b[len(value):]
		if size%2 == 1 && len(b) > 0 && (b[0] == 0 || len(b) < 4 || !plausibleID(b)) {
			b = b[1:]
		}
	}
}

// infoText is a tag's value up to its first NUL. The specification names no character set: what is
// not UTF-8 is read as Latin-1.
func infoText(b []byte) string {
	text, _, _ := strings.Cut(string(b), "\x00")
	if utf8.ValidString(text) {
		return strings.TrimSpace(text)
	}
	runes := make([]rune, len(text))
	for i := range len(text) {
		runes[i] = rune(text[i])
	}
	return strings.TrimSpace(string(runes))
}

// infoChunk makes a LIST INFO chunk of tags, sorted by name; nothing when there are none.
func infoChunk(tags map[string]string) ([]byte, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	body := []byte("INFO")
	for _, id := range slices.Sorted(maps.Keys(tags)) {
		if len(id) != 4 || !plausibleID([]byte(id)) {
			return nil, fmt.Errorf("wav: tag name %q: INFO tags are named by four printable characters, such as INAM", id)
		}
		text := tags[id]
		if strings.ContainsRune(text, 0) || len(text) > maxInfo/2 {
			return nil, fmt.Errorf("wav: tag %s: a value of %d bytes that is too long or holds a NUL", id, len(text))
		}
		body = append(body, id...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(text)+1))
		body = append(append(body, text...), 0)
		if len(text)%2 == 0 {
			body = append(body, 0)
		}
	}
	if len(body) > maxInfo {
		return nil, fmt.Errorf("wav: the tags take %d bytes; at most %d are allowed", len(body), maxInfo)
	}
	out := binary.LittleEndian.AppendUint32([]byte("LIST"), uint32(len(body)))
	return append(out, body...), nil
}
