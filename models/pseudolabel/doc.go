// Package pseudolabel gives unlabelled recordings the labels of a few labelled ones.
//
// Two recordings are compared by dynamic time warping of their mel cepstra, so that neither pace nor level counts. Every
// recording is joined to its nearest neighbours in a graph, and the labels spread along its edges: from a labelled
// recording to its neighbours, from these to theirs. A recording of a speaker who has no labelled recording is so
// reached by way of speakers between. The shares of the labels are then brought to those of the labelled recordings,
// and the most certain assignments of each label are used.
//
// There is nothing to train and nothing random, except for the choice among more recordings than can be compared.
//
// Sources: Sakoe and Chiba, Dynamic Programming Algorithm Optimization for Spoken Word Recognition, 1978 (the warping);
// Zhou et al., Learning with Local and Global Consistency, 2004 (the spreading); Zelnik-Manor and Perona, Self-Tuning
// Spectral Clustering, 2004 (the weights of edges); Cuturi, Sinkhorn Distances, 2013 (the shares).
package pseudolabel
