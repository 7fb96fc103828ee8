// Package spectrogram turns samples into spectrograms and back.
//
// A [Config] says everything: rate, transform length, hop, window, frequency scale, value, floor and range. From it
// [New] makes a [Transform], which goes forward ([Transform.STFT], [Transform.Forward]) and back: exactly from complex
// coefficients ([Transform.ISTFT]) and, where only magnitudes are left, by a named and lossy phase reconstruction
// ([Transform.Reconstruct]). Pictures come from [WritePNG] and [WriteWaveformPNG].
//
// Frames are centred: frame t sees samples around t*Hop, x is continued outside its bounds as Config.Pad says, and n
// samples make 1 + n/Hop frames, as torch.stft counts them. Data is time-major: bin f of frame t is Data[t*Bins+f].
package spectrogram
