package kernel_test

import (
	"fmt"

	"wavemill/models/nn/kernel"
)

// A layer of two pixels by three inputs and two outputs, with its bias and
// activation.
func ExampleGemm() {
	x := []float32{1, 2, 3, 4, 5, 6}
	w := []float32{1, 0, 0, 1, 1, -2}
	y := make([]float32, 4)
	kernel.Gemm(false, false, 2, 2, 3, x, 3, w, 2, y, 2, kernel.Epilogue{
		Bias: []float32{0.5, 0}, Act: kernel.ActLeakyReLU, Slope: 0.25,
	})
	fmt.Println(y)
	// Output: [4.5 -1 10.5 -1.75]
}

// A transposed convolution doubles an image: four pixels of one channel, each
// spread over a block of two by two.
func ExampleConvBackData() {
	s := kernel.Conv{N: 1, H: 4, W: 4, C: 1, Co: 1, KH: 2, KW: 2, Stride: 2} // 2x2 pixels become 4x4
	y := make([]float32, s.InSize())
	kernel.ConvBackData(s, []float32{1, 2, 3, 4}, []float32{1, 10, 100, 1000}, y, kernel.Epilogue{})
	fmt.Println(s.H, s.W, y)
	// Output: 4 4 [1 10 2 20 100 1000 200 2000 3 30 4 40 300 3000 400 4000]
}
