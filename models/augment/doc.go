// Package augment adds generated clips to a data set and measures whether they help.
//
// A [Job] counts the recordings of each label, generates what is missing to a number, and keeps the clips that pass a
// filter: not silent, recognised as their label by a classifier trained on the recordings, and no copies of recordings.
// It writes the clips, a manifest of recordings and clips with their weights, and a [Report].
//
// The proof in the report compares classifiers trained with tuned augmentation, without and with the clips, on recordings
// that neither the generator nor the classifiers have seen ([HoldOut], [TestOn]): augmentation needs no model, so that
// clips help only where they help beyond it. Accuracies and the gain have 95 % intervals, by bootstrap over the test
// recordings and the classifiers' seeds.
package augment
