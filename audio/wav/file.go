package wav

import (
	"fmt"

	"wavemill/audio"
	"wavemill/internal/atomicfile"
)

// WriteFile encodes a clip to a file. The file is written whole and synced, or not touched at all.
func WriteFile(path string, c audio.Clip, o Options) error {
	b, err := Encode(c, o)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(path, b, atomicfile.Options{}); err != nil {
		return fmt.Errorf("wav: %w", err)
	}
	return nil
}
