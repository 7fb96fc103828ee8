package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
)

// maxSlug bounds a slug in bytes, so that a name made of it fits every file system.
const maxSlug = 80

// FileSlug turns a label into a part of a file name: letters, digits, "-", "_" and inner dots stay,
// everything else becomes "-". Where anything had to change, eight hexadecimal digits of the label's
// SHA-256 follow, so that different labels keep different names. The empty label is "unlabelled".
func FileSlug(label string) string {
	if label == "" {
		return "unlabelled"
	}
	safe := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || (r != unicode.ReplacementChar && (unicode.IsLetter(r) || unicode.IsDigit(r))) {
			return r
		}
		return '-'
	}, label)
	safe = strings.Trim(safe, ".")
	for len(safe) > maxSlug {
		safe = safe[:strings.LastIndexFunc(safe, func(rune) bool { return true })]
	}
	if safe == label && safe[0] != '-' && !reserved(safe) {
		return safe
	}
	sum := sha256.Sum256([]byte(label))
	if safe = strings.Trim(safe, "-."); safe == "" {
		safe = "label"
	}
	return safe + "-" + hex.EncodeToString(sum[:4])
}

// reserved reports device names of Windows, which no file may bear there.
func reserved(name string) bool {
	base, _, _ := strings.Cut(strings.ToLower(name), ".")
	switch base {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(base) == 4 && (strings.HasPrefix(base, "com") || strings.HasPrefix(base, "lpt")) && base[3] >= '1' && base[3] <= '9'
}
