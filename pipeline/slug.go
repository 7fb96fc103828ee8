package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxSlug is the longest slug in bytes: with a pipeline's name and a type it keeps subjects below 100 bytes, well
// under the server's line limit of 4096.
const maxSlug = 64

// slugHash is how many hexadecimal digits of the label's SHA-256 an altered slug ends in: 48 bits, so that ten
// million labels collide with a probability below one in five.
const slugHash = 12

// unlabelled is the slug of the empty label.
const unlabelled = "_"

// Slug returns the subject token of a label: the label itself where it is made of the letters, digits, - and _
// that every NATS client may use in a subject (at most 64 of them), else its safe characters, the others replaced
// by _, followed by - and 12 hexadecimal digits of its SHA-256. So it is stable, readable, and different for
// different labels. The empty label is "_".
func Slug(label string) string {
	if label == "" {
		return unlabelled
	}
	if label != unlabelled && len(label) <= maxSlug && strings.IndexFunc(label, unsafeInToken) < 0 {
		return label
	}
	kept := strings.Map(func(r rune) rune {
		if unsafeInToken(r) {
			return '_'
		}
		return r
	}, label)
	if len(kept) > maxSlug-slugHash-1 {
		kept = kept[:maxSlug-slugHash-1]
	}
	sum := sha256.Sum256([]byte(label))
	return kept + "-" + hex.EncodeToString(sum[:])[:slugHash]
}

// labelOfToken is the label of a message without a Wavemill-Label header: the subject token itself.
func labelOfToken(token string) string {
	if token == unlabelled {
		return ""
	}
	return token
}

func unsafeInToken(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		return false
	}
	return true
}
