package convert

import (
	"strings"

	"wavemill/audio/codec"
	"wavemill/audio/wav"
)

// BitChoices lists the values of Options.Bits.
func BitChoices() []string { return []string{"", "16", "24", "32f"} }

// bySource is what a state says of WAV files whose sample format is that of their sources.
const bySource = "by source"

// encoding is the sample format of one result. about describes the recording that it is made from; it is nil for what is
// made from shards, whose phase reconstruction has no full scale.
func (p *plan) encoding(about *codec.Info) wav.Encoding {
	switch {
	case p.bits == "16":
		return wav.PCM16
	case p.bits == "24":
		return wav.PCM24
	case p.bits == "32f", about == nil, about.Bits > 24, strings.HasPrefix(about.Encoding, "pcm_f"):
		return wav.Float32
	case about.Bits > 16:
		return wav.PCM24
	}
	return wav.PCM16
}

// settleBits takes the sample format from the options. A run that goes on with results of an earlier version, which wrote
// 16 bits only, keeps to these.
func (p *plan) settleBits() {
	p.bits = p.o.Bits
	if p.bits == "" && p.old != nil && p.old.To == WAV && p.old.Encoding == wav.PCM16.String() {
		p.bits = "16"
	}
}

// encodingState is what the state says of the sample format.
func (p *plan) encodingState() string {
	if p.bits == "" {
		return bySource
	}
	return p.encoding(nil).String()
}
