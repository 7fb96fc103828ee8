//go:build !amd64

package kernel

import "runtime"

func (k class) run(t *tile) { runGo(t) }

func (k class) peakRounds(n int) float64 { return peakGo(n) }

// pause gives way to others for a moment; n is the number of rounds.
func pause(int) { runtime.Gosched() }

// No class but the portable one runs here, so these are never called.

func (k class) vector(vectorOp, *vec) {}

func (k class) transposeBlocks([]float32, int, []float32, int, int, int) (int, int) { return 0, 0 }

func (k class) grid(gridOp, *grids) {}
