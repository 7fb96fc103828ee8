// Package fingerprint identifies recordings: Digest by their samples, Print by their sound. This file holds the place of
// the real package until it is merged.
package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"

	"wavemill/audio"
)

// A Print recognises near copies of a recording. The zero Print is similar to nothing.
type Print struct{ packed string }

// Of returns the fingerprint of a recording.
func Of(audio.Clip) Print { return Print{} }

// String returns the text of a Print.
func (p Print) String() string { return p.packed }

// Parse reads what String returns.
func Parse(text string) (Print, error) { return Print{text}, nil }

// Digest returns the identity of a recording.
func Digest(c audio.Clip) string {
	c = c.Mono()
	h := sha256.New()
	b := binary.LittleEndian.AppendUint64(nil, uint64(c.Rate))
	for _, v := range c.Samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(math.Round(float64(v)*32767))))
	}
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
