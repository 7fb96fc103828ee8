// Package fingerprint identifies recordings, so that a copy of a recording that a model has learnt from is not used to
// evaluate it.
//
// Digest recognizes lossless copies exactly: the same samples under another name, label, container or with more bits.
// Print and Similar recognize near copies: other gain (also slightly clipped), inverted polarity, silence or a noise
// floor added or removed, any shift, the first or last 30 % cut off, other sample rates, 8-bit and mu-law coding, light
// noise. Index finds near copies among many recordings.
//
// # Method
//
// A Print holds bits that are signs, which no gain changes, and is compared by the share of bits that agree over all
// alignments, as in Haitsma and Kalker, "A highly robust audio fingerprinting system" (ISMIR 2002). Theirs are signs of
// energy differences between bands and frames; these tell songs apart, but not two plays of one synthetic bell, and they
// need some seconds. Here the bits are the signs of the recording itself between 150 and 1,500 Hz, at 8 kHz: the course
// of the phase, which even the same speaker with the same word does not repeat. A bit counts only in loud blocks (24 dB
// below the loudest or more), and only where its neighbours have its sign, so that a shift by half a sample changes
// nothing. The levels of blocks of 4 ms must agree as well, up to a common gain. A recording without power in that band
// (a hi-hat) is represented by the same band of its absolute value.
//
// A Print keeps up to 384 ms in at most 500 bytes: everything of a short recording, else the six loudest stretches of 64 ms with
// their places. Signs of differences between short-time autocorrelations, which are the energy differences of Haitsma and
// Kalker by another route, serve as the keys of the Index.
//
// # Error rates
//
// Measured on the free spoken digit dataset (2,700 recordings of 0.4 s at 8 kHz, six speakers, 50 recordings of each
// digit by each; 3.6 million pairs) and on 600 clips of package synth; the tests hold them.
//
// Different recordings: 2 of the 3.6 million pairs of digits are taken for one recording, each because a short part of
// one agrees with a part of the other. About 15 of the 179,700 pairs of synthetic clips of 600 are: most are exponential
// sweeps of equal slope, which are one sound at two times, and kick drums that have fewer than 60 changes of sign.
//
// Missed copies of digits, of every tenth recording: first 30 % cut off, 1.1 %; noise floor and silence added, 0.4 %; none
// for gain of -24 dB and +12 dB, polarity, shift, silence removed, last 30 % cut off, resampling to 16 and 44.1 kHz, 8 bits
// at full scale, mu-law and noise 50 dB below the peak. A copy saved with 8 bits at its own level is missed in 24 % of
// all digits: those peak below about -25 dB of full scale, where 8 bits leave a few steps.
//
// Of synthetic clips, a copy with another start is missed in about 8 %: of a steady tone longer than 384 ms the loudest
// stretches may be others after a shift. Where a sound decays within the first 30 %, nothing that a Print keeps is left
// once these are cut off.
//
// One core makes a Print of a digit at 8 kHz in about .1 ms (docs/benchmarks.md) and looks it up among 2,700 in about 1 ms.
//
// Lossy codecs: MP3 at 96 kbit/s and Vorbis at quality 6 keep the prints of the synthetic clips, but not those of hi-hats
// in Vorbis: the codec replaces noise by other noise of the same envelope. Such copies are missed.
package fingerprint
