package predict_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"wavemill/models/internal/predict"
	"wavemill/models/nn"
)

func TestAppend(t *testing.T) {
	p, err := nn.NewPredictor(nn.NewParams(1), func(n *nn.Graph, batch int) {
		n.Output("y", n.Scale(n.Input("x", batch, 1), 2))
	}, 4)
	if err != nil {
		t.Fatal(err)
	}
	x := []float32{0, 1, 2, 3, 4, 5}
	feeds := func(lo, hi int) []nn.Feed { return []nn.Feed{nn.Values("x", x[lo:hi])} }
	if y, err := predict.Append(t.Context(), p, []float32{-1}, "y", len(x), feeds); err != nil || !slices.Equal(y, []float32{-1, 0, 2, 4, 6, 8, 10}) {
		t.Errorf("%v, error %v", y, err)
	}
	if y, err := predict.Append(t.Context(), p, nil, "y", 0, feeds); err != nil || len(y) > 0 {
		t.Errorf("no clips: %v, error %v", y, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := predict.Append(ctx, p, nil, "y", len(x), feeds); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	wrong := func(_, _ int) []nn.Feed { return []nn.Feed{nn.Values("x", x)} }
	if _, err := predict.Append(t.Context(), p, nil, "y", len(x), wrong); err == nil {
		t.Error("a feed of the wrong size: no error")
	}
}
