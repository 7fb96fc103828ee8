package slice

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Method says where clips begin and end.
type Method string

// The methods.
const (
	// Onset begins a clip at every onset, and ends it at the next one or where the sound has decayed.
	Onset Method = "onset"
	// Silence takes what is louder than the background between two pauses.
	Silence Method = "silence"
	// Speech takes what is spoken between two pauses.
	Speech Method = "speech"
	// Length cuts pieces of Max, each of which begins Overlap before the end of the one before.
	Length Method = "length"
)

// Methods lists the methods.
func Methods() []Method { return []Method{Onset, Silence, Speech, Length} }

// Limits of the noise floor, in dB of mean square below full scale (a full-scale sine is at -3).
const (
	// LowestFloor keeps the dither of a digital recording from being sound.
	LowestFloor = -80.0
	// HighestFloor keeps a steady sound, such as music without pauses, from being background.
	HighestFloor = -40.0
	// HighestFloorSpeech is that of Speech, whose likelihood tells a steady sound from speech.
	HighestFloorSpeech = -10.0
)

// LongestClip bounds Config.Max, and with it the memory.
const LongestClip = 5 * time.Minute

// Config says how to cut. Begin with [Defaults] of a method.
type Config struct {
	By Method `json:"by"`
	// Min is the shortest clip; what is shorter is counted and left out. Default: 50 ms, which a stick or a click has; 100 ms
	// for speech, the length of a short syllable without its consonants.
	Min time.Duration `json:"min"`
	// Max is the longest clip, at most LongestClip. A longer sound is cut where it is quietest within the last quarter of Max.
	// Default: 10 s, a long decay; 30 s between silences; 15 s for speech, a long sentence; 5 s for pieces of equal length.
	Max time.Duration `json:"max"`
	// PreRoll is kept before the beginning. Default: 10 ms, the accuracy of an onset; 20 ms for silence; 100 ms for speech,
	// whose first consonant may be no louder than the background.
	PreRoll time.Duration `json:"pre_roll"`
	// PostRoll is kept after the end, at most Gap. Default: 50 ms, and 100 and 200 ms for silence and speech.
	PostRoll time.Duration `json:"post_roll"`
	// Gap is the shortest pause that ends a clip. Default: 100 ms; 300 ms for silence and speech, which is longer than the
	// closure of a plosive within a word.
	Gap time.Duration `json:"gap"`
	// Threshold is how far a sound lies above the noise floor where it begins, in dB; it ends at half of that. Default: 12 dB.
	// For speech a quarter of it suffices, and its likelihood decides.
	Threshold float64 `json:"threshold_db"`
	// Rise is the least mean rise of the bands at an onset, in dB above the mean of its surroundings. Default: 3 dB; soft
	// onsets need less, reverberation and vibrato more.
	Rise float64 `json:"rise_db"`
	// Overlap is how much of a clip that Max ends is repeated in the next one. Default: none.
	Overlap time.Duration `json:"overlap"`
	// Silent is the peak below which a clip is left out, in dB of full scale: there is nothing to learn in it. Default: -60.
	Silent float64 `json:"silent_db"`
}

