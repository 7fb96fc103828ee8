package modeltest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/modeltest"
	"wavemill/models/nn"
)

// The suite is run on a small conditional autoencoder that passes, and on versions of it that each break
// one promise.

const (
	batch  = 6
	frames = 8
	bins   = 8
	latent = 3
	labels = 3
)

// flaw is what is wrong with an autoencoder; the zero value is a sound one.
type flaw string

type autoencoder struct {
	flaw  flaw
	p     *nn.Params
	train *nn.Machine
	eval  *nn.Machine
	opt   *nn.Adam
	leak  [][]float32
	steps int
}

func network(n *nn.Graph) *nn.Tensor {
	x := n.Input("x", batch, frames, bins, 1)
	h := n.Conv("enc1", x, 8, nn.Kernel(4), nn.Stride(2), nn.LeakyReLU(0.2))                 // [B, 4, 4, 8]
	h = n.Conv("enc2", h, 16, nn.Kernel(4), nn.Stride(2), nn.BatchNorm(), nn.LeakyReLU(0.2)) // [B, 2, 2, 16]
	mean, logVar := n.Dense("mean", h, latent), n.Dense("variance", h, latent)               // [B, Z]
	eps := n.Input("eps", batch, latent)
	y := decode(n, n.Reparameterise(mean, logVar, eps), batch)
	rec := n.Loss("recon", n.MSE(y, x))
	kl := n.Loss("kl", n.KL(mean, logVar, 0))
	return n.Loss("loss", n.Add(rec, n.Scale(kl, 1e-3)))
}

func decode(n *nn.Graph, z *nn.Tensor, b int) *nn.Tensor {
	c := n.Embedding("label", n.Input("label", b), labels, 4)
	h := n.Dense("dec0", n.Concat(z, c), 2*2*16, nn.LeakyReLU(0.2))
	h = n.Reshape(h, b, 2, 2, 16)
	h = n.ConvTranspose("dec1", h, 8, nn.Kernel(4), nn.Stride(2), nn.BatchNorm(), nn.LeakyReLU(0.2)) // [B, 4, 4, 8]
	return n.ConvTranspose("dec2", h, 1, nn.Kernel(4), nn.Stride(2), nn.Tanh())                      // [B, 8, 8, 1]
}

func newAutoencoder(f flaw) func(seed uint64) (models.Learner, error) {
	return func(seed uint64) (models.Learner, error) {
		if f == "ignores the seed" {
			seed = 1
		}
		a := &autoencoder{flaw: f, p: nn.NewParams(seed)}
		n := nn.NewGraph(nn.Train, a.p)
		var err error
		if a.train, err = n.Compile(nn.Minimise(network(n))); err != nil {
			return nil, err
		}
		e := nn.NewGraph(nn.Eval, a.p)
		if f == "eval moves the statistics" {
			e = nn.NewGraph(nn.Train, a.p)
		}
		network(e)
		if a.eval, err = e.Compile(); err != nil {
			return nil, err
		}
		rate := 1e-2
		if f == "does not learn" {
			rate = 1e-9
		}
		a.opt = nn.NewAdam(a.p, nn.AdamConfig{Schedule: nn.Schedule{Rate: rate}})
		return a, nil
	}
}

func (a *autoencoder) SetTotalSteps(int64) {}

func (a *autoencoder) check(x models.Batch) error {
	if a.flaw == "trusts its input" {
		return nil
	}
	if err := x.Validate(labels); err != nil {
		return err
	}
	if x.B != batch || x.T != frames || x.F != bins {
		return fmt.Errorf("batch [%d, %d, %d], want [%d, %d, %d]", x.B, x.T, x.F, batch, frames, bins)
	}
	return nil
}

func (a *autoencoder) losses(m *nn.Machine) models.Losses {
	return models.Losses{"loss": m.Loss("loss"), "recon": m.Loss("recon"), "kl": m.Loss("kl")}
}

