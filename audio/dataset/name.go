package dataset

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// TextName returns the name of a file as valid UTF-8, and different names as different texts. A byte that is not part of
// UTF-8 becomes U+FFFD and its two hexadecimal digits, "caf\xe9" therefore "caf\ufffdE9"; so do the three bytes of a
// U+FFFD of the name itself. All other names stay as they are. Manifests, labels and lists of skipped files hold such
// texts, because JSON and CSV cannot hold the bytes.
func TextName(name string) string {
	if utf8.ValidString(name) && !strings.ContainsRune(name, utf8.RuneError) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		if r != utf8.RuneError {
			b.WriteString(name[i : i+size])
		} else {
			for _, c := range []byte(name[i : i+size]) {
				fmt.Fprintf(&b, "\ufffd%02X", c)
			}
		}
		i += size
	}
	return b.String()
}

// LabelName returns the label that a name stands for: TextName in Unicode normalization form C, so that labels that look
// the same are the same however a file system or an editor composed their letters.
func LabelName(name string) string { return norm.NFC.String(TextName(name)) }

// MarshalJSON writes the path as TextName does.
func (s Skip) MarshalJSON() ([]byte, error) {
	type plain Skip
	s.Path, s.Reason = TextName(s.Path), TextName(s.Reason)
	return json.Marshal(plain(s))
}
