package stereo

import "wavemill/audio/spectrogram"

// Imager is imager.
type Imager = imager

// NewImager is newImager.
func NewImager(rate int) (*Imager, error) { return newImager(rate) }

// Separate is separate.
func Separate(s *spectrogram.Spectrogram) (mono *spectrogram.Spectrogram, image []float32, err error) {
	return separate(s)
}
