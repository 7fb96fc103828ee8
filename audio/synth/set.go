package synth

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"wavemill/audio"
	"wavemill/audio/wav"
	"wavemill/internal/atomicfile"
)

// A Set is a labelled set of clips: PerClass of each class, in the order of [Classes].
type Set struct {
	PerClass int
	Seed     uint64 // Seed selects the clips. Clip i of a class is the same for every PerClass.
	Rate     int    // Rate is the sample rate in Hz; see [Clip].
}

// Len returns the number of clips.
func (s Set) Len() int { return max(0, s.PerClass) * len(Classes()) }

// A Summary says what [Set.Write] wrote. As JSON it is what `wavemill synth --json` prints.
type Summary struct {
	Out        string   `json:"out"` // folder
	Recordings int      `json:"recordings"`
	Labels     []string `json:"labels"`
	Rate       int      `json:"sample_rate"`
	Seed       uint64   `json:"seed"`
}

// Summary describes the set, written to the folder out.
func (s Set) Summary(out string) Summary { return Summary{out, s.Len(), Classes(), s.Rate, s.Seed} }

// String is the summary in one line.
func (s Summary) String() string {
	return fmt.Sprintf("%s: %d recordings of %d classes at %d Hz, seed %d", s.Out, s.Recordings, len(s.Labels), s.Rate, s.Seed)
}

// Clip returns clip i of a class.
func (s Set) Clip(class string, i int) (audio.Clip, error) {
	return Clip(class, s.Seed*1_000_003+uint64(i), s.Rate)
}

// Write writes the clips as WAV files <dir>/<class>/<class>_<i>.wav, in 16 bits with dither, and calls onFile, if it is
// not nil, after each. It creates the folders, and replaces files of those names. The same set gives the same bytes.
func (s Set) Write(ctx context.Context, dir string, onFile func()) error {
	for _, class := range Classes() {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			return fmt.Errorf("synth: %w", err)
		}
		for i := range s.PerClass {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.writeClip(dir, class, i); err != nil {
				return err
			}
			if onFile != nil {
				onFile()
			}
		}
	}
	return nil
}

func (s Set) writeClip(dir, class string, i int) error {
	clip, err := s.Clip(class, i)
	if err != nil {
		return err
	}
	data, err := wav.Encode(clip, wav.Options{DitherSeed: uint64(i), Tags: map[string]string{"INAM": class, "ISFT": "wavemill"}})
	if err != nil {
		return err
	}
	path := filepath.Join(dir, class, fmt.Sprintf("%s_%02d.wav", class, i))
	// Without sync: the file can be synthesised again.
	return atomicfile.Write(path, data, atomicfile.Options{NoSync: true})
}
