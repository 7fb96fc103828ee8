// Package synth synthesises a small labelled set of sounds, for demonstrations and tests on machines without recordings: a
// plucked string, a kick drum, a hi-hat, a bell, a chirp and a sung vowel. The classes cover harmonic, inharmonic and noisy
// sounds; falling, rising and steady pitches; struck and sustained sounds. Clips of one class differ in pitch, decay,
// timbre, level and onset, which are drawn from the seed.
//
// A clip is a pure function of class, seed and sample rate.
package synth
