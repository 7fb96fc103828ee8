// Package vae is a conditional variational autoencoder (Kingma and Welling 2014; Sohn et al. 2015) for spectrograms. It
// gives usable clips after a few minutes of training on two cores and does not collapse.
//
// An encoder of four convolutions maps a clip to the distribution of its latents; a decoder of four blocks maps latents
// and a label to a clip. The squared error is divided by its variance over the batch (sigma-VAE, Rybkin et al. 2021), so
// that it needs no weight against the KL term. Latents of generated clips are drawn from a prior: one fitted on the
// latents of the training clips of each label, or a flow trained with the networks. The posterior and the decoder's last
// block can be mixtures of experts.
package vae
