package dataset

import (
	"crypto/sha256"
	"encoding/binary"
)

// uniform maps a seed and a key to [0, 1) by SHA-256, the same on every machine.
func uniform(seed uint64, key string) float64 {
	sum := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), key...))
	return float64(binary.LittleEndian.Uint64(sum[:])>>11) / (1 << 53)
}
