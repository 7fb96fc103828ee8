package onnx_test

import (
	"fmt"

	"wavemill/models/nn"
	"wavemill/models/onnx"
)

// A small decoder, as another program sees it.
func Example() {
	w := nn.Network{
		Name: "generator", Doc: "Images from latents.", Params: nn.NewParams(1),
		Build: func(n *nn.Graph, batch int) {
			h := n.Dense("expand", n.Input("z", batch, 8), 4*4*4, nn.ReLU())     // [B, 64]
			h = n.Reshape(h, batch, 4, 4, 4)                                     // [B, 4, 4, 4]
			n.Output("image", n.PixelShuffle(n.Conv("out", h, 4, nn.Tanh()), 2)) // [B, 8, 8, 1]
		},
		Inputs:  []nn.Port{{Graph: "z", Name: "latents"}},
		Outputs: []nn.Port{{Graph: "image", Name: "images", Squeeze: true}},
	}
	file, err := onnx.Encode(w, onnx.Info{Version: "v1.0.0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := onnx.Ports(w)
	fmt.Println(s.Inputs, s.Outputs, err)
	fmt.Println(len(file) > 4*w.Params.Count())
	// Output:
	// [{latents float32 [-1 8]}] [{images float32 [-1 8 8]}] <nil>
	// true
}
