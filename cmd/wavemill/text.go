package main

import (
	"time"

	"wavemill/internal/atomicfile"
	"wavemill/internal/text"
)

// See package text.
func abridge(names []string, n int) string        { return text.Abridge(names, n) }
func roundDuration(d time.Duration) time.Duration { return text.RoundDuration(d) }
func quote(s string) string                       { return text.Quote(s) }

// writeFile writes a file whole or not at all. It does not sync: commands write many files that can be made again.
func writeFile(path string, data []byte) error {
	return atomicfile.Write(path, data, atomicfile.Options{NoSync: true})
}
