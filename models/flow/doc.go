// Package flow is a conditional latent rectified flow (Liu et al. 2022; flow matching, Lipman et al. 2023; in the latents
// of an autoencoder, Rombach et al. 2022).
//
// An autoencoder maps spectrograms [T, F] to a small map of latents [T/8, F/8, C] and back. A second network learns to move
// noise of that shape to the latents of recordings of a label: given a point on the straight path from noise (time 0) to
// latents (time 1), it predicts the end of the path. Generating follows the predictions in a few steps and decodes the
// result.
//
// In the first phase of the training both networks learn at once, and no gradient flows from the second into the first.
// In the second phase the encoder is frozen and the decoder is trained against a discriminator, half on reconstructions and
// half on what the flow generates, which reduces the blur of decoded clips.
package flow
