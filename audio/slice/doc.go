// Package slice cuts long or endless audio into clips: at onsets, at silence, where somebody speaks, in pieces of equal
// length, or at the times of a table. It is the engine of `wavemill slice`, of the operator segment and of --chop.
//
// # The stream
//
// A [Slicer] is given blocks of samples of any size and emits clips as soon as they are complete. Where it cuts depends on the
// samples alone, not on the sizes of the blocks. It keeps [Config.Max] and about one second of samples, however long the
// audio is. [Slicer.State] is everything else that it knows, in some ten kilobytes: with it and the samples from
// [Slicer.Needed] on, [Restore] continues in another process and cuts at the same places. Nothing is random.
//
// # The analysis
//
// Every 10 ms the power spectrum of a window of 20 to 40 ms (Hann) is summed into up to 32 bands, equally wide on the mel
// scale, of all channels, so that channels of opposite phase do not cancel. Decisions are made one second late, so that the
// estimate of the background includes what follows.
//
// The background of each band is the least smoothed power of the last ten seconds, corrected for the bias of a minimum
// (R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum statistics", IEEE Trans.
// Speech and Audio Processing 9(5), 2001; the bias here is that of the least of n values of a chi-square distribution). The
// noise floor is the sum of the bands, but not below [LowestFloor] and not above [HighestFloor]: a steady sound that is louder
// than that is no background.
//
// Onsets are peaks of the spectral flux with a maximum filter over frequency (SuperFlux: S. Böck and G. Widmer, "Maximum
// filter vibrato suppression for onset detection", DAFx 2013) of logarithmic bands, picked as in S. Böck, F. Krebs and M.
// Schedl, "Evaluating the online capabilities of onset detection methods", ISMIR 2012.
//
// Speech is found by the likelihood ratio of J. Sohn, N. S. Kim and W. Sung, "A statistical model-based voice activity
// detection", IEEE Signal Processing Letters 6(1), 1999, on the bands from 200 to 4000 Hz. It separates speech from a steady
// background, not from other sounds that come and go in these bands, such as music.
package slice
