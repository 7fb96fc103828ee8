// Package monitor looks at a model while it learns, so that nobody else has to: at every evaluation it makes a few
// hundred clips with fixed seeds, measures how far they are from recordings, warns of the ways in which generative
// models are known to fail, and keeps pictures and sounds of some.
//
// Nothing here is learnt but a basis of principal components: the figures need no classifier, cost a fraction of a
// second, and are the same for the same data and seed. They are made on spectrograms, before phase reconstruction; the
// judgement of sounds is package eval's.
package monitor
