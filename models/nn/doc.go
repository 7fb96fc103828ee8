// Package nn builds and trains neural networks on the CPU.
//
// A network is written as a table, one line a layer, on a [Graph]:
//
//	p := nn.NewParams(seed)
//	n := nn.NewGraph(nn.Train, p)
//	x := n.Input("x", batch, 64, 64, 1)                                              // [B, 64, 64, 1]
//	h := n.Conv("conv1", x, 32, nn.Kernel(4), nn.Stride(2), nn.LeakyReLU(0.2))       // [B, 32, 32, 32]
//	h = n.Conv("conv2", h, 64, nn.Kernel(4), nn.Stride(2), nn.LeakyReLU(0.2))        // [B, 16, 16, 64]
//	logit := n.Dense("logit", n.Flatten(h), 1)                                       // [B, 1]
//	loss := n.Loss("loss", n.BCEWithLogits(logit, n.Input("target", batch, 1)))      // [1]
//	m, err := n.Compile(nn.Minimise(loss))
//
// and trained by running the machine and stepping an optimiser over the parameters:
//
//	err = m.Run(nn.Values("x", data), nn.Values("target", ones))
//	err = optimiser.Step(m)
//
// # Graph and machine
//
// Every layer becomes one or a few nodes of a Gorgonia expression graph whose operations implement
// gorgonia.Op and gorgonia.SDOp: Gorgonia checks element types and numbers of axes, and each layer
// checks its shapes when it is added. Package nn walks the graph backwards and builds the gradients
// symbolically by asking each operation for its SymDiff. Compile then orders the nodes, plans the
// memory of every intermediate value, and binds the operations to it, so that a run calls one
// function per operation and allocates nothing. Gorgonia's own TapeMachine runs the same graphs to
// the same bytes; it is not used because it allocates about a dozen objects per instruction, drops
// its registers on every Reset, and runs operations in a goroutine whose panic ends the process.
//
// # Conventions
//
// Values are float32 and row-major. Images are NHWC: [batch, height, width, channels]. Convolution
// weights are [KH, KW, C, Co], those of transposed convolutions [KH, KW, Co, C], dense ones
// [in, out]. Losses have shape [1].
//
// Mistakes in the construction of a graph do not panic: the first one is kept, names the layer and
// the shapes involved, and is returned by [Graph.Err] and [Graph.Compile]; everything built after it
// is ignored.
//
// Everything random is seeded: initial weights by the seed of their [Params] and their name (so the
// order of construction does not matter), noise and dropout by the [Seed] of the run. Results do not
// depend on the number of threads.
//
// # Sharing
//
// [Params] hold the weights, running statistics and power-iteration vectors by name. Every graph
// built on the same Params uses the same memory, without copies: a training graph, an evaluation
// graph, inference graphs of several batch sizes, a discriminator on its own and, frozen, behind a
// generator. Machines may run concurrently as long as none of them writes what another reads: a
// training machine updates running statistics, and an optimiser writes weights.
package nn
