package training

import (
	"fmt"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
)

// Beyond these, a round trip moves sounds or makes them narrower.
const (
	mostPan   = 1.0 // dB, of the median
	mostWidth = 1.0
)

// channelsText is "one channel" or "two channels".
func channelsText(c spectrogram.Config) string {
	if c.Channels == 2 {
		return "two channels"
	}
	return "one channel"
}

// channelLines say how many channels a model has and why; nothing where no recording has two.
func (p Plan) channelLines() []string {
	t := p.Clips
	if t.Two == 0 && p.FrontEnd.Spectrogram.Channels != 2 {
		return nil
	}
	why := fmt.Sprintf("%s of %s recordings have two, and in %s these differ", thousands(t.Two), thousands(t.Clips), thousands(t.Stereo))
	if p.FrontEnd.Spectrogram.Channels != 2 {
		text := "channels  1: " + why + "; recordings are mixed down"
		if t.Inverted > 0 {
			text += fmt.Sprintf(", %s with one channel inverted, because they cancel", thousands(t.Inverted))
		}
		return []string{text}
	}
	text := "channels  2: " + why
	if t.Middle > 0 {
		text += fmt.Sprintf("; %s of one channel stand in the middle", thousands(t.Middle))
	}
	if t.MixedDown > 0 {
		text += fmt.Sprintf("; %s of more than two are mixed down and stand in the middle", thousands(t.MixedDown))
	}
	return []string{text, fmt.Sprintf("          %d of the %d bins hold pan and width; --mono mixes down instead", p.FrontEnd.Spectrogram.Image(), p.FrontEnd.Spectrogram.Bins())}
}

// imageLines are what a round trip does to pan and width.
func imageLines(i *frontend.Image) []string {
	if i == nil {
		return nil
	}
	return []string{fmt.Sprintf("          place: pan %.2f dB off (a tenth by more than %.1f), width %.2f dB off (%.1f), of %d recordings",
		i.Pan, i.PanMost, i.Width, i.WidthMost, i.Clips)}
}

// imageWarnings say where a round trip loses pan or width.
func imageWarnings(fe models.FrontEnd, i *frontend.Image) []string {
	if i == nil || i.Pan <= mostPan && i.Width <= mostWidth {
		return nil
	}
	return []string{fmt.Sprintf("sounds come back elsewhere: their pan is %.1f dB off and their width %.1f dB, in the median. Try --n-fft %d, or --mono", i.Pan, i.Width, fe.Spectrogram.NFFT/2)}
}
