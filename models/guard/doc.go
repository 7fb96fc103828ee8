// Package guard refuses clips that would harm a training, or a data set that clips are added to: silent, clipped, loud,
// cut off or of the wrong rate, near copies, sounds unlike all others, and sounds with the label of others.
//
// # How it works
//
// An [Analyst] or [Spectrogram] measures each clip, and a [Detector] that was fitted to recent clips decides. Without any
// model, the detector compares pictures of the spectrograms: a least-squares classifier with a Gaussian kernel scores each
// label. The score of a clip that the classifier was fitted on is the one that it would get if it had been left out, which
// follows from the inverse of the kernel matrix without another fit. Clips whose score is higher for another label than for
// their own are left out of a second fit, and so are outliers: this is the pruning of confident learning.
//
// With a [Model] of the clips, its reconstruction error under the clip's label and under the label that the detector would
// give, and the score of its discriminator, are compared with those of recent clips.
//
// Nothing is random. The same clips in the same order and the same model give the same verdicts within a kernel class.
//
// Sources: Rifkin, Yeo and Poggio, Regularized Least-Squares Classification, 2003 (the classifier and its left-out scores);
// Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, 2021 (the pruning).
package guard
