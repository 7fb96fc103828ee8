package audio

import (
	"fmt"
	"sync"
)

// maxResamplers bounds the memory that clips of many odd rates can hold.
const maxResamplers = 12

// Resamplers remembers the Resamplers of the last 12 ratios used. Making one takes milliseconds, so
// code that converts many clips keeps one Resamplers and calls its methods. The zero value is ready
// for use. It is safe for concurrent use and must not be copied after the first use.
type Resamplers struct {
	mu      sync.Mutex
	entries []ratioEntry // Most recently used last.
}

type ratioEntry struct {
	up, down  int
	resampler func() *Resampler
}

// Get returns the Resampler between two rates in Hz, see NewResampler. Concurrent callers of one new
// ratio build it once.
func (rs *Resamplers) Get(from, to int) (*Resampler, error) {
	up, down, err := ratio(from, to)
	if err != nil {
		return nil, err
	}
	rs.mu.Lock()
	var e ratioEntry
	for i, old := range rs.entries {
		if old.up == up && old.down == down {
			e = old
			rs.entries = append(rs.entries[:i], rs.entries[i+1:]...)
			break
		}
	}
	if e.resampler == nil {
		e = ratioEntry{up, down, sync.OnceValue(func() *Resampler { return newResampler(up, down) })}
		if len(rs.entries) == maxResamplers {
			rs.entries = rs.entries[1:]
		}
	}
	rs.entries = append(rs.entries, e)
	rs.mu.Unlock()
	return e.resampler(), nil
}

// Resample converts a clip to another rate. The result has exactly ceil(frames*rate/c.Rate) frames,
// no delay, and aliases and images below -120 dB (see Resampler). A clip that has the rate already
// is returned as it is, sharing its samples.
func (rs *Resamplers) Resample(c Clip, rate int) (Clip, error) {
	if err := c.Validate(); err != nil {
		return Clip{}, err
	}
	if c.Rate == rate {
		return c, nil
	}
	r, err := rs.Get(c.Rate, rate)
	if err != nil {
		return Clip{}, fmt.Errorf("%w (clip %q)", err, c.Source)
	}
	return r.clip(c, rate), nil
}