func (a *autoencoder) Step(_ context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	if err := a.check(x); err != nil {
		return nil, err
	}
	switch a.flaw {
	case "leaks":
		a.leak = append(a.leak, make([]float32, 5000))
	case "trusts its input":
		copy(a.train.Input("x"), x.Data)
		x.Data = a.train.Input("x")
	case "allocates":
		a.leak = [][]float32{make([]float32, 50_000)}
	}
	eps := a.train.Input("eps")
	for i := range eps {
		eps[i] = float32(rng.NormFloat64())
		if a.flaw == "draws from elsewhere" {
			eps[i] = rand.Float32() // The flaw under test.
		}
	}
	if err := a.train.Run(nn.Values("x", x.Data), nn.Labels("label", x.Labels)); err != nil {
		return nil, err
	}
	a.steps++
	if a.flaw == "counts for itself" && a.steps%4 == 0 {
		return a.losses(a.train), nil
	}
	return a.losses(a.train), a.opt.Step(a.train)
}

func (a *autoencoder) Eval(_ context.Context, x models.Batch) (models.Losses, error) {
	if err := a.check(x); err != nil {
		return nil, err
	}
	err := a.eval.Run(nn.Values("x", x.Data), nn.Labels("label", x.Labels))
	return a.losses(a.eval), err
}

func (a *autoencoder) Calibrate(context.Context, models.Batch) error { return nil }

func (a *autoencoder) Checkpoint() (models.Checkpoint, error) {
	c := models.Checkpoint{Arch: "test", Config: json.RawMessage("{}"), Step: a.opt.Steps()}
	for _, t := range a.p.Export("") {
		c.Tensors = append(c.Tensors, models.Tensor(t))
	}
	for _, t := range a.opt.Export(models.OptimizerPrefix) {
		c.Tensors = append(c.Tensors, models.Tensor(t))
	}
	return c, nil
}

func (a *autoencoder) Restore(c models.Checkpoint) error {
	var weights, optimizer []nn.Array
	for _, t := range c.Tensors {
		if strings.HasPrefix(t.Name, models.OptimizerPrefix) {
			optimizer = append(optimizer, nn.Array(t))
		} else {
			weights = append(weights, nn.Array(t))
		}
	}
	if err := a.p.Import("", weights); err != nil {
		return err
	}
	if a.flaw == "forgets the optimiser" {
		return nil
	}
	return a.opt.Import(models.OptimizerPrefix, optimizer)
}

type generator struct {
	flaw flaw
	q    *nn.Predictor
}

func open(f flaw) func(models.Checkpoint) (models.Generator, error) {
	return func(c models.Checkpoint) (models.Generator, error) {
		p := nn.NewParams(0)
		var weights []nn.Array
		for _, t := range c.Tensors {
			if !strings.HasPrefix(t.Name, models.OptimizerPrefix) {
				weights = append(weights, nn.Array(t))
			}
		}
		if err := p.Import("", weights); err != nil {
			return nil, err
		}
		q, err := nn.NewPredictor(p.Seal(), func(n *nn.Graph, b int) {
			n.Output("y", decode(n, n.Input("z", b, latent), b))
		}, 1)
		return &blender{&generator{f, q}}, err
	}
}

