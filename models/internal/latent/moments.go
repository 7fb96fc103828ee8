package latent

// Observe takes a batch's latents z [B, Z] into running means and variances, [Z] each. seen is the number of batches in them
// so far, at most 1/memory, and Observe returns the new one; a batch has the weight memory or, in the beginning, one share
// of the batches so far.
func Observe(mean, variance []float32, seen float32, memory float64, z []float32) float32 {
	width := len(mean)
	n := float64(len(z) / width)
	rate := max(1/float64(seen+1), memory)
	for j := range width {
		var m1, square float64
		for i := j; i < len(z); i += width {
			m1 += float64(z[i]) / n
		}
		m := float64(mean[j]) + rate*(m1-float64(mean[j]))
		for i := j; i < len(z); i += width {
			square += (float64(z[i]) - m) * (float64(z[i]) - m) / n
		}
		mean[j] = float32(m)
		variance[j] = float32(float64(variance[j]) + rate*(square-float64(variance[j])))
	}
	return min(seen+1, float32(1/memory))
}
