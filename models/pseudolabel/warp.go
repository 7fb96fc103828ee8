package pseudolabel

import (
	"context"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"wavemill/models/nn/kernel"
)

// band is how many frames a warping path may stray from the diagonal.
const band = 6

// together is how many clips one clip is compared with at a time: their products fit into a core's cache.
const together = 64

// distances returns the distances between all clips of x [n, frames, width], [n, n].
func distances(ctx context.Context, x []float32, onProgress func(done, all int)) ([]float32, error) {
	n := len(x) / (frames * width)
	norms := make([]float32, n*frames)
	for i := range norms {
		for _, v := range x[i*width : (i+1)*width] {
			norms[i] += v * v
		}
	}
	out := make([]float32, n*n)
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		if working.Err() != nil {
			break
		}
		if onProgress != nil {
			onProgress(i, n)
		}
		group.Go(func() error {
			row(out[i*n:(i+1)*n], i, x, norms)
			return working.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i := range n {
		for j := range i {
			out[i*n+j] = out[j*n+i]
		}
	}
	return out, nil
}

// row writes the distances of clip i to those after it.
func row(dst []float32, i int, x, norms []float32) {
	n := len(dst)
	products := make([]float32, frames*together*frames)
	for lo := i + 1; lo < n; lo += together {
		count := min(together, n-lo)
		columns := count * frames
		kernel.Gemm(false, true, frames, columns, width, x[i*frames*width:], width, x[lo*frames*width:], width, products, columns, kernel.Epilogue{})
		for j := range count {
			dst[lo+j] = warp(products[j*frames:], columns, norms[i*frames:(i+1)*frames], norms[(lo+j)*frames:(lo+j+1)*frames])
		}
	}
}

// warp returns the mean distance of two clips along the cheapest path, in which a diagonal step counts twice. The inner
// products of their frames are at products[a*stride+b]; a and b hold the squared norms.
func warp(products []float32, stride int, a, b []float32) float32 {
	const far = math.MaxFloat32
	var rows [2][frames + 1]float32
	before, now := &rows[0], &rows[1]
	for k := range before {
		before[k] = far
	}
	before[0] = 0
	for s := range frames {
		lo, hi := max(0, s-band), min(frames, s+band+1)
		for k := range now {
			now[k] = far
		}
		of := products[s*stride:]
		for t := lo; t < hi; t++ {
			cost := float32(math.Sqrt(float64(max(a[s]+b[t]-2*of[t], 0))))
			now[t+1] = min(before[t]+2*cost, before[t+1]+cost, now[t]+cost)
		}
		before, now = now, before
	}
	return before[frames] / (2 * frames)
}
