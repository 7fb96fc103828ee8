package nn

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// fans are the numbers of values that flow into one output and out of one input of a weight.
type fans struct{ in, out int }

// An Init fills a new parameter. It gets the shape, the layer's fan-in and fan-out, and a random
// generator that is seeded by the network's seed and the parameter's name.
type Init func(w []float32, shape []int, fan fans, rng *rand.Rand)

func newInitRand(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Normal draws from a normal distribution of the given standard deviation and mean 0.
func Normal(sd float64) Init {
	return func(w []float32, _ []int, _ fans, rng *rand.Rand) {
		for i := range w {
			w[i] = float32(sd * rng.NormFloat64())
		}
	}
}

// he draws from a normal distribution that keeps the variance of a signal through a layer followed by
// a leaky ReLU of the given slope (0 for ReLU, 1 for none): sd = sqrt(2 / ((1 + slope²) fan-in)).
// Source: He et al., Delving Deep into Rectifiers, 2015.
func he(slope float64) Init {
	return func(w []float32, shape []int, fan fans, rng *rand.Rand) {
		Normal(math.Sqrt(2/((1+slope*slope)*float64(fan.in))))(w, shape, fan, rng)
	}
}

// glorot draws uniformly from ±sqrt(6 / (fan-in + fan-out)), for layers followed by tanh or nothing.
// Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
// networks, 2010.
func glorot() Init {
	return func(w []float32, _ []int, fan fans, rng *rand.Rand) {
		a := math.Sqrt(6 / float64(fan.in+fan.out))
		for i := range w {
			w[i] = float32(a * (2*rng.Float64() - 1))
		}
	}
}

// Orthogonal makes the columns (the last axis) orthogonal with the given norm; where there are more
// columns than rows, the rows. Source: Saxe et al., Exact solutions to the nonlinear dynamics of
// learning in deep linear neural networks, 2014.
func Orthogonal(gain float64) Init {
	return func(w []float32, shape []int, _ fans, rng *rand.Rand) {
		cols := shape[len(shape)-1]
		rows := len(w) / cols
		vectors, length := cols, rows
		if cols > rows {
			vectors, length = rows, cols
		}
		at := func(v, i int) int { // element i of vector v
			if cols > rows {
				return v*cols + i
			}
			return i*cols + v
		}
		q := make([][]float64, vectors)
		for v := range q {
			q[v] = make([]float64, length)
			for norm := 0.0; norm < 1e-6; { // Gram-Schmidt, again in the unlikely case of a dependent draw
				for i := range q[v] {
					q[v][i] = rng.NormFloat64()
				}
				for range 2 { // twice is enough
					for _, u := range q[:v] {
						dot := 0.0
						for i := range u {
							dot += u[i] * q[v][i]
						}
						for i := range u {
							q[v][i] -= dot * u[i]
						}
					}
				}
				norm = 0
				for _, x := range q[v] {
					norm += x * x
				}
				norm = math.Sqrt(norm)
				for i := range q[v] {
					q[v][i] /= norm
				}
			}
			for i, x := range q[v] {
				w[at(v, i)] = float32(gain * x)
			}
		}
	}
}

// Constant sets every value to v.
func Constant(v float64) Init {
	return func(w []float32, _ []int, _ fans, _ *rand.Rand) {
		for i := range w {
			w[i] = float32(v)
		}
	}
}

// Identity makes a 1-D state vector a unit vector drawn at random, as power iteration wants it.
func unitVector(w []float32, _ []int, _ fans, rng *rand.Rand) {
	norm := 0.0
	for i := range w {
		x := rng.NormFloat64()
		w[i] = float32(x)
		norm += x * x
	}
	norm = math.Sqrt(norm) + 1e-12
	for i := range w {
		w[i] = float32(float64(w[i]) / norm)
	}
}
