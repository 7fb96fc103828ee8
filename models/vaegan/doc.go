// Package vaegan is a conditional variational autoencoder whose decoder is fine-tuned against a discriminator (Larsen et
// al. 2016; in two phases, as in RAVE, Caillon and Esling 2021).
//
// In the first phase the autoencoder is trained alone, as in package vae. In the second its encoder is frozen and its
// decoder is trained with three losses: the discriminator's score, the distance between the discriminator's activations on
// a clip and on its reconstruction, and the distance between the two clips. Half of the decoded clips are reconstructions,
// half are drawn from the latents of their label as in generation. This keeps the variety of the autoencoder and reduces
// its blur.
package vaegan
