package spectrogram

import (
	"wavemill/audio"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// An Identity tells one recording from another, whatever its file is called and however it is encoded. Consumers of
// spectrograms use it to keep copies of a recording on one side of a split.
type Identity struct {
	// Recording is the hexadecimal digest of the decoded recording. It becomes the header Wavemill-Recording.
	Recording string
	// Fingerprint is text from which near copies (louder, shifted, cut) are recognised. It becomes the header
	// Wavemill-Fingerprint.
	Fingerprint string
}

// An Identifier computes the identity of a recording as it was decoded: before it is resampled, trimmed or cut. It must be
// a pure function of the clip, must not change it, and is called by several goroutines at once. An error makes the
// recording a dead letter.
type Identifier func(audio.Clip) (Identity, error)

// identify sets the headers of the identity on a spectrogram; empty fields set none. The group, which only the publisher
// of a recording knows, is passed on.
func (o *operator) identify(clip audio.Clip, in, out *pipeline.Message) error {
	if group := in.Header[header.Group]; group != "" {
		out.SetHeader(header.Group, group)
	}
	if o.identifier == nil {
		return nil
	}
	id, err := o.identifier(clip)
	if err != nil {
		return err
	}
	for name, value := range map[string]string{header.Recording: id.Recording, header.Fingerprint: id.Fingerprint} {
		if value != "" {
			out.SetHeader(name, value)
		}
	}
	return nil
}
