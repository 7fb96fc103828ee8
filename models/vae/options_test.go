package vae

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wavemill/models"
	"wavemill/models/internal/shape"
	"wavemill/models/nn"
)

// TestOptionsAreAccepted runs the acceptance suite on every option, and on some together.
func TestOptionsAreAccepted(t *testing.T) {
	for name, options := range map[string]string{
		"flow":          `"prior":"flow","flow":{"width":32,"steps":4}`,
		"dropout":       `"dropout":0.2,"latent_scale":3`,
		"unconditional": `"unconditional":true,"prior":"gmm"`,
		"encoders":      `"encoders":2`,
		"decoders":      `"decoders":3,"prior":"class-gaussian"`,
		"together":      `"encoders":3,"decoders":2,"prior":"flow","flow":{"width":32,"steps":4},"dropout":0.1,"latent_scale":0.5,"unconditional":true`,
	} {
		t.Run(name, func(t *testing.T) { accept(t, `{"channels":4,"latent":6,"embedding":4,"shift":0,`+options+`}`, 200, 1) })
	}
}

// options are configurations of small beside each option's default.
func options(t *testing.T, text string) Config {
	t.Helper()
	c, err := ParseConfig(json.RawMessage(`{"channels":4,"latent":6,"embedding":4,"shift":2,` + text + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// graph returns a machine of the bound and the parameters it has.
func graph(t *testing.T, mode nn.Mode, c Config, batch int) (*nn.Machine, *nn.Params) {
	t.Helper()
	p := nn.NewParams(1)
	n := nn.NewGraph(mode, p)
	loss := elbo(n, batch, shape.Shape{Frames: 32, Bins: 16, Labels: 3}, c)
	var o []nn.CompileOption
	if mode == nn.Train {
		o = append(o, nn.Minimise(loss))
	}
	m, err := n.Compile(o...)
	if err != nil {
		t.Fatal(err)
	}
	return m, p
}

// TestOneExpertIsThePlainModel compares what 0 and 1 make: parameters, loss, gradients, to the byte.
func TestOneExpertIsThePlainModel(t *testing.T) {
	x := blobs(6, 3, 1)
	run := func(c Config) (float64, []float32, *nn.Params) {
		m, p := graph(t, nn.Train, c, 6)
		if err := m.Run(nn.Values(inClips, x.Data), nn.Labels(inLabels, x.Labels), nn.Scalar(inKL, 1), nn.Seed(2)); err != nil {
			t.Fatal(err)
		}
		var all []float32
		for _, q := range p.All() {
			all = append(all, m.Gradient(q.Name())...)
		}
		return m.Loss(lossAll), all, p
	}
	loss, gradients, params := run(options(t, `"texture":0`))
	same, again, p := run(options(t, `"encoders":1,"decoders":1,"latent_scale":1,"dropout":0`))
	if same != loss || !slices.Equal(again, gradients) || p.Count() != params.Count() {
		t.Errorf("loss %g and %g, %d and %d parameters", loss, same, params.Count(), p.Count())
	}
	for text, more := range map[string]int{
		// Of the posterior: 2*1*8*4 features to 12 outputs, once more, and to one gate.
		`"encoders":2`: (64+1)*12 + 64 + 1,
		// Of the last block: a film of 10 inputs to 8 outputs, a norm of 4 channels, a convolution of 5x5x4 to 4; a gate of 10.
		`"decoders":2`:         (10+1)*8 + 2*4 + 5*5*4*4 + 4 + 10 + 1,
		`"unconditional":true`: -3*4 - 4*(2*8*4+2*32+2*16+2*8+2*4),
	} {
		if _, p := graph(t, nn.Train, options(t, text), 6); p.Count() != params.Count()+more {
			t.Errorf("%s: %d parameters more, want %d", text, p.Count()-params.Count(), more)
		}
	}
}

// TestMixtureBoundOfEqualExperts gives all experts the same weights. Their mixture is one Gaussian, and the bound that
// of the plain model at the same variance, whatever the gate says.
func TestMixtureBoundOfEqualExperts(t *testing.T) {
	x := blobs(6, 3, 1)
	plain, from := graph(t, nn.Eval, options(t, `"latent":6`), 6)
	if err := plain.Run(nn.Values(inClips, x.Data), nn.Labels(inLabels, x.Labels), nn.Scalar(inKL, 3)); err != nil {
		t.Fatal(err)
	}
	c := options(t, `"encoders":3`)
	mixed, to := graph(t, nn.Eval, c, 6)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, q := range to.All() {
		name := q.Name()
		if strings.HasPrefix(name, "encoder/gate") {
			for i := range q.Data() {
				q.Data()[i] = float32(rng.NormFloat64())
			}
		} else {
			for k := range 3 {
				name = strings.Replace(name, "posterior"+string(rune('1'+k)), "posterior", 1)
			}
			copy(q.Data(), from.Lookup(name).Data())
		}
		q.Touch()
	}
	mse := plain.Loss(lossMSE)
	l := &Learner{config: c, shape: shape.Shape{Frames: 32, Bins: 16, Labels: 3}, variance: float32(mse)}
	if err := mixed.Run(append(l.mixtureFeeds(), nn.Values(inClips, x.Data), nn.Labels(inLabels, x.Labels), nn.Scalar(inKL, 3))...); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{lossMSE, lossKL, lossNLL} {
		if a, b := plain.Loss(name), mixed.Loss(name); math.Abs(a-b) > 1e-3*(1+math.Abs(a)) {
			t.Errorf("%s is %g, of the mixture %g", name, a, b)
		}
	}
	spread := mixed.Loss(lossBalance)
	if all, want := mixed.Loss(lossAll), mixed.Loss(lossNLL)+3*mixed.Loss(lossKL)+balance*spread; math.Abs(all-want) > 1e-3*math.Abs(want) {
		t.Errorf("loss %g, want %g", all, want)
	}
	if spread < 0.01 || spread > 2 {
		t.Errorf("the gates' variation is %g, with random gates", spread)
	}
}

// TestGateAddsUp checks that gates are probabilities, even at the beginning.
func TestGateAddsUp(t *testing.T) {
	const batch, k = 5, 4
	n := nn.NewGraph(nn.Eval, nn.NewParams(1))
	gates := gate(n, n.Input("h", batch, 7), k)
	n.Output("gates", n.Concat(gates...))
	m, err := n.Compile()
	if err != nil {
		t.Fatal(err)
	}
	h := make([]float32, batch*7)
	for i := 7; i < len(h); i++ { // the first example is zero
		h[i] = float32(100 * (i%11 - 5))
	}
	if err := m.Run(nn.Values("h", h)); err != nil {
		t.Fatal(err)
	}
	out := m.Output("gates")
	for i := range batch {
		var sum float64
		for _, g := range out[i*k : (i+1)*k] {
			sum += float64(g)
			if g < 0 || g > 1 || i == 0 && math.Abs(float64(g)-0.25) > 1e-6 {
				t.Errorf("example %d: gates %v", i, out[i*k:(i+1)*k])
			}
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Errorf("example %d: gates add up to %g", i, sum)
		}
	}
}

// TestLikeliestExpert compares the encoder of several experts with the one whose gate is largest.
func TestLikeliestExpert(t *testing.T) {
	c := options(t, `"encoders":3`)
	x := blobs(30, 3, 1)
	n := nn.NewGraph(nn.Eval, nn.NewParams(4))
	in := n.Input(inClips, 30, 32, 16, 1)
	mean, logVar := encoder(n, in, c)
	n.Output(outMean, mean)
	n.Output(outLogVar, logVar)
	r := n.Reuse().Scope("encoder")
	for k, e := range posteriors(r, features(r, in, c), c) {
		name := string(rune('a' + k))
		n.Output(name+" mean", e.mean)
		n.Output(name+" variance", e.logVar)
		n.Output(name+" gate", e.gate)
	}
	p := n.Params()
	for _, q := range p.All() {
		if strings.HasPrefix(q.Name(), "encoder/gate") && strings.HasSuffix(q.Name(), "/w") {
			for i := range q.Data() {
				q.Data()[i] *= 100 // so that it prefers different experts
			}
			q.Touch()
		}
	}
	m, err := n.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(nn.Values(inClips, x.Data)); err != nil {
		t.Fatal(err)
	}
	used := map[string]int{}
	for i := range 30 {
		best := "a"
		for _, name := range []string{"b", "c"} {
			if m.Output(name + " gate")[i] > m.Output(best + " gate")[i] {
				best = name
			}
		}
		used[best]++
		if !slices.Equal(m.Output(outMean)[6*i:6*i+6], m.Output(best + " mean")[6*i:6*i+6]) || !slices.Equal(m.Output(outLogVar)[6*i:6*i+6], m.Output(best + " variance")[6*i:6*i+6]) {
			t.Errorf("clip %d: not the posterior of expert %s", i, best)
		}
	}
	if len(used) < 2 {
		t.Errorf("all clips prefer one expert: %v", used)
	}
}

// TestExpertsLearn trains mixtures and looks at what they make and at whether more than one expert is used.
func TestExpertsLearn(t *testing.T) {
	c := trained(t, `{"channels":4,"latent":6,"embedding":4,"shift":2,"encoders":2,"decoders":2}`, 250)
	if c.Metrics["train/mse"] > 0.05 {
		t.Errorf("mean squared error %.3f", c.Metrics["train/mse"])
	}
	if v := c.Metrics["train/gate balance"]; v > 0.5 {
		t.Errorf("the gate's variation is %.2f; 1 is one expert alone", v)
	}
	b, err := open(t, c).Generate(t.Context(), models.Series(slices.Repeat([]int{0, 1, 2}, 20), 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, l := range b.Labels {
		if int(3*float64(peak(b.Clip(i), b.F))/float64(b.F)) == l {
			right++
		}
	}
	if right < 55 {
		t.Errorf("%d of 60 clips have the label that was asked for", right)
	}
}

// TestUnconditional asks for clips of different labels and gets the same ones.
func TestUnconditional(t *testing.T) {
	for _, prior := range []string{PriorKDE, PriorFlow, PriorNormal} {
		c := trained(t, `{"channels":4,"latent":6,"embedding":4,"unconditional":true,"prior":"`+prior+`"}`, 30)
		g := opened(t, c)
		var made [2]models.Batch
		for i, labels := range [][]int{{0, 0, 0}, {0, 1, 2}} {
			var err error
			if made[i], err = g.Generate(t.Context(), models.Series(labels, 5, 0)); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(made[0].Data, made[1].Data) {
			t.Errorf("%s: the labels make a difference", prior)
		}
		if !slices.Equal(made[1].Labels, []int{0, 1, 2}) {
			t.Errorf("%s: labels %v", prior, made[1].Labels)
		}
		if count, err := c.Tensor(tensorCount); err != nil || len(count.Data) != 1 {
			t.Errorf("%s: priors of %v labels, error %v", prior, count.Data, err)
		}
		z, err := g.Draw(models.Series([]int{0, 1, 2}, 5, 0))
		if err != nil {
			t.Fatal(err)
		}
		between, err := g.Blend(t.Context(), z, []int{0, 1, 2}, []int{2, 2, 2}, []float64{0.5, 0.7, 1}, models.Series([]int{0, 1, 2}, 5, 0))
		if err != nil || !slices.Equal(between.Data, made[0].Data) {
			t.Errorf("%s: a blend of labels makes a difference (error %v)", prior, err)
		}
		if _, err := g.Decode(t.Context(), z, []int{0, 1, 3}); err == nil {
			t.Errorf("%s: decoded under label 3 of 3", prior)
		}
	}
}

// TestLatentScale shows that the decoder sees latents scaled.
func TestLatentScale(t *testing.T) {
	decode := func(c Config, z []float32) []float32 {
		q, err := nn.NewPredictor(nn.NewParams(1), func(n *nn.Graph, batch int) {
			n.Output(outClips, decoder(n, n.Input(inLatent, batch, c.Latent), n.Input(inLabels, batch), shape.Shape{Frames: 32, Bins: 16, Labels: 3}, c))
		})
		if err != nil {
			t.Fatal(err)
		}
		var out []float32
		if err := q.Run(1, func(m *nn.Machine) error {
			out = slices.Clone(m.Output(outClips))
			return nil
		}, nn.Values(inLatent, z), nn.Labels(inLabels, []int{1})); err != nil {
			t.Fatal(err)
		}
		return out
	}
	z, twice := []float32{1, -2, 0.5, 3, 0, -1}, []float32{2, -4, 1, 6, 0, -2}
	want := decode(options(t, `"dropout":0`), twice)
	if !slices.Equal(decode(options(t, `"latent_scale":2`), z), want) || slices.Equal(decode(options(t, `"dropout":0`), z), want) {
		t.Error("a scale of 2 does not make what twice the latents make")
	}
}

// TestDropout shows that it acts in training alone, on the posterior, as the seed says.
func TestDropout(t *testing.T) {
	x := blobs(6, 3, 1)
	run := func(mode nn.Mode, text string, seed uint64) float64 {
		m, _ := graph(t, mode, options(t, text), 6)
		if err := m.Run(nn.Values(inClips, x.Data), nn.Labels(inLabels, x.Labels), nn.Scalar(inKL, 1), nn.Seed(seed)); err != nil {
			t.Fatal(err)
		}
		return m.Loss(lossKL) // of the posterior, before its noise
	}
	const none, half = `"texture":0`, `"dropout":0.5`
	if run(nn.Train, none, 1) != run(nn.Train, none, 2) || run(nn.Train, half, 1) == run(nn.Train, half, 2) {
		t.Error("the seed makes a difference without dropout, or none with it")
	}
	if run(nn.Train, half, 1) != run(nn.Train, half, 1) {
		t.Error("one seed drops differently twice")
	}
	if run(nn.Eval, half, 1) != run(nn.Eval, none, 1) {
		t.Error("something is dropped in evaluation")
	}
}

// TestOptionsRefused lists what does not make sense.
func TestOptionsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"dropout":1}`:                  "dropout",
		`{"latent_scale":-1}`:            "latent_scale",
		`{"encoders":17}`:                "encoders",
		`{"decoders":-1}`:                "decoders",
		`{"encoders":2,"free_bits":0.1}`: "free_bits",
		`{"flow":{"width":-1}}`:          "flow: width",
		`{"flow":{"steps":100000}}`:      "flow: steps",
		`{"flow":{"learning_rate":-1}}`:  "flow: learning_rate",
		`{"flow":{"average":1}}`:         "flow: average",
		`{"flow":{"depth":3}}`:           "depth",
		`{"prior":"flows"}`:              "flow",
		`{"unconditional":"yes"}`:        "unconditional",
	} {
		if _, err := ParseConfig(json.RawMessage(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

// TestOptionsHaveNetworks describes the networks of checkpoints with options, as other programs get them.
func TestOptionsHaveNetworks(t *testing.T) {
	c := trained(t, `{"channels":4,"latent":6,"embedding":4,"encoders":3,"decoders":2,"latent_scale":2,"dropout":0.1,"prior":"flow"}`, 2)
	networks, err := Networks(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range networks {
		if _, err := w.Describe(); err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
	}
}

// TestOlderCheckpoints resumes one whose config lacks the newer fields, as older programs write it.
func TestOlderCheckpoints(t *testing.T) {
	c := trained(t, small, 3)
	var fields map[string]any
	if err := json.Unmarshal(c.Config, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dropout", "latent_scale", "unconditional", "encoders", "decoders", "flow"} {
		if _, there := fields[name]; there {
			t.Errorf("%s is written although it has its default", name)
		}
	}
	if err := newLearner(t, `{"channels":4,"latent":6,"embedding":4,"shift":2,"encoders":0,"flow":{}}`).Restore(c); err != nil {
		t.Error(err)
	}
	if err := newLearner(t, `{"channels":4,"latent":6,"embedding":4,"shift":2,"decoders":2}`).Restore(c); err == nil {
		t.Error("restored a checkpoint of another configuration")
	}
}
