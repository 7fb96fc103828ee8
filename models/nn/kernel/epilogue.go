package kernel

import "fmt"

// Act names an activation function.
type Act uint8

// The activations. Slope is the slope below zero of the leaky ReLU.
const (
	ActNone      Act = iota // y = z
	ActLeakyReLU            // y = z for z > 0, else Slope*z
	ActReLU                 // y = max(z, 0)
	ActTanh                 // y = tanh(z)
	ActSigmoid              // y = 1/(1+exp(-z))
	ActSiLU                 // y = z/(1+exp(-z)), also called swish
)

// String returns the activation's usual name.
func (a Act) String() string {
	switch a {
	case ActNone:
		return "none"
	case ActLeakyReLU:
		return "leaky-relu"
	case ActReLU:
		return "relu"
	case ActTanh:
		return "tanh"
	case ActSigmoid:
		return "sigmoid"
	case ActSiLU:
		return "silu"
	}
	return fmt.Sprintf("activation %d", uint8(a))
}

// FromOutput reports whether the derivative of a can be had from its output
// alone, as ActGrad takes it. It is false for SiLU only.
func (a Act) FromOutput() bool { return a != ActSiLU }

// Epilogue is what happens to a sum before it is stored:
//
//	c = act(sum + c*[Accumulate] + Bias[column])
//
// It costs next to nothing, because the sums are still in registers (tanh,
// sigmoid and SiLU take a pass of their own). The zero value stores the sum.
type Epilogue struct {
	Bias       []float32 // one value per output column or channel; nil adds none
	Accumulate bool      // add to what the destination holds
	Act        Act
	Slope      float32 // slope below zero of ActLeakyReLU
}

func (ep Epilogue) check(op string, columns int) error {
	if ep.Bias != nil && len(ep.Bias) != columns {
		return fmt.Errorf("kernel: %s: bias has %d values, the output %d columns", op, len(ep.Bias), columns)
	}
	if ep.Act > ActSiLU {
		return fmt.Errorf("kernel: %s: unknown %v", op, ep.Act)
	}
	return nil
}
