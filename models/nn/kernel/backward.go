package kernel

// ConvBackward is the whole backward pass of a layer y = act(conv(x, w) + bias):
// from y and the gradient dy of y it computes the gradients of the input (dx),
// of the weights (dw) and of the bias (db). A nil dx, dw or db is not computed.
// With accumulate dw and db are added to; dx is always overwritten. The
// activation must be one whose derivative follows from its output
// (Act.FromOutput). dy is left as it is; dx may not overlap dy or y.
func ConvBackward(s Conv, x, w, y, dy []float32, act Act, slope float32, dx, dw, db []float32, accumulate bool) {
	dz, buf := gradBeforeAct(act, slope, dy, y, db, accumulate)
	defer scratch.put(buf)
	if dw != nil {
		ConvBackWeights(s, x, dz, dw, accumulate)
	}
	if dx != nil {
		ConvBackData(s, dz, w, dx, Epilogue{})
	}
}

// TransposedBackward is the whole backward pass of a transposed layer
// y = act(transposed conv(x, w) + bias), where s is the geometry of
// the convolution that it transposes: x is [N, OutH, OutW, Co], y and dy are
// [N, H, W, C], the bias has C values. Otherwise it is as ConvBackward.
func TransposedBackward(s Conv, x, w, y, dy []float32, act Act, slope float32, dx, dw, db []float32, accumulate bool) {
	dz, buf := gradBeforeAct(act, slope, dy, y, db, accumulate)
	defer scratch.put(buf)
	if dw != nil {
		ConvBackWeights(s, dz, x, dw, accumulate)
	}
	if dx != nil {
		ConvForward(s, dz, w, dx, Epilogue{})
	}
}

// gradBeforeAct returns the gradient before the activation, and the buffer that
// is to be put back, if it needed one. It sums the gradient per channel into db
// unless that is nil.
func gradBeforeAct(act Act, slope float32, dy, y, db []float32, accumulate bool) (dz, buf []float32) {
	if act == ActNone {
		if db != nil {
			SumColumns(db, dy, accumulate)
		}
		return dy, nil
	}
	dz = scratch.get(len(dy))
	if db != nil {
		ActGradSums(act, slope, dz, dy, y, db, accumulate)
	} else {
		ActGrad(act, slope, dz, dy, y)
	}
	return dz, dz
}
