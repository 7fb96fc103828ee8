// Package kernel holds the numerical kernels under the neural networks: matrix
// products, two-dimensional convolutions with both of their gradients, vector
// and per-channel operations, the fused Adam update and the worker pool that
// runs them all.
//
// # Data
//
// Everything is float32 and dense. Matrices are row-major. Images are NHWC:
// element (n, h, w, c) of a batch lies at ((n*H+h)*W+w)*C+c. Convolution weights
// are [KH][KW][C][Co]. With this layout each kernel row of a patch is KW*C
// contiguous floats, so that a convolution needs neither im2col nor a padded
// copy of its input. Only the gradient of the weights of many channels copies
// pixels side by side, because it reads them across the channels.
//
// # Fewer multiplications
//
// Where Conv.Fast allows it, 4×4 kernels with stride 2 and 3×3 kernels with stride
// 1 are done by Winograd's minimal filtering, in all three passes, if their shape
// gains by it: images are cut into tiles of 2×2 outputs, and tiles, weights and
// outputs are mapped to and from 9 or 16 matrix products.
//
// # Classes
//
// The machine decides at the first use which class of kernels runs: "avx512"
// (AVX-512 F, VL, DQ and BW, BMI2, and all of avx2), "avx2" (AVX2 and FMA) or "go"
// (portable). Package internal/cpu makes this decision for the whole process. The
// environment variable WAVEMILL_KERNEL forces one of them; Check reports a value
// that is unknown or that the processor cannot run. Within one class a result
// depends on nothing but the operands: not on the number of threads, not on the
// machine, not on what runs beside it. Between classes results differ by
// rounding, and so does "go" between processor architectures, because the
// compiler fuses multiplications and additions on some.
//
// # Errors
//
// Shapes are the caller's promise. Conv.Validate and the Check methods report a
// mistake as an error that names both shapes; call them where a graph is built.
// An operation that is nevertheless handed slices too short for its shape panics
// with the same text before it has written anything; that is a programmer's
// error, like an index out of range.
//
// # Process-wide state
//
// The package keeps state that all callers share, because an operation is a plain
// function and because a training step in its steady state must not allocate: the
// number of threads (SetThreads), the worker goroutines (StopWorkers), the cache of
// plans, which depend on nothing but shape and class, and the buffers and records
// of finished operations (scratch and freelist). None of it changes a result. The
// class of kernels is not kept here but in package internal/cpu.
//
// # Concurrency
//
// All functions may be called from any number of goroutines at once, as long as
// no destination is shared. The operations divide their work over Threads()
// goroutines including the caller's.
package kernel
