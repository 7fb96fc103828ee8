package timbre

import (
	"encoding/json"
	"math"
)

// Measures are the measures of one clip, or the medians of those of many. NaN: not defined for the clip.
type Measures struct {
	// Pitch is the frequency in Hz of the strongest tone from 30 to 300 Hz, of clips with at least a fifth of their power
	// below 200 Hz from 20 to 250 ms after their start.
	Pitch float64
	// Flutter is how much the level from 2 to 16 kHz moves: the standard deviation in dB of the 3 ms envelope about its
	// cubic trend, of clips in which it stays above -30 dB of its maximum for 80 ms or more.
	Flutter float64
	// Line is how far the modulation of that envelope at the hop rate stands out of its neighbourhood, in dB: the mean
	// power within 4 Hz over the mean power 10 to 20 Hz beside it. Frames that are heard as a buzz have such a line.
	Line float64
	// Warble is how much the level below 200 Hz moves from 20 to 250 ms: the standard deviation in dB of the Hilbert
	// envelope about its cubic trend, of clips that have a Pitch.
	Warble float64
	// Attack is the time in ms from 10 to 90 % of the maximum of the 1 ms envelope.
	Attack float64
	// Tail is the length in seconds of what is above -60 dB of the peak.
	Tail float64
	// Peak is the level of the largest sample in dB; 0 is full scale.
	Peak float64
	// Persistence is how alike the fine structure of the spectrum from 2 to 16 kHz is 50 ms later: the mean correlation of
	// log spectra less their smoothed versions, of frames 50 ms apart that share no sample. Partials that ring, as those
	// of a cymbal, are near 1; noise that is drawn anew is near 0.
	Persistence float64
	// Pan is the power of the right channel relative to the left in dB, Width that of the side relative to the mid, of clips
	// of two channels; see stereo.Place.
	Pan, Width float64
}

// A Quantity is one of the measures: its name in tables, its key in JSON, its unit, the decimals that are worth printing,
// and where it is in Measures.
type Quantity struct {
	Name, Key, Unit string
	Decimals        int
	Of              func(*Measures) *float64
}

// Quantities lists all measures in the order of tables.
func Quantities() []Quantity {
	return []Quantity{
		{"pitch", "pitch_hz", "Hz", 0, func(m *Measures) *float64 { return &m.Pitch }},
		{"flutter", "flutter_db", "dB", 1, func(m *Measures) *float64 { return &m.Flutter }},
		{"hop line", "hop_line_db", "dB", 1, func(m *Measures) *float64 { return &m.Line }},
		{"warble", "warble_db", "dB", 1, func(m *Measures) *float64 { return &m.Warble }},
		{"attack", "attack_ms", "ms", 1, func(m *Measures) *float64 { return &m.Attack }},
		{"tail", "tail_s", "s", 2, func(m *Measures) *float64 { return &m.Tail }},
		{"peak", "peak_db", "dB", 1, func(m *Measures) *float64 { return &m.Peak }},
		{"persistence", "persistence", "", 2, func(m *Measures) *float64 { return &m.Persistence }},
		{"pan", "pan_db", "dB", 1, func(m *Measures) *float64 { return &m.Pan }},
		{"width", "width_db", "dB", 1, func(m *Measures) *float64 { return &m.Width }},
	}
}

// Undefined has none of the measures.
func Undefined() Measures {
	var m Measures
	for _, q := range Quantities() {
		*q.Of(&m) = math.NaN()
	}
	return m
}

// MarshalJSON writes an object with the keys of the measures that are defined.
func (m Measures) MarshalJSON() ([]byte, error) {
	defined := make(map[string]float64)
	for _, q := range Quantities() {
		if v := *q.Of(&m); !math.IsNaN(v) {
			defined[q.Key] = v
		}
	}
	return json.Marshal(defined)
}

// UnmarshalJSON reads what MarshalJSON writes; measures without a key are NaN.
func (m *Measures) UnmarshalJSON(b []byte) error {
	var defined map[string]float64
	if err := json.Unmarshal(b, &defined); err != nil {
		return err
	}
	*m = Undefined()
	for _, q := range Quantities() {
		if v, ok := defined[q.Key]; ok {
			*q.Of(m) = v
		}
	}
	return nil
}
