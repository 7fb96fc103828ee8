// Package metricslog keeps how the figures of a training went, step by step: as JSON lines, as CSV for spreadsheets, and as
// the event files that TensorBoard reads. A training that is resumed goes on with its curves: rows of steps that were
// not saved are cut, so that no step is there twice.
package metricslog
