package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"

	"wavemill/audio"
)

// digestBytes is the number of bytes of the SHA-256 that a digest keeps. 16 bytes (128 bits) make a chance collision
// among a billion recordings less likely than 1e-20, and keep the record of thousands of recordings in a checkpoint
// small. A digest is an identity, not a signature: it does not protect against crafted collisions.
const digestBytes = 16

// Digest returns the identity of a recording: the first 32 hexadecimal digits of the SHA-256 of its sample rate and its
// samples, rounded to 16 bits. Names, labels, tags and the container do not enter it.
//
// Both channels of a recording of two count where they differ in a rounded sample, so that recordings which differ only by
// panning or width have different digests, as they have different spectrograms in a model of two channels. Print is made of
// their mix and calls them near copies. Channels that are equal have the digest of one of them. More than two channels are
// mixed down.
//
// A lossless copy has the same digest: a recording of 8 or 16 bits saved again with 16 bits or more, one of 24 bits
// saved again with 24 bits or as float, and one of float saved again as float, in WAV or FLAC. Saving with fewer bits,
// resampling and gain change the digest; Print recognizes those copies. Samples beyond full scale count as full scale; a
// sample that is not a number counts as 0.
func Digest(c audio.Clip) string {
	h := sha256.New()
	buf := binary.LittleEndian.AppendUint64(make([]byte, 0, digestBlock), uint64(c.Rate))
	if differ(c) {
		buf = append(buf, "stereo"...)
	} else {
		c = c.Mono()
	}
	h.Write(buf)
	for block := range slices.Chunk(c.Samples, digestBlock/2) {
		buf = buf[:2*len(block)]
		for i, v := range block {
			binary.LittleEndian.PutUint16(buf[2*i:], uint16(round16(v)))
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil)[:digestBytes])
}

// digestBlock is how many bytes are hashed at once.
const digestBlock = 8192

// differ reports whether a clip has two channels whose samples are not all equal in 16 bits.
func differ(c audio.Clip) bool {
	if c.Channels != 2 {
		return false
	}
	for i := 0; i+1 < len(c.Samples); i += 2 {
		if round16(c.Samples[i]) != round16(c.Samples[i+1]) {
			return true
		}
	}
	return false
}

// round16 rounds a sample to 16 bits, half away from zero, and clips it to full scale.
func round16(v float32) int16 {
	x := float64(v) * (1 << 15)
	switch {
	case x != x:
		return 0
	case x >= math.MaxInt16:
		return math.MaxInt16
	case x <= math.MinInt16:
		return math.MinInt16
	}
	return int16(x + math.Copysign(0.5, x)) // v has 24 bits: the sum is not rounded up. The conversion cuts off the fraction.
}
