package kernel

import (
	"math"
	"strings"
	"testing"
)

func TestConvValidate(t *testing.T) {
	good := Conv{N: 2, H: 8, W: 8, C: 3, Co: 4, KH: 4, KW: 4, Stride: 2, Pad: 1}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*Conv)
		want   string
	}{
		{func(s *Conv) { s.N = 0 }, "input [0,8,8,3], weights [4,4,3,4]: every size"},
		{func(s *Conv) { s.KH = 65 }, "kernel 65x4"},
		{func(s *Conv) { s.Stride = 0 }, "stride 0"},
		{func(s *Conv) { s.Pad = 4 }, "padding 4 with kernel 4x4"},
		{func(s *Conv) { s.H, s.Pad = 3, 0 }, "kernel 4x4 is larger than the input [2,3,8,3]"},
		{func(s *Conv) { s.N = math.MaxInt }, "more than"},
	} {
		s := good
		c.change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", s, err, c.want)
		}
	}
}

// TestShortSlices holds the operations to a panic that names the shapes, before
// they have written anything.
func TestShortSlices(t *testing.T) {
	s := Conv{N: 1, H: 4, W: 4, C: 2, Co: 3, KH: 3, KW: 3, Stride: 1, Pad: 1}
	x, w, y := make([]float32, s.InSize()), make([]float32, s.WeightSize()), make([]float32, s.OutSize())
	v := make([]float32, 8)
	for _, c := range []struct {
		f    func()
		want string
	}{
		{func() { ConvForward(s, x[1:], w, y, Epilogue{}) }, "x has 31 floats, its shape [1 4 4 2] needs 32"},
		{func() { ConvBackData(s, y, w[1:], x, Epilogue{}) }, "w has 53 floats"},
		{func() { ConvBackWeights(s, x, nil, w, false) }, "y has 0 floats"},
		{func() { ConvForward(s, x, w, y, Epilogue{Bias: w[:2]}) }, "bias has 2 values, the output 3 columns"},
		{func() { Gemm(false, false, 2, 2, 2, v[:3], 2, v, 2, v, 2, Epilogue{}) }, "A is 2×2 with row stride 2 and needs 4 floats, got 3"},
		{func() { Gemm(false, true, 2, 4, 2, v, 2, v, 1, v, 4, Epilogue{}) }, "B is 4×2 but its row stride is 1"},
		{func() { Add(v, v[:3], v) }, "slices of 8 and 3 floats"},
		{func() { SumColumns(v[:3], v, false) }, "8 floats are no [rows, 3] matrix"},
		{func() { ActGrad(ActSiLU, 0, v, v, v) }, "silu"},
		{func() { NormGrad(v, v, v, v, v, nil, nil, ActTanh, 0) }, "not piecewise linear"},
	} {
		func() {
			defer func() {
				err, _ := recover().(error)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("panic %v, want %q", err, c.want)
				}
			}()
			c.f()
		}()
	}
}
