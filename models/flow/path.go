package flow

import "math"

// timeOctaves is the number of frequencies of the time features, besides the time itself.
const timeOctaves = 5

const timeWidth = 2*timeOctaves + 1

// timeFeatures appends timeWidth functions of a time between 0 and 1 to dst.
func timeFeatures(dst []float32, t float64) []float32 {
	dst = append(dst, float32(t))
	for i := range timeOctaves {
		sin, cos := math.Sincos(math.Pi * t * float64(int(1)<<i))
		dst = append(dst, float32(sin), float32(cos))
	}
	return dst
}

// ends returns the two factors from which the end of a path is predicted: z = keep x + change f, where x = (1-t) noise + t z
// is the point at time t and f the network's output. keep x is the best linear estimate of standardised latents, and the
// factors give f a variance of 1 at all times: the preconditioning of Karras et al. 2022 for a straight path. A squared
// error of f weighs that of z by 1/change².
//
// The network predicts the end of the path, not the velocity, because silence is a constant in standardised latents: the end
// is then known long before the path is over, and the velocity is not (Flow2GAN, arXiv 2512.23278).
func ends(t float64) (keep, change float64) {
	d := t*t + (1-t)*(1-t)
	return t / d, (1 - t) / math.Sqrt(d)
}

// target returns the output of the network that predicts the end z of a path from noise exactly, at time t.
func target(t, noise, z float64) float64 {
	return ((1-t)*z - t*noise) / math.Sqrt(t*t+(1-t)*(1-t))
}

// advance returns the two factors of a step from time t to the next: x' = keep x + change f. It moves the point along the
// line to the predicted end; a step to time 1 reaches it.
func advance(t, next float64) (keep, change float64) {
	r := (next - t) / (1 - t)
	a, b := ends(t)
	return 1 - r + r*a, r * b
}

// timeDeviation is the deviation of the logarithm of t/(1-t) of the times that are learnt from (Esser et al. 2024, there
// 1): wide enough that the times near 0, where a path begins, are learnt too.
const timeDeviation = 1.4

// timeOf returns the time of a normally distributed number.
func timeOf(normal float64) float64 { return 1 / (1 + math.Exp(-timeDeviation*normal)) }
