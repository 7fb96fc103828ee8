package segment

import (
	"fmt"
	"slices"
	"time"

	"wavemill/audio/codec"
	"wavemill/audio/slice"
	"wavemill/audio/wav"
)

// Config is the operator's configuration.
type Config struct {
	// By says where clips begin and end: onset, silence, speech or length. Default: onset.
	By slice.Method `yaml:"by" jsonschema:"enum=onset,enum=silence,enum=speech,enum=length"`
	// Overrides replace defaults of the method, see slice.Config: min, max, pre_roll, post_roll, gap, overlap, threshold_db,
	// rise_db, silent_db.
	slice.Overrides `yaml:",inline"`
	// Label is that of all clips. Default: that of the audio.
	Label string `yaml:"label"`
	// Bits is the sample format of the clips: 16, 24 or 32f. Default: what holds the samples of the audio.
	Bits string `yaml:"bits"`
	// Reorder is how many chunks of a source may be there while an earlier one is missing; with one more it is a gap. Default:
	// 16, the number of messages that a publisher usually has in flight.
	Reorder int `yaml:"reorder"`
	// MaxSources is how many sources of chunks may be in progress; another one ends the one that has been quiet the longest.
	// Each takes the memory of Max and one second. Default: 16.
	MaxSources int `yaml:"max_sources"`
	// Checkpoint is how often the state is stored. Less often makes a restart longer, not less exact. Default: 5 s.
	Checkpoint time.Duration `yaml:"checkpoint"`
	// Lease is how long another process waits for a sign of life before it takes over. Default: 10 s.
	Lease time.Duration `yaml:"lease"`
}

// defaults are those of Config.
func defaults() Config {
	return Config{By: slice.Onset, Reorder: 16, MaxSources: 16, Checkpoint: 5 * time.Second, Lease: 10 * time.Second}
}

// check returns how to cut, or the first fault.
func (c Config) check() (slice.Config, error) {
	switch {
	case !slices.Contains([]string{"", "16", "24", "32f"}, c.Bits):
		return slice.Config{}, fmt.Errorf("bits is one of 16, 24, 32f; not %q", c.Bits)
	case c.Reorder < 0 || c.Reorder > 1024:
		return slice.Config{}, fmt.Errorf("reorder is %d; it lies between 0 and 1024", c.Reorder)
	case c.MaxSources < 1 || c.MaxSources > 1024:
		return slice.Config{}, fmt.Errorf("max_sources is %d; it lies between 1 and 1024", c.MaxSources)
	case c.Checkpoint < 10*time.Millisecond:
		return slice.Config{}, fmt.Errorf("checkpoint is %v; use at least 10ms", c.Checkpoint)
	case c.Lease < 100*time.Millisecond:
		return slice.Config{}, fmt.Errorf("lease is %v; use at least 100ms", c.Lease)
	}
	return c.Overrides.Config(c.By)
}

// encoding is the sample format of clips of audio.
func (c Config) encoding(about codec.Info) wav.Encoding {
	switch c.Bits {
	case "16":
		return wav.PCM16
	case "24":
		return wav.PCM24
	case "32f":
		return wav.Float32
	}
	return slice.Encoding(about)
}
