// Package gan is a conditional generative adversarial network (Goodfellow et al. 2014) for spectrograms. A generator maps
// noise and a label to a clip; a discriminator with a projection of the label (Miyato and Koyama 2018) separates its clips
// from recordings and classifies the labels of recordings (Odena et al. 2017). Spectral normalisation (Miyato et al.
// 2018), the hinge loss and differentiable augmentation (Zhao et al. 2020) keep training stable on a few thousand clips.
// The generator's averaged weights are kept. The recordings of a label are clustered into modes before training, so that
// the generator covers more of them.
//
// Its clips are sharper than a VAE's and less varied, and it takes longer to train; wavemill compare measures both.
package gan
