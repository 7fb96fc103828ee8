package benchmark

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"wavemill/models/nn"
	"wavemill/models/nn/kernel"
)

// Work is something to be timed.
type Work struct {
	Name  string
	FLOPs float64      // nominal floating-point operations of the convolutions and products of one Step
	Step  func() error // does the work once
	Bytes int          // memory of intermediate values
}

// Names returns the names of the work, in the order of the peer script.
func Names() []string {
	return []string{"discriminator-step", "gan-step", "vae-step", "generator-b1", "generator-b8", "generator-b64"}
}

// New prepares the work of that name at the comparison's size: batch 64 for the steps.
func New(name string) (*Work, error) {
	switch name {
	case "discriminator-step":
		return DiscriminatorStep(Default(), 64)
	case "gan-step":
		return GANStep(Default(), 64)
	case "vae-step":
		return VAEStep(Default(), 64)
	case "generator-b1", "generator-b8", "generator-b64":
		var batch int
		if _, err := fmt.Sscanf(name, "generator-b%d", &batch); err != nil {
			return nil, err
		}
		return Inference(Default(), batch)
	}
	return nil, fmt.Errorf("reference: no work is named %q; there are %v", name, Names())
}

// seed of everything random here; its value does not matter.
const seed = 1

func random(n int) []float32 {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = rng.Float32()*2 - 1
	}
	return x
}

func labels(n int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = i % Classes
	}
	return ids
}

func adam(p *nn.Params, rate, beta1 float64) *nn.Adam {
	return nn.NewAdam(p, nn.AdamConfig{Schedule: nn.Schedule{Rate: rate}, Beta1: beta1})
}

// DiscriminatorStep is one step on one batch of real images: forward, binary cross-entropy, backward,
// Adam.
func DiscriminatorStep(s Size, batch int) (*Work, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	p := nn.NewParams(seed)
	n := nn.NewGraph(nn.Train, p)
	logit := s.Discriminator(n, n.Input("x", batch, s.Image, s.Image, 1), 1)
	m, err := n.Compile(nn.Minimise(n.Loss("loss", n.BCEWithLogits(logit, n.Input("one", 1)))))
	if err != nil {
		return nil, err
	}
	opt := adam(p, 2e-4, 0.5)
	x := random(batch * s.Image * s.Image)
	feeds := []nn.Feed{nn.Values("x", x), nn.Scalar("one", 1)}
	return &Work{Name: "discriminator-step", FLOPs: s.discriminator(batch, 1).step(), Bytes: m.Bytes(), Step: func() error {
		if err := m.Run(feeds...); err != nil {
			return err
		}
		return opt.Step(m)
	}}, nil
}

// GANStep is a step of the discriminator on a batch of real and one of generated images, then one of
// the generator through the frozen discriminator (non-saturating).
func GANStep(s Size, batch int) (*Work, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	dp, gp := nn.NewParams(seed), nn.NewParams(seed+1)
	arena := new(nn.Arena)

	// The generator alone makes the fakes; its running statistics move, as in any training pass.
	n := nn.NewGraph(nn.Train, gp)
	n.Output("image", s.Generator(n, n.NormalNoise("z", batch, Latent), n.Input("label", batch)))
	fake, err := n.Compile(nn.In(arena))
	if err != nil {
		return nil, err
	}

	// The discriminator has no batch norm: real and fake can share a batch. A mean over both halves,
	// doubled, is the sum of the means.
	n = nn.NewGraph(nn.Train, dp)
	logit := s.Discriminator(n, n.Input("x", 2*batch, s.Image, s.Image, 1), 1)
	d, err := n.Compile(nn.In(arena), nn.Minimise(n.Loss("loss", n.Scale(n.BCEWithLogits(logit, n.Input("target", 2*batch, 1)), 2))))
	if err != nil {
		return nil, err
	}

	n = nn.NewGraph(nn.Train, gp)
	image := s.Generator(n, n.NormalNoise("z", batch, Latent), n.Input("label", batch))
	logit = s.Discriminator(n.With(dp).Frozen(), image, 1)
	g, err := n.Compile(nn.In(arena), nn.Minimise(n.Loss("loss", n.BCEWithLogits(logit, n.Input("one", 1)))))
	if err != nil {
		return nil, err
	}

	od, og := adam(dp, 2e-4, 0.5), adam(gp, 2e-4, 0.5)
	pixels := batch * s.Image * s.Image
	real, ids := random(pixels), labels(batch)
	target := make([]float32, 2*batch)
	for i := range batch {
		target[i] = 1
	}
	copy(d.Input("target"), target)
	rng := rand.New(rand.NewPCG(seed, seed))
	dflops, gflops := s.discriminator(batch, 1), s.generator(batch, Latent)
	total := gflops.forward() + 2*dflops.step() + gflops.step() + dflops.forward() + dflops.backData()
	return &Work{Name: "gan-step", FLOPs: total, Bytes: arena.Bytes(), Step: func() error {
		if err := fake.Run(nn.Labels("label", ids), nn.Seed(rng.Uint64())); err != nil {
			return err
		}
		x := d.Input("x")
		copy(x[:pixels], real)
		copy(x[pixels:], fake.Output("image"))
		if err := d.Run(); err != nil {
			return err
		}
		if err := od.Step(d); err != nil {
			return err
		}
		if err := g.Run(nn.Labels("label", ids), nn.Scalar("one", 1), nn.Seed(rng.Uint64())); err != nil {
			return err
		}
		return og.Step(g)
	}}, nil
}

