// Package eval measures generated clips by what they are good for.
//
// An [Evaluator] trains a [Classifier] of its own, with its own architecture, seed and split, on real clips alone; it
// never takes part in the training of a generator and this package never opens one. It works on samples, so that what
// phase reconstruction spoils counts. The figures themselves are pure functions in package metric.
//
// # Gains
//
// A [Gain] says what generated clips add to a classifier beyond augmentation, which needs no model: [TrainTuned] chooses a
// [Policy] of augmentation by cross-validation on the recordings, and a [Trial] compares classifiers with that policy,
// without and with the clips.
//
// # Intervals
//
// Every figure of a [Row] has a 95 % [Interval]. It answers: where would the figure lie with other clips of the same
// model, other recordings from the same source and other seeds of the classifiers? Methods:
//
//   - Shares of clips (accuracy, recall, silence, 1-NN): percentile bootstrap over clips or recordings, 1,000 resamples,
//     widened to Wilson's interval, which does not take a perfect score for certainty.
//   - Usefulness: two levels, classifier seeds and held-out recordings. The deviation between seeds is widened by
//     √(s/(s-1)) for s seeds, because a resample of three draws is too narrow. The two sides of a gain are paired: each
//     resample has the same seeds and recordings on both.
//   - Inception scores, AM, Fréchet distance, NDB: 300 resamples of the disjoint parts that the figure is the mean of,
//     where there are five or more, widened by √(p/(p-1)); else of the clips within each part. A resample holds clips
//     twice, which biases these figures (a Fréchet distance upwards): the resamples are moved, those of a Fréchet
//     distance multiplied, so that their mean is the figure itself.
//   - Kernel distance: 200 resamples of the clips without pairs of equal clips, moved likewise.
//   - Diversity: resamples of each label's clips, to first order (Hoeffding).
//   - Ratios to real recordings: quotients of resamples of both, so that the recordings' own uncertainty counts.
//
// The intervals hold for recordings like the held-out ones: with few speakers they say nothing about other speakers,
// for which [Row].Groups gives known and unknown groups apart. Their cost is a few seconds a row.
package eval
