package spectrogram

import (
	"wavemill/audio"
	"wavemill/audio/fingerprint"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// identify sets the headers that tell one recording from another: the digest of the recording as it was decoded, before it
// is resampled, trimmed or cut, and the fingerprint by which near copies are recognised, where one could be made. The
// group, which only the publisher of a recording knows, is passed on. A trainer keeps copies and groups on one side of its
// split by these headers.
func (s *shared) identify(clip audio.Clip, in, out *pipeline.Message) error {
	if group := in.Header[header.Group]; group != "" {
		out.SetHeader(header.Group, group)
	}
	out.SetHeader(header.Recording, fingerprint.Digest(clip))
	text, err := s.prints.Of(clip).MarshalText()
	if err != nil {
		return err
	}
	if len(text) > 0 {
		out.SetHeader(header.Fingerprint, string(text))
	}
	return nil
}
