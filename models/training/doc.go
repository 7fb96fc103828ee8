// Package training turns labelled recordings into a checkpoint. It is the only place where that is decided: the commands
// train, compare and bench and the train operator on the bus call it, so that the same recordings, front end, settings and
// seed give the same weights in all of them.
//
// The steps are:
//
//  1. [Divide] splits the recordings into those to train on, those that choose the best weights (validation) and those that
//     are held out for evaluation. Copies of one recording, and recordings of one group, stay on one side.
//  2. [Prepare] plans the front end on the first two parts and computes their spectrograms; [PrepareSpectrograms] takes
//     spectrograms that exist. The result is a [Set], whose clips are in an order that does not depend on file names.
//  3. [Job] applies the settings for few recordings, searches for a network size where there is a budget of time, trains,
//     and evaluates with package monitor. Its checkpoints record which recordings were used.
//
// [Spec] is a training from settings and files to a file: it reserves the file, goes on from a checkpoint in it and refuses
// settings that contradict the checkpoint. [TrainCandidate] trains one of several models to compare.
//
// What a person sees of a training is text here, so that every command says the same: [MakePlan] before it, [Status] and
// [Notices] during it, [Report] after it.
//
// [Unseen] uses a checkpoint's record to find the recordings that may evaluate it, and [FilterJob] those by which its
// discriminator is scaled.
package training
