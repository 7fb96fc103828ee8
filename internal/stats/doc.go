// Package stats holds the statistics that several packages need and that gonum lacks or defines
// otherwise: quantiles as NumPy computes them, k-means, and a Cholesky factor that exists for every
// covariance.
//
// # Data
//
// A table of n rows and width columns is one flat slice, row after row: element (i, j) is
// x[i*width+j]. No function keeps or changes a slice that it is given unless its comment says so.
//
// # Randomness
//
// What is random takes a seed or a *rand.Rand; the same seed gives the same result.
//
// # Concurrency
//
// All functions may be called from several goroutines. A *rand.Rand must not be shared between them.
package stats
