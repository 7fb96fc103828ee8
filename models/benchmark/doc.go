// Package benchmark measures models: how long generation takes ([TimeGeneration]) and how good the clips of each
// architecture are ([Quality]).
//
// Quality trains every architecture in several runs and evaluates each on recordings that were held out of that run. A
// run is a seed, which decides the split, the initial weights and the clips, or with LeaveOut a seed and a group
// (a speaker, a kit) that is held out whole. All figures are means over runs with 95 % intervals, see [Estimate], and
// two architectures are compared run by run: a difference whose interval holds 0 is none.
//
// Everything done is kept in a folder, so that an interrupted benchmark goes on where it stopped. Time networks and
// audio alone with packages models/nn/benchmark and audio/benchmark.
package benchmark
