// Package stereo measures where the sound of two channels is, keeps it beside the spectrogram of one channel, and makes
// two channels of one again.
//
// A spectrogram has no phases, and phases that are reconstructed for two channels apart make a new sound in each: panning
// and width are gone. Therefore one channel is transformed, a mix in which nothing cancels ([Downmix]), and for some bands
// the image is kept: pan, the ratio of the powers of right and left, and width, the ratio of the powers of side and mid
// when both channels are equally loud ([Transform.Forward]). The way back makes one channel and distributes it; what is not common
// to both channels comes from a decorrelated copy. This is the parametric stereo of Breebaart, van de Par, Kohlrausch and
// Schuijers (2005) with real instead of complex coherence. What it loses: delays between the channels, as of spaced
// microphones, come back as width.
//
// [Transform] joins both to a spectrogram of [spectrogram.Config] with two channels.
package stereo
