package audio

// lanes is how many filters a kernel applies at once.
const lanes = 16

// fir is a kernel that applies sixteen filters to several windows of a signal: many(acc, h, x,
// stride, n) sets acc[j][i], for j below windows, to the sum over u of h[u][i]*x[j*stride+u]; one
// does the same for a single window, with the same bits.
type fir struct {
	name      string
	windows   int
	many, one func(acc, h, x *float32, stride, n int)
}

// maxWindows is the largest fir.windows.
const maxWindows = 8

// filterBank is a phaseTable laid out for a fir. The outputs repeat their phases with a period; a
// period is cut into groups of sixteen consecutive outputs, which share one window of the input.
type filterBank struct {
	kernel   fir
	up, down int       // Outputs and inputs of a period.
	width    int       // Samples of a window, even.
	starts   []int     // Where each group's window starts, relative to the period's first input.
	taps     []float32 // [groups][width][lanes]
}

// newFilterBank lays out an exact table for the ratio up/down, nil when there is no kernel.
func newFilterBank(t *phaseTable, up, down int, kernels []fir) *filterBank {
	if len(kernels) == 0 || !t.exact {
		return nil
	}
	// Several periods in one fill the last group, where the ratio leaves it nearly empty.
	repeat := 1
	if up < 8*lanes {
		repeat = lanes / gcd(up, lanes)
	}
	b := &filterBank{kernel: kernels[0], up: up * repeat, down: down * repeat}
	groups := (b.up + lanes - 1) / lanes
	b.width = t.taps + (lanes-1)*down/up + 1
	b.width += b.width & 1
	b.taps = make([]float32, groups*b.width*lanes)
	for g := range groups {
		first := g * lanes * down / up
		b.starts = append(b.starts, first-t.half+1)
		h := b.taps[g*b.width*lanes:]
		for i := range lanes {
			k := g*lanes + i
			if k >= b.up {
				break
			}
			shift := k*down/up - first
			for u, v := range t.row(k * down % up) {
				h[(u+shift)*lanes+i] = v
			}
		}
	}
	return b
}

// run computes len(dst) outputs from output k on. x[0] is input sample origin; what lies outside x
// is zero. An output's bits do not depend on which others are asked for.
func (b *filterBank) run(dst, x []float32, origin, k int) {
	var acc [maxWindows * lanes]float32
	edge := make([]float32, b.width)
	first, last := k/b.up, (k+len(dst)-1)/b.up
	for j := first; j <= last; {
		n := 1
		if j+b.kernel.windows <= last+1 {
			n = b.kernel.windows
		}
		for g, start := range b.starts {
			at := j*b.down + start - origin
			if at >= 0 && at+(n-1)*b.down+b.width <= len(x) {
				b.apply(acc[:n*lanes], x[at:], g)
			} else {
				for w := range n {
					window(edge, x, at+w*b.down)
					b.apply(acc[w*lanes:(w+1)*lanes], edge, g)
				}
			}
			for w := range n {
				b.store(dst, acc[w*lanes:(w+1)*lanes], (j+w)*b.up-k, g)
			}
		}
		j += n
	}
}

// segment is how many products a kernel adds up in a row. Longer filters are summed in segments,
// which keeps the rounding noise of float32 below -130 dB.
const segment = 1024

// apply filters the windows that fill acc, the first of which starts at x[0].
func (b *filterBank) apply(acc, x []float32, group int) {
	kernel := b.kernel.one
	if len(acc) > lanes {
		kernel = b.kernel.many
	}
	h := b.taps[group*b.width*lanes:]
	kernel(&acc[0], &h[0], &x[0], b.down, min(segment, b.width))
	for u := segment; u < b.width; u += segment {
		var part [maxWindows * lanes]float32
		kernel(&part[0], &h[u*lanes], &x[u], b.down, min(segment, b.width-u))
		for i := range acc {
			acc[i] += part[i]
		}
	}
}

// store copies a group's outputs to where they belong, those that were asked for. base is where the
// period begins in dst.
func (b *filterBank) store(dst, out []float32, base, group int) {
	at := base + group*lanes
	out = out[:min(lanes, b.up-group*lanes)]
	if at < 0 {
		if -at >= len(out) {
			return
		}
		out, at = out[-at:], 0
	}
	if at < len(dst) {
		copy(dst[at:], out)
	}
}

// window copies what of x lies from at on, with zeros where there is nothing.
func window(dst, x []float32, at int) {
	clear(dst)
	from := max(0, at)
	if to := min(len(x), at+len(dst)); from < to {
		copy(dst[from-at:], x[from:to])
	}
}

// dotGo is the portable dot product. Eight partial sums keep the rounding noise of long filters low.
func dotGo(a, b []float32) float32 {
	var s [8]float32
	b = b[:len(a)]
	i := 0
	for ; i+8 <= len(a); i += 8 {
		x, y := a[i:i+8:i+8], b[i:i+8:i+8]
		for j := range s {
			s[j] += x[j] * y[j]
		}
	}
	for ; i < len(a); i++ {
		s[0] += a[i] * b[i]
	}
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}
