package slice

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
)

// stateVersion changes with every change of what a Slicer knows or how it decides.
const stateVersion = 1

// state is a Slicer without its samples.
type state struct {
	Version        int
	Config         Config
	Rate, Channels int
	Progress       progress
	Noise          background
	Rows           [][]float64
	Heard, Judged  int64
	Recent         []judgement
	Clean          []float64
}

// State returns what the slicer knows, without samples, for [Restore].
func (s *Slicer) State() ([]byte, error) {
	st := state{Version: stateVersion, Config: s.config, Rate: s.rate, Channels: s.channels, Progress: s.p}
	if d := s.d; d != nil {
		st.Noise, st.Rows, st.Heard, st.Judged, st.Recent, st.Clean = d.Noise, d.Rows, d.Heard, d.Judged, d.Recent[:], d.Clean
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(st); err != nil {
		return nil, fmt.Errorf("slice: state: %w", err)
	}
	return b.Bytes(), nil
}

// Restore continues where another slicer was when it returned the state. It is an error where the state is of another
// configuration, rate or number of channels, or of another version of this package. The caller then gives the samples from
// frame [Slicer.Needed] to [Slicer.Position] to [Slicer.Refill], before it writes more.
func Restore(data []byte, c Config, rate, channels int) (*Slicer, error) {
	var st state
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&st); err != nil {
		return nil, fmt.Errorf("slice: state: %w", err)
	}
	if st.Version != stateVersion || st.Config != c || st.Rate != rate || st.Channels != channels {
		return nil, errors.New("slice: the state is of another configuration or version")
	}
	s, err := New(c, rate, channels)
	if err != nil {
		return nil, err
	}
	s.p = st.Progress
	if !s.plausible(st) {
		return nil, errors.New("slice: the state contradicts itself")
	}
	if d := s.d; d != nil {
		bands := d.s.bands()
		if len(st.Rows) != rows || len(st.Clean) != bands || len(st.Recent) != judged || len(st.Noise.Smooth) != bands || len(st.Noise.Least) != bands || len(st.Noise.Past) >= history {
			return nil, errors.New("slice: the state does not fit the configuration")
		}
		for _, row := range append(st.Rows, st.Noise.Past...) {
			if len(row) != bands {
				return nil, errors.New("slice: the state does not fit the configuration")
			}
		}
		d.Noise, d.Rows, d.Heard, d.Judged, d.Clean = st.Noise, st.Rows, st.Heard, st.Judged, st.Clean
		copy(d.Recent[:], st.Recent)
	}
	s.from = s.Needed()
	s.missing = s.p.Position - s.from
	if s.missing < 0 || s.missing > s.max+3*int64(rate) {
		return nil, fmt.Errorf("slice: the state needs %d frames, more than a slicer keeps", s.missing)
	}
	s.kept = make([]float32, s.missing*int64(channels))
	return s, nil
}

// plausible reports whether the places in a state fit together.
func (s *Slicer) plausible(st state) bool {
	p := st.Progress
	const most = int64(1) << 53
	if p.Position < 0 || p.Position > most || p.End < 0 || p.End > p.Position || p.Start < 0 || p.Start > p.Position {
		return false
	}
	if s.d == nil {
		return true
	}
	hops := p.Position / int64(s.d.s.hop)
	return st.Heard == hops && st.Judged == max(0, hops-delay) && p.Decided == max(0, st.Judged-after) &&
		p.First >= 0 && p.First <= p.Last && p.Last <= p.Decided && p.Quiet >= 0 && p.Quiet <= p.Decided
}

// Refill gives a restored slicer samples that the one before had, from frame at on; those that it does not need are passed over.
// It cuts nothing, and returns how many frames are still missing. Parts may come in any order, each once.
func (s *Slicer) Refill(at int64, samples []float32) (missing int64) {
	end := min(s.p.Position, at+int64(len(samples)/s.channels))
	if from := max(at, s.from); from < end {
		copy(s.kept[(from-s.from)*int64(s.channels):], samples[(from-at)*int64(s.channels):(end-at)*int64(s.channels)])
		s.missing -= end - from
	}
	return s.missing
}
