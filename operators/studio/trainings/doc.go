// Package trainings trains models for the studio. A [Manager] takes recordings that a browser sends, plans, and runs one
// training at a time with package training, the same way as `wavemill train`.
//
// Everything that a training is lies in a folder of its own: its settings and state (training.json), its checkpoint, its
// curves and its previews. So a server that is killed and begun again finds its trainings, and goes on with the one that ran
// from its last checkpoint.
package trainings