// Defaults returns the configuration of a method, with the reasons beside the fields of [Config].
func Defaults(by Method) Config {
	const ms = time.Millisecond
	c := Config{By: by, Min: 50 * ms, Max: 10 * time.Second, PreRoll: 10 * ms, PostRoll: 50 * ms, Gap: 100 * ms, Threshold: 12, Rise: 3, Silent: -60}
	switch by {
	case Silence:
		c.Max, c.PreRoll, c.PostRoll, c.Gap = 30*time.Second, 20*ms, 100*ms, 300*ms
	case Speech:
		c.Min, c.Max, c.PreRoll, c.PostRoll, c.Gap = 100*ms, 15*time.Second, 100*ms, 200*ms, 300*ms
	case Length:
		c.Max, c.PreRoll, c.PostRoll, c.Gap = 5*time.Second, 0, 0, 0
	}
	return c
}

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	switch {
	case !slices.Contains(Methods(), c.By):
		return fmt.Errorf("by is one of onset, silence, speech, length; not %q", c.By)
	case c.Max < 10*time.Millisecond || c.Max > LongestClip:
		return fmt.Errorf("max is %v; it lies between 10ms and %v", c.Max, LongestClip)
	case c.Min < 0 || c.Min > c.Max:
		return fmt.Errorf("min is %v; it lies between 0 and max, %v", c.Min, c.Max)
	case c.PreRoll < 0 || c.PreRoll > time.Second:
		return fmt.Errorf("pre_roll is %v; it lies between 0 and 1s", c.PreRoll)
	case c.Gap < 0 || c.Gap > time.Minute:
		return fmt.Errorf("gap is %v; it lies between 0 and 1m", c.Gap)
	case c.PostRoll < 0 || c.PostRoll > c.Gap:
		return fmt.Errorf("post_roll is %v; it lies between 0 and gap, %v", c.PostRoll, c.Gap)
	case c.Overlap < 0 || c.Overlap > c.Max/2:
		return fmt.Errorf("overlap is %v; it lies between 0 and half of max, %v", c.Overlap, c.Max/2)
	case !(c.Threshold >= 1 && c.Threshold <= 60):
		return fmt.Errorf("threshold is %v dB; it lies between 1 and 60", c.Threshold)
	case !(c.Rise >= 0.1 && c.Rise <= 30):
		return fmt.Errorf("rise is %v dB; it lies between 0.1 and 30", c.Rise)
	case math.IsNaN(c.Silent) || c.Silent > 0 || c.Silent < -200:
		return fmt.Errorf("silent is %v dB; it lies between -200 and 0", c.Silent)
	}
	return nil
}

// Overrides replace defaults of a method; a nil field changes nothing. [Config] has the defaults and their reasons.
type Overrides struct {
	// Min is the shortest clip. Default: that of the method, as for all fields here.
	Min *time.Duration `yaml:"min"`
	// Max is the longest clip; a longer sound is cut.
	Max *time.Duration `yaml:"max"`
	// PreRoll is kept before the beginning of a sound.
	PreRoll *time.Duration `yaml:"pre_roll"`
	// PostRoll is kept after its end, at most Gap.
	PostRoll *time.Duration `yaml:"post_roll"`
	// Gap is the shortest pause that ends a clip.
	Gap *time.Duration `yaml:"gap"`
	// Overlap is how much of a clip that Max ends is repeated in the next one.
	Overlap *time.Duration `yaml:"overlap"`
	// Threshold is how far a sound lies above the noise floor where it begins, in dB.
	Threshold *float64 `yaml:"threshold_db"`
	// Rise is the least rise of the bands at an onset, in dB.
	Rise *float64 `yaml:"rise_db"`
	// Silent is the peak below which a clip is left out, in dB of full scale.
	Silent *float64 `yaml:"silent_db"`
}

// Config returns the defaults of a method with the overrides, validated. Where Gap is shorter than the default of PostRoll, or
// Max than that of Min, the default follows.
func (o Overrides) Config(by Method) (Config, error) {
	c := Defaults(by)
	set(&c.Min, o.Min)
	set(&c.Max, o.Max)
	set(&c.PreRoll, o.PreRoll)
	set(&c.PostRoll, o.PostRoll)
	set(&c.Gap, o.Gap)
	set(&c.Overlap, o.Overlap)
	set(&c.Threshold, o.Threshold)
	set(&c.Rise, o.Rise)
	set(&c.Silent, o.Silent)
	if o.PostRoll == nil {
		c.PostRoll = min(c.PostRoll, c.Gap)
	}
	if o.Min == nil {
		c.Min = min(c.Min, max(0, c.Max))
	}
	return c, c.Validate()
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}
