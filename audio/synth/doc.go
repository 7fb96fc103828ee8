// Package synth plays a small labelled set of sounds of its own, so that the whole mill can run on a machine that has
// no recordings: a plucked string, a kick drum, a hi-hat, a bell, a chirp and a sung vowel. The classes differ in
// what makes sound differ (harmonic, inharmonic, noise; falling, rising, steady; struck, sustained), and every clip
// differs from the next of its class in pitch, decay, timbre, level and onset, all drawn from its seed.
//
// A clip is a pure function of class, seed and sample rate.
package synth
