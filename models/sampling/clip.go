package sampling

import (
	"encoding/json"
	"errors"
	"fmt"

	"wavemill/audio"
	"wavemill/audio/wav"
)

// A Clip is a generated clip with everything that it takes to generate it again.
type Clip struct {
	// Audio has the front end's channels, one or two, and its rate. Its Label is [Provenance.Name], its Source names checkpoint and seed.
	Audio audio.Clip
	Provenance
	// Tone is the pitch in Hz that was measured in a clip with a Pitch or a Loop; 0: none.
	Tone float64
}

// WAV encodes the clip, with its name as INAM and its [Provenance] as JSON in ICMT of the INFO chunk. A
// clip with a loop or a pitch has a smpl chunk. Dither takes the
// clip's seed, so that the same clip gives the same bytes.
func (c Clip) WAV(encoding wav.Encoding) ([]byte, error) {
	comment, err := json.Marshal(c.Provenance)
	if err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	return wav.Encode(c.Audio, wav.Options{
		Encoding: encoding, DitherSeed: c.Seed, Sampler: c.sampler(),
		Tags: map[string]string{"INAM": c.Name(), "ICMT": string(comment), "ISFT": "wavemill"},
	})
}

// sampler is what a sampler has to know of a clip with a pitch or a loop; nil for others.
func (c Clip) sampler() *wav.Sampler {
	if !c.Loop && c.Pitch == 0 {
		return nil
	}
	var s wav.Sampler
	s.Note, s.Cents = wav.NoteOf(c.Tone)
	if c.Loop {
		s.Loops = []wav.Loop{{Start: 0, End: int64(c.Audio.Frames())}}
	}
	return &s
}

// Decoded returns the audio as it comes back from the 16-bit WAV file: what evaluation and filters have to use, so that
// they measure what is delivered. Label and Source are those of Audio.
func (c Clip) Decoded() (audio.Clip, error) {
	file, err := c.WAV(wav.PCM16)
	if err != nil {
		return audio.Clip{}, err
	}
	decoded, _, err := wav.Decode(file)
	decoded.Label, decoded.Source = c.Audio.Label, c.Audio.Source
	return decoded, err
}

// ReadProvenance returns the provenance that a generated WAV file contains, and the file's encoding. Files that
// Wavemill did not generate, or that were converted since, are an error.
func ReadProvenance(file []byte) (Provenance, wav.Encoding, error) {
	_, header, err := wav.Decode(file)
	if err != nil {
		return Provenance{}, 0, err
	}
	var p Provenance
	if err := json.Unmarshal([]byte(header.Tags["ICMT"]), &p); err != nil || p.Model == "" {
		return Provenance{}, 0, errors.New("its INFO chunk names no model and seed: only clips that Wavemill generated can be generated again")
	}
	for _, e := range []struct {
		name     string
		encoding wav.Encoding
	}{{"pcm_s16le", wav.PCM16}, {"pcm_s24le", wav.PCM24}, {"pcm_s32le", wav.PCM32}, {"pcm_f32le", wav.Float32}} {
		if e.name == header.Encoding {
			return p, e.encoding, nil
		}
	}
	return Provenance{}, 0, fmt.Errorf("its encoding is %s, which Wavemill does not write: the file was converted", header.Encoding)
}
