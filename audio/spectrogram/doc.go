// Package spectrogram turns samples into spectrograms and back.
//
// A [Config] holds all parameters: rate, transform length, hop, window, frequency scale, value, floor and range. [New] makes
// a [Transform] from it. [Transform.STFT] and [Transform.Forward] compute complex coefficients and features.
// [Transform.ISTFT] inverts complex coefficients exactly. [Transform.Reconstruct] makes samples from features: it is lossy,
// because phases must be reconstructed. [WritePNG] draws pictures.
//
// Frames are centred: frame t covers the samples around t*Hop. Config.Pad says how the signal is continued outside its
// bounds. n samples make 1 + n/Hop frames, as with torch.stft. Data is time-major: bin f of frame t is Data[t*Bins+f].
//
// One-shots ([OneShot], [ScaleOneShot]) are the exception: their hop grows, so that [Config.Samples] gives the middle of a
// frame, their last bins are marks of the whole clip ([Config.Marks]), and there is no single STFT.
package spectrogram
