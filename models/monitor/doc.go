// Package monitor evaluates a model while it trains. At every evaluation it generates a few
// hundred clips with fixed seeds, measures how far they are from recordings, warns of the known ways in which generative
// models fail, and writes pictures and sounds of some clips.
//
// The only thing it fits to the recordings is a basis of principal components: the figures need no classifier, cost a
// fraction of a second, and are the same for the same data and seed. They are computed on spectrograms, before phase
// reconstruction; package eval evaluates sounds.
package monitor