// VAEStep is one step of a variational autoencoder: half the squared error summed over pixels, and the
// KL divergence.
func VAEStep(s Size, batch int) (*Work, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	p := nn.NewParams(seed)
	n := nn.NewGraph(nn.Train, p)
	x := n.Input("x", batch, s.Image, s.Image, 1)
	q := n.Split(s.Discriminator(n.Scope("encoder"), x, 2*VAELatent), 2) // mean and log variance [B, 32]
	z := n.Reparameterise(q[0], q[1], n.NormalNoise("eps", batch, VAELatent))
	y := s.Generator(n.Scope("decoder"), z, n.Input("label", batch)) // [B, 64, 64, 1]
	rec := n.Loss("recon", n.Scale(n.MSE(y, x), float64(s.Image*s.Image)/2))
	kl := n.Loss("kl", n.KL(q[0], q[1], 0))
	m, err := n.Compile(nn.Minimise(n.Loss("loss", n.Add(rec, kl))))
	if err != nil {
		return nil, err
	}
	opt := adam(p, 1e-3, 0.9)
	data, ids := random(batch*s.Image*s.Image), labels(batch)
	rng := rand.New(rand.NewPCG(seed, seed))
	// The decoder's first product needs its input's gradient too, which step leaves out.
	dec := s.generator(batch, VAELatent)
	total := s.discriminator(batch, 2*VAELatent).step() + dec.step() + dec[0]
	return &Work{Name: "vae-step", FLOPs: total, Bytes: m.Bytes(), Step: func() error {
		if err := m.Run(nn.Values("x", data), nn.Labels("label", ids), nn.Seed(rng.Uint64())); err != nil {
			return err
		}
		return opt.Step(m)
	}}, nil
}

// Inference generates one batch of images in evaluation mode.
func Inference(s Size, batch int) (*Work, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	q, err := nn.NewPredictor(nn.NewParams(seed), func(n *nn.Graph, b int) {
		n.Output("image", s.Generator(n, n.Input("z", b, Latent), n.Input("label", b)))
	})
	if err != nil {
		return nil, err
	}
	feeds := []nn.Feed{nn.Values("z", random(batch*Latent)), nn.Labels("label", labels(batch))}
	use := func(*nn.Machine) error { return nil }
	return &Work{Name: fmt.Sprintf("generator-b%d", batch), FLOPs: s.generator(batch, Latent).forward(), Step: func() error {
		return q.Run(batch, use, feeds...)
	}}, nil
}

// flops are the operations of a network's linear layers in a forward pass, in order. Each of the two
// gradients of a layer costs the same.
type flops []float64

func (f flops) forward() float64 {
	total := 0.0
	for _, v := range f {
		total += v
	}
	return total
}

// backData is the cost of the gradient of the network's input, step that of a forward pass and all
// gradients but that of the input.
func (f flops) backData() float64 { return f.forward() }
func (f flops) step() float64     { return 3*f.forward() - f[0] }

func (s Size) convs(batch int) flops {
	var f flops
	in, side := 1, s.Image
	for out := s.Channels; len(f) < 4; out *= 2 {
		f = append(f, kernel.Conv{N: batch, H: side, W: side, C: in, Co: out, KH: 4, KW: 4, Stride: 2, Pad: 1}.FLOPs())
		in, side = out, side/2
	}
	return f
}

func (s Size) deepest() int { return s.Image / 16 * (s.Image / 16) * 8 * s.Channels }

func (s Size) discriminator(batch, outputs int) flops {
	return append(s.convs(batch), 2*float64(batch*s.deepest()*outputs))
}

func (s Size) generator(batch, latent int) flops {
	f := append(s.convs(batch), 2*float64(batch*s.deepest()*(latent+Embedding)))
	slices.Reverse(f)
	return f
}
