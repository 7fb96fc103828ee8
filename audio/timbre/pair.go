package timbre

import (
	"encoding/json"
	"math"

	"wavemill/internal/stats"
)

// A Pair is how a sound differs from the same sound before it, as a round trip from its recording. NaN where a measure is
// not defined for both.
type Pair struct {
	Cents  float64 // How far the pitch is off: 1200 log2 of the ratio; 100 are a semitone.
	Attack float64 // Attack after less before, ms.
	Tail   float64 // Tail after over before.
	Level  float64 // Peak after less before, dB.
}

// NewPair compares the measures of a sound before and after.
func NewPair(before, after Measures) Pair {
	return Pair{
		Cents:  Cents(before.Pitch, after.Pitch),
		Attack: after.Attack - before.Attack,
		Tail:   after.Tail / before.Tail,
		Level:  after.Peak - before.Peak,
	}
}

// Cents is the interval between two frequencies: 1200 log2(to/from).
func Cents(from, to float64) float64 { return 1200 * math.Log2(to/from) }

// PitchLimit is how far a pitch may be off before it counts in Pairs.OffPitch, in cents: half a semitone.
const PitchLimit = 50

// Pairs summarise many Pairs: medians over those that have the value, NaN without any. In JSON the values that are NaN are
// left out.
type Pairs struct {
	Cents, Attack, Tail, Level float64 // Medians, signed.
	// CentsError is the median of how far the pitches are off in either direction, OffPitch the share of pitches that are
	// off by more than PitchLimit.
	CentsError, OffPitch float64
	// Count is the number of pairs, Pitched how many have a pitch.
	Count, Pitched int
}

// Summarise summarises pairs.
func Summarise(pairs []Pair) Pairs {
	var cents, errors, attack, tail, level []float64
	var off int
	for _, p := range pairs {
		cents, attack = appendDefined(cents, p.Cents), appendDefined(attack, p.Attack)
		tail, level = appendDefined(tail, p.Tail), appendDefined(level, p.Level)
		errors = appendDefined(errors, math.Abs(p.Cents))
		if math.Abs(p.Cents) > PitchLimit {
			off++
		}
	}
	return Pairs{
		Cents: stats.Median(cents), Attack: stats.Median(attack), Tail: stats.Median(tail), Level: stats.Median(level),
		CentsError: stats.Median(errors), OffPitch: float64(off) / float64(len(cents)),
		Count: len(pairs), Pitched: len(cents),
	}
}

// A pairsJSON is Pairs without values that are NaN.
type pairsJSON struct {
	Count      int      `json:"pairs"`
	Pitched    int      `json:"pitched"`
	Cents      *float64 `json:"cents,omitempty"`
	CentsError *float64 `json:"cents_error,omitempty"`
	OffPitch   *float64 `json:"off_pitch,omitempty"`
	Attack     *float64 `json:"attack_ms,omitempty"`
	Tail       *float64 `json:"tail_ratio,omitempty"`
	Level      *float64 `json:"level_db,omitempty"`
}

// MarshalJSON writes an object with the keys of the values that are defined.
func (p Pairs) MarshalJSON() ([]byte, error) {
	return json.Marshal(pairsJSON{
		p.Count, p.Pitched, defined(p.Cents), defined(p.CentsError), defined(p.OffPitch), defined(p.Attack), defined(p.Tail), defined(p.Level),
	})
}

// UnmarshalJSON reads what MarshalJSON writes; values without a key are NaN.
func (p *Pairs) UnmarshalJSON(b []byte) error {
	var j pairsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*p = Pairs{
		Cents: orNaN(j.Cents), CentsError: orNaN(j.CentsError), OffPitch: orNaN(j.OffPitch),
		Attack: orNaN(j.Attack), Tail: orNaN(j.Tail), Level: orNaN(j.Level), Count: j.Count, Pitched: j.Pitched,
	}
	return nil
}

func defined(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func appendDefined(to []float64, v float64) []float64 {
	if math.IsNaN(v) {
		return to
	}
	return append(to, v)
}
