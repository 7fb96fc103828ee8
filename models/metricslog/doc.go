// Package metricslog writes the figures of a training by step: as JSON lines, as CSV for spreadsheets, and as event files
// for TensorBoard. When a training is resumed, its log goes on: rows of steps after the checkpoint are removed, so that no
// step appears twice.
package metricslog
