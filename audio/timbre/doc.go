// Package timbre measures what an ear minds in one-shots: pitch, flutter, a line at the hop rate, warble, attack, tail,
// peak level and the persistence of fine structure. It sees samples alone, so that recordings, their round trips through a
// spectrogram and generated clips are measured alike.
//
// # Signals
//
// Clips are mixed down to mono and measured at 44.1 kHz; other rates are resampled. What is above a clip's own Nyquist
// frequency is not measured: Flutter, Line and Persistence are NaN below 8 kHz, where less than an octave of their band of
// 2 to 16 kHz is left, and see only what is left of the band below 32 kHz. A level "of the envelope" is that of a moving
// root mean square.
//
// # Undefined values
//
// A measure that a clip does not have is NaN: the pitch of a hi-hat, the flutter of a click. A clip of silence, a clip
// with a sample that is not finite and one that audio.Clip.Validate refuses have none of the measures. Medians leave
// NaN out; JSON leaves the key out.
//
// # Concurrency
//
// A Meter is used by one goroutine at a time. The functions may be called from several.
package timbre