func (g *generator) Generate(ctx context.Context, r models.Request) (models.Batch, error) {
	b := models.Batch{B: len(r.Labels), T: frames, F: bins, Labels: r.Labels}
	if err := r.Validate(labels); err != nil {
		return b, err
	}
	err := g.q.Each(b.B, func(m *nn.Machine, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		seed := r.Seeds[lo]
		if g.flaw == "numbers clips within the request" {
			seed = uint64(lo)
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		z := m.Input("z")
		for i := range z {
			z[i] = float32(rng.NormFloat64())
		}
		if err := m.Run(nn.Labels("label", r.Labels[lo:hi])); err != nil {
			return err
		}
		b.Data = append(b.Data, m.Output("y")...)
		if g.flaw == "leaves the range" {
			b.Data[0] = 1.5
		}
		return nil
	})
	return b, err
}

// A blender makes clips between labels whose latents are their seeds: the clip of the nearer label.
type blender struct{ *generator }

func (b *blender) Latent() int { return 1 }

func (b *blender) Draw(r models.Request) ([]float32, error) {
	z := make([]float32, len(r.Labels))
	return z, r.Validate(labels)
}

func (b *blender) LabelMean(label int) ([]float32, error) {
	return []float32{0}, models.ValidateLabels([]int{label}, labels)
}

func (b *blender) Blend(ctx context.Context, latents []float32, from, to []int, weight []float64, r models.Request) (models.Batch, error) {
	_, _, nearer, err := models.BlendShares(labels, 1, latents, from, to, weight, r)
	if err != nil && b.flaw != "blends anything" {
		return models.Batch{}, err
	}
	if b.flaw == "blends the wrong way" {
		nearer = to
	}
	r.Labels = nearer
	return b.Generate(ctx, r)
}

func architecture(f flaw) modeltest.Architecture {
	return modeltest.Architecture{
		New: newAutoencoder(f), Open: open(f),
		Batch: modeltest.Clips(batch, frames, bins, labels, 1), Labels: []string{"low", "middle", "high"},
		Loss: "recon", To: 0.1, Steps: 300, LongSteps: 200,
		Gradients: []modeltest.Gradient{gradient()},
	}
}

func gradient() modeltest.Gradient {
	x := modeltest.Clips(batch, frames, bins, labels, 1)
	return modeltest.Gradient{
		Name: "autoencoder", Params: nn.NewParams(3), Build: network,
		Feeds: []nn.Feed{nn.Values("x", x.Data), nn.Labels("label", x.Labels), nn.Scalar("eps", 0.7)},
	}
}

func TestSoundArchitecture(t *testing.T) { modeltest.Run(t, architecture("")) }

// TestFlaws shows that every check can fail.
func TestFlaws(t *testing.T) {
	for _, c := range []struct {
		flaw  flaw
		check func(modeltest.Architecture) error
		want  string
	}{
		{"does not learn", modeltest.Overfits, "recon fell from"},
		{"ignores the seed", modeltest.SameSeed, "the seed makes no difference"},
		{"draws from elsewhere", modeltest.SameSeed, "different checkpoints"},
		{"forgets the optimiser", modeltest.Resumes, "differs from the one it was restored from"},
		{"counts for itself", modeltest.Resumes, "differ from 7 steps"},
		{"eval moves the statistics", modeltest.EvalIsPure, "evaluating changed the learner"},
		{"leaks", modeltest.Allocations, "the heap grew by"},
		{"allocates", modeltest.Allocations, "a step allocates"},
		{"leaves the range", modeltest.Generates, "not in [-1, 1]"},
		{"numbers clips within the request", modeltest.Generates, "clip 4 differs"},
		{"trusts its input", modeltest.Refuses, "is accepted"},
		{"blends the wrong way", modeltest.Blends, "a weight of 0 does not give"},
		{"blends anything", modeltest.Blends, "is accepted"},
	} {
		t.Run(string(c.flaw), func(t *testing.T) {
			err := c.check(architecture(c.flaw))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestWrongGradient shows that the gradient check can fail: a detached term is missing from the gradient.
func TestWrongGradient(t *testing.T) {
	g := gradient()
	g.Build = func(n *nn.Graph) *nn.Tensor {
		loss := network(n)
		return n.Add(loss, n.Mean(n.Detach(n.Reuse().Dense("mean", n.Conv("other", n.Input("x2", batch, 4, 4, 8), 16, nn.Kernel(4), nn.Stride(2)), latent))))
	}
	if err := g.Check(); err == nil || !strings.Contains(err.Error(), "rises by") {
		t.Errorf("got error %v, want a wrong gradient", err)
	}
}
