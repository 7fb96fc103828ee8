// Package eval judges generated clips by what they are good for.
//
// The judge is a Classifier of its own: it has its own architecture, seed and split, is trained on real clips alone
// and never takes part in the training of a generator. It listens to samples, not to spectrograms, so that whatever
// phase reconstruction spoils is heard. The figures themselves are pure functions in the package metric.
package eval
