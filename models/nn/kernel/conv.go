package kernel

import (
	"errors"
	"fmt"
	"math"
)

// Conv is the geometry of a two-dimensional convolution over a batch of images.
//
//	x  [N, H, W, C]              input
//	w  [KH, KW, C, Co]           weights
//	y  [N, OutH(), OutW(), Co]   output
//
// A transposed convolution is the same geometry read backwards: it takes y to x
// (ConvBackData), so for a transposed layer C counts the output channels, H and W
// are the output's size, and Co counts the input channels.
type Conv struct {
	N, H, W, C, Co      int
	KH, KW, Stride, Pad int

	// Fast permits an algorithm that rounds differently where it pays: today the
	// three passes of 4×4 kernels with stride 2, in 9/16 of the multiplications, and
	// of 3×3 kernels with stride 1, in 4/9, for outputs of even height and width and
	// channels that fill registers, multiples of 8 with AVX2 and of 16 with AVX-512.
	// The choice depends on the shape but for N, so that an image has the same result
	// alone and in a batch; but for few images preparing the weights outweighs what
	// it saves. It is meant for training.
	Fast bool
}

// The limits of the geometry; they bound tables, not speed.
const (
	maxKernel = 64
	maxFloats = min(1<<31, math.MaxInt) // of any one operand
)

// OutH is the number of output rows.
func (s Conv) OutH() int { return (s.H+2*s.Pad-s.KH)/s.Stride + 1 }

// OutW is the number of output columns.
func (s Conv) OutW() int { return (s.W+2*s.Pad-s.KW)/s.Stride + 1 }

// InSize is the number of floats of x.
func (s Conv) InSize() int { return s.N * s.H * s.W * s.C }

// OutSize is the number of floats of y.
func (s Conv) OutSize() int { return s.N * s.OutH() * s.OutW() * s.Co }

// WeightSize is the number of floats of w.
func (s Conv) WeightSize() int { return s.KH * s.KW * s.C * s.Co }

// FLOPs is the nominal number of floating-point operations of one forward pass,
// a multiplication and an addition for every tap including those that fall on
// the padding. Each of the two gradients counts the same.
func (s Conv) FLOPs() float64 {
	return 2 * float64(s.OutSize()) * float64(s.KH*s.KW*s.C)
}

// String gives the shapes, for error messages and benchmark names.
func (s Conv) String() string {
	return fmt.Sprintf("conv %dx%d stride %d pad %d, [%d,%d,%d,%d] -> [%d,%d,%d,%d]", s.KH, s.KW, s.Stride, s.Pad,
		s.N, s.H, s.W, s.C, s.N, safeOut(s.H, s.KH, s.Stride, s.Pad), safeOut(s.W, s.KW, s.Stride, s.Pad), s.Co)
}

func safeOut(in, k, stride, pad int) int {
	if stride < 1 {
		return 0
	}
	return (in+2*pad-k)/stride + 1
}

// Validate reports why the geometry is impossible, naming its shapes.
func (s Conv) Validate() error {
	switch {
	case s.N < 1 || s.H < 1 || s.W < 1 || s.C < 1 || s.Co < 1:
		return fmt.Errorf("kernel: conv input [%d,%d,%d,%d], weights [%d,%d,%d,%d]: every size must be at least 1",
			s.N, s.H, s.W, s.C, s.KH, s.KW, s.C, s.Co)
	case s.KH < 1 || s.KW < 1 || s.KH > maxKernel || s.KW > maxKernel:
		return fmt.Errorf("kernel: conv kernel %dx%d: each side must be 1 to %d", s.KH, s.KW, maxKernel)
	case s.Stride < 1:
		return fmt.Errorf("kernel: conv stride %d: must be at least 1", s.Stride)
	case s.Pad < 0 || s.Pad >= s.KH || s.Pad >= s.KW:
		return fmt.Errorf("kernel: conv padding %d with kernel %dx%d: must be at least 0 and less than the kernel", s.Pad, s.KH, s.KW)
	case s.H+2*s.Pad < s.KH || s.W+2*s.Pad < s.KW:
		return fmt.Errorf("kernel: conv kernel %dx%d is larger than the input [%d,%d,%d,%d] with padding %d",
			s.KH, s.KW, s.N, s.H, s.W, s.C, s.Pad)
	}
	for _, dims := range [][4]int{{s.N, s.H, s.W, s.C}, {s.N, s.OutH(), s.OutW(), s.Co}, {s.KH, s.KW, s.C, s.Co}} {
		size := 1
		for _, d := range dims {
			if d > maxFloats/size {
				return fmt.Errorf("kernel: conv tensor %v has more than %d floats", dims, maxFloats)
			}
			size *= d
		}
	}
	return nil
}

// Check reports, besides an impossible geometry, every operand whose length does
// not fit it. A nil operand is not looked at.
func (s Conv) Check(x, w, y []float32) error {
	if err := s.Validate(); err != nil {
		return err
	}
	var errs []error
	check := func(name string, v []float32, dims [4]int) {
		if need := dims[0] * dims[1] * dims[2] * dims[3]; v != nil && len(v) != need {
			errs = append(errs, fmt.Errorf("kernel: %v: %s has %d floats, its shape %v needs %d", s, name, len(v), dims, need))
		}
	}
	check("x", x, [4]int{s.N, s.H, s.W, s.C})
	check("w", w, [4]int{s.KH, s.KW, s.C, s.Co})
	check("y", y, [4]int{s.N, s.OutH(), s.OutW(), s.Co})
	return errors.Join(errs...)
}

func (s Conv) must(op string, x, w, y []float32, ep Epilogue, columns int) {
	if x == nil {
		x = []float32{}
	}
	if w == nil {
		w = []float32{}
	}
	if y == nil {
		y = []float32{}
	}
	if err := s.Check(x, w, y); err != nil {
		panic(fmt.Errorf("%s: %w", op, err))
	}
	if err := ep.check(op, columns); err != nil {
		panic(err)
	}
}

// ConvForward computes y from x and w. Bias and activation of ep act per output
// channel (Co).
func ConvForward(s Conv, x, w, y []float32, ep Epilogue) {
	s.must("ConvForward", x, w, y, ep, s.Co)
	current().forward(s, x, w, y, ep)
}

// ConvBackData computes dx, the gradient of x, from dy and w; read the other way,
// it is the forward pass of a transposed convolution from dy to dx. Bias and
// activation of ep act per channel of x (C).
func ConvBackData(s Conv, dy, w, dx []float32, ep Epilogue) {
	s.must("ConvBackData", dx, w, dy, ep, s.C)
	current().backData(s, dy, w, dx, ep)
}

// ConvBackWeights computes dw, the gradient of the weights, from x and dy. With
// accumulate it adds to dw. For a transposed layer pass the gradient of its
// output as x and its input as dy.
func ConvBackWeights(s Conv, x, dy, dw []float32, accumulate bool) {
	s.must("ConvBackWeights", x, dw, dy, Epilogue{}, 0)
	current().backWeights(s, x, dy, dw, accumulate)
}
