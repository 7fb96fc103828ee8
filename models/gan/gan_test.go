package gan

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/modeltest"
	"wavemill/models/nn"
)

// small is a front end of 32 frames by 16 bins, enough for four halvings.
func small() models.FrontEnd {
	c := spectrogram.Default(8000)
	c.Mels = 16
	return models.FrontEnd{Spectrogram: c, Frames: 32}
}

// bars are clips of two labels that differ: a loud band below or above the middle.
func bars(n int) models.Batch {
	b := models.Batch{B: n, T: 32, F: 16}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		label := i % 2
		for range b.T {
			for f := range b.F {
				v := -1.0
				if f/8 == label {
					v = 0.3 + 0.05*rng.NormFloat64()
				}
				b.Data = append(b.Data, float32(v))
			}
		}
		b.Labels = append(b.Labels, label)
	}
	return b
}

func learner(t *testing.T, config string) *Learner {
	t.Helper()
	return learnerOf(t, config, 7)
}

func learnerOf(t *testing.T, config string, seed uint64) *Learner {
	t.Helper()
	l, err := NewLearner(json.RawMessage(config), small(), []string{"low", "high"}, seed)
	if err != nil {
		t.Fatal(err)
	}
	return l.(*Learner)
}

func steps(t *testing.T, l *Learner, n int, rng *rand.Rand) models.Losses {
	t.Helper()
	x := bars(16)
	var last models.Losses
	for range n {
		var err error
		if last, err = l.Step(context.Background(), x, rng); err != nil {
			t.Fatal(err)
		}
		if name, bad := last.NonFinite(); bad {
			t.Fatalf("%s is %v", name, last[name])
		}
	}
	return last
}

// TestAcceptance requires no low loss on one batch: a GAN's losses compare its two networks and do not measure how well
// either learns. TestLearnsLabels tests the generated clips.
func TestAcceptance(t *testing.T) {
	labels := []string{"low", "middle", "high"}
	modeltest.Run(t, modeltest.Architecture{
		New: func(seed uint64) (models.Learner, error) {
			return NewLearner(json.RawMessage(`{"channels": 4, "penalty": 1, "penalty_every": 2}`), small(), labels, seed)
		},
		Open: Open, Batch: modeltest.Clips(12, 32, 16, len(labels), 1), Labels: labels, Loss: lossDiscriminator, To: 1.9, Steps: 200,
	})
}

// TestLearnsLabels trains until the label decides where the energy lies, by the projection or by the auxiliary head. With
// neither, the discriminator does not use the label: two labels then come out right from some seeds, but not from all,
// which shows that the others do not pass by chance.
func TestLearnsLabels(t *testing.T) {
	const config = `{"channels": 8, "average": 0.9, "generator_rate": 0.002, "discriminator_rate": 0.002, "minibatch": 0,
		"augment": {"frames": 2, "bins": 0, "cutout": 0.2, "contrast": 0.05}, `
	for _, c := range []struct {
		name, more string
		learns     bool
	}{
		{"projection", `"auxiliary": 0}`, true},
		{"auxiliary head", `"auxiliary": 1, "no_projection": true}`, true},
		{"both", `"auxiliary": 0.5}`, true},
		{"neither", `"auxiliary": 0, "no_projection": true}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			seeds := []uint64{7}
			if !c.learns {
				seeds = []uint64{7, 8, 9, 10, 11}
			}
			always := true
			for _, seed := range seeds {
				right, of := rightLabels(t, learnerOf(t, config+c.more, seed), 150)
				t.Logf("seed %d: %d of %d clips have the label they were asked for", seed, right, of)
				if always = right > of*9/10; !always {
					break
				}
			}
			if always != c.learns {
				t.Errorf("labels come out as asked for from every seed: %v, want %v", always, c.learns)
			}
		})
	}
}

// opened returns the generator as it is now.
func opened(t *testing.T, l *Learner) models.Generator {
	t.Helper()
	c, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	g, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// rightLabels counts the clips whose energy lies where their label says, after so many steps.
func rightLabels(t *testing.T, l *Learner, n int) (right, of int) {
	t.Helper()
	steps(t, l, n, rand.New(rand.NewPCG(2, 2)))
	g := opened(t, l)
	labels := make([]int, 40)
	for i := range labels {
		labels[i] = i % 2
	}
	b, err := g.Generate(t.Context(), models.Series(labels, 3, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i, label := range labels {
		var sum [2]float64
		for j, v := range b.Clip(i) {
			sum[j%16/8] += float64(v)
		}
		if sum[label] > sum[1-label] {
			right++
		}
	}
	return right, len(labels)
}

// TestLosses compares every loss with its formula, written out over the scores of two real and two made clips.
func TestLosses(t *testing.T) {
	real, made := []float64{0.3, -1.5}, []float64{0.8, -2}
	hinge := func(x float64) float64 { return max(0, 1-x) }
	soft := func(x float64) float64 { return math.Log1p(math.Exp(x)) }
	mean := func(x, y float64) float64 { return (x + y) / 2 }
	square := func(x float64) float64 { return x * x }
	r, f := mean(real[0], real[1]), mean(made[0], made[1])
	for loss, want := range map[string]float64{
		LossHinge:   mean(hinge(real[0]), hinge(real[1])) + mean(hinge(-made[0]), hinge(-made[1])),
		LossBCE:     mean(soft(-real[0]), soft(-real[1])) + mean(soft(made[0]), soft(made[1])),
		LossLSGAN:   (mean(square(real[0]-1), square(real[1]-1)) + mean(square(made[0]), square(made[1]))) / 2,
		LossWGAN:    f - r + 1e-3*mean(square(real[0]), square(real[1])),
		LossRaHinge: (mean(hinge(real[0]-f), hinge(real[1]-f)) + mean(hinge(r-made[0]), hinge(r-made[1]))) / 2,
		LossPaired:  mean(soft(made[0]-real[0]), soft(made[1]-real[1])),
	} {
		l := learner(t, `{"channels": 4, "loss": "`+loss+`"}`)
		n := nn.NewGraph(nn.Train, l.discriminator)
		n.Loss(lossAll, l.scoreLoss(n, n.Input("real", 2, 1), n.Input("made", 2, 1), l.constants(n, 2)))
		m, err := n.Compile()
		if err != nil {
			t.Fatal(err)
		}
		feeds := append(l.constantFeeds(2), nn.Values("real", []float32{0.3, -1.5}), nn.Values("made", []float32{0.8, -2}))
		if err := m.Run(feeds...); err != nil {
			t.Fatal(err)
		}
		if got := m.Loss(lossAll); math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %.7f, want %.7f", loss, got, want)
		}
	}
}

// TestPenaltyFlattens trains an unnormalised discriminator with almost no penalty and with one.
func TestPenaltyFlattens(t *testing.T) {
	slope := func(weight float64) float64 {
		l := learner(t, fmt.Sprintf(`{"channels": 4, "loss": "wgan", "spectral_norm": false, "gain": 1, "penalty": %g, "penalty_every": 1}`, weight))
		return steps(t, l, 60, rand.New(rand.NewPCG(2, 2)))[lossPenalty] / weight
	}
	if steep, flat := slope(1e-6), slope(10); !(flat < steep/4) {
		t.Errorf("the mean square slope is %g under a penalty, %g without", flat, steep)
	}
}

func TestEveryLossSteps(t *testing.T) {
	for _, loss := range losses {
		for _, more := range []string{``, `, "penalty": 1, "penalty_every": 2`, `, "spectral_norm": false, "gain": 1, "minibatch_stddev": 0`, `, "unconditional": true, "critic_steps": 2`, `, "auxiliary": 0.5, "no_projection": true, "minibatch": 8`} {
			l := learner(t, `{"channels": 4, "loss": "`+loss+`"`+more+`}`)
			steps(t, l, 3, rand.New(rand.NewPCG(2, 2)))
			losses, err := l.Eval(context.Background(), bars(6))
			if err != nil {
				t.Fatalf("%s%s: %v", loss, more, err)
			}
			if name, bad := losses.NonFinite(); bad {
				t.Errorf("%s%s: %s is %v", loss, more, name, losses[name])
			}
		}
	}
}

// TestResumeIsExact compares a run with one that was saved and resumed in the middle.
func TestResumeIsExact(t *testing.T) {
	const config = `{"channels": 4, "penalty": 0.5, "penalty_every": 2, "minibatch": 5, "critic_steps": 2, "modes": 2}`
	whole, first := learner(t, config), learner(t, config)
	for _, l := range []*Learner{whole, first} { // but not the one that goes on
		if err := l.FitModes(t.Context(), bars(64)); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.NewPCG(4, 4)
	steps(t, whole, 6, rand.New(rng))

	again := rand.NewPCG(4, 4)
	steps(t, first, 3, rand.New(again))
	c, err := first.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	file, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if c, err = models.Decode(file); err != nil {
		t.Fatal(err)
	}
	second := learner(t, config)
	if err := second.Restore(c); err != nil {
		t.Fatal(err)
	}
	steps(t, second, 3, rand.New(again))
	a, err := whole.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	b, err := second.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a.Tensors, b.Tensors) {
		t.Error("the resumed run differs from the whole one")
	}
}

func TestClipDependsOnItsPlaceAlone(t *testing.T) {
	l := learner(t, `{"channels": 4}`)
	steps(t, l, 2, rand.New(rand.NewPCG(2, 2)))
	c, err := l.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	g, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	labels := make([]int, 11)
	for i := range labels {
		labels[i] = i % 2
	}
	all, err := g.Generate(context.Background(), models.Series(labels, 9, 0))
	if err != nil {
		t.Fatal(err)
	}
	one, err := g.Generate(context.Background(), models.Series(labels[5:6], 9+5, 0))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(all.Clip(5), one.Clip(0)) {
		t.Error("clip 5 differs when it is made alone")
	}
	other, err := g.Generate(context.Background(), models.Series(labels[5:6], 10+5, 0))
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(other.Clip(0), one.Clip(0)) {
		t.Error("another seed gives the same clip")
	}
}

// TestConfigOfAnEarlierCheckpoint reads a configuration as the first version of this package wrote it: what it does
// not name must not take today's defaults.
func TestConfigOfAnEarlierCheckpoint(t *testing.T) {
	const earlier = `{"channels":24,"latent":64,"embedding":32,"temperature":1,"loss":"hinge","spectral_norm":true,"minibatch_stddev":8,"penalty":0,"penalty_every":8,"critic_steps":1,"generator_rate":0.0004,"discriminator_rate":0.0004,"final_rate":0.05,"average":0.999,"augment":{"frames":6,"bins":2,"cutout":0.25,"contrast":0.05}}`
	c, err := ParseConfig(json.RawMessage(earlier))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != earlier {
		t.Errorf("%s\nis written again as\n%s", earlier, text)
	}
	part, err := ParseConfig(json.RawMessage(`{"channels": 24}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Channels = 24
	if part != want {
		t.Errorf("a part of a configuration is read as %+v, want the defaults but for what it names", part)
	}
}

// TestConfigRoundTrip writes and reads configurations that turn off what the defaults have.
func TestConfigRoundTrip(t *testing.T) {
	for _, text := range []string{`{}`, `{"auxiliary": 0, "gain": 0, "minibatch": 0, "taper": false, "augment": {"noise": 0}}`, `{"unconditional": true}`} {
		c, err := ParseConfig(json.RawMessage(text))
		if err != nil {
			t.Fatal(err)
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseConfig(written)
		if err != nil {
			t.Fatal(err)
		}
		if again != c {
			t.Errorf("%s: %+v is read again as %+v", text, c, again)
		}
	}
}

func TestBadConfig(t *testing.T) {
	for config, want := range map[string]string{
		`{"loss": "cross"}`:           "hinge",
		`{"channel": 3}`:              "unknown field",
		`{"channels": 0}`:             "channels",
		`{"augment": {"cutout": 1}}`:  "cutout",
		`{"generator_rate": 1e999}`:   "config",
		`{"temperature": 0}`:          "temperature",
		`{"minibatch_stddev": 10000}`: "minibatch_stddev",
	} {
		if _, err := NewLearner(json.RawMessage(config), small(), []string{"a"}, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", config, err, want)
		}
	}
	fe := small()
	fe.Frames = 30
	if _, err := NewLearner(nil, fe, []string{"a"}, 1); err == nil {
		t.Error("30 frames cannot be halved four times")
	}
}

func TestAugmentKeepsSilence(t *testing.T) {
	var d Draw
	a := Defaults().Augment
	a.Noise = 0
	a.Draw(&d, rand.New(rand.NewPCG(1, 1)), 50, 32, 16)
	cut := 0
	for i, f := range d.factor {
		if y := -1*f + d.silent[i]; math.Abs(float64(y)+1) > 1e-6 {
			t.Fatalf("silence becomes %v", y)
		}
		if f == 0 {
			cut++
		}
	}
	if share := float64(cut) / float64(len(d.factor)); share < 0.02 || share > a.Cutout*a.Cutout {
		t.Errorf("%.3f of the values are silenced", share)
	}
}

func TestAugmentNoise(t *testing.T) {
	const noise = 0.02
	var d Draw
	Augment{Noise: noise}.Draw(&d, rand.New(rand.NewPCG(1, 1)), 5, 32, 16)
	mean, low, high := 0.0, 0.0, 0.0
	for i, f := range d.factor {
		if f != 1 {
			t.Fatalf("noise alone multiplies by %v", f)
		}
		v := float64(d.silent[i])
		mean, low, high = mean+v/float64(len(d.silent)), min(low, v), max(high, v)
	}
	// The mean of 2560 even values between -noise and noise deviates by noise / sqrt(3 * 2560).
	if math.Abs(mean) > 5*noise/math.Sqrt(3*2560) || low < -noise || low > -0.98*noise || high > noise || high < 0.98*noise {
		t.Errorf("noise of mean %g between %g and %g, want 0, -%g and %g", mean, low, high, noise, noise)
	}
}

// TestAuxiliaryFades follows the weight that the generator gives the auxiliary head.
func TestAuxiliaryFades(t *testing.T) {
	for _, c := range []struct {
		config          string
		planned         int64
		start, mid, end float64 // at steps 0, 25 and 50 to 100
	}{
		{`{"channels": 4, "auxiliary": 0.5, "auxiliary_final": 0.1}`, 100, 0.5, 0.275, 0.05},
		{`{"channels": 4, "auxiliary": 0.5, "auxiliary_final": 0}`, 100, 0.5, 0.5, 0.5}, // as before there was this field
		{`{"channels": 4, "auxiliary": 0.5, "auxiliary_final": 1}`, 100, 0.5, 0.5, 0.5},
		{`{"channels": 4, "auxiliary": 0.5, "auxiliary_final": 0.1}`, 0, 0.5, 0.5, 0.5}, // nothing is planned
	} {
		l := learner(t, c.config)
		l.SetTotalSteps(c.planned)
		for step, want := range map[int64]float64{0: c.start, 25: c.mid, 50: c.end, 100: c.end} {
			if l.steps = step; math.Abs(l.auxiliaryWeight()-want) > 1e-12 {
				t.Errorf("%s, step %d of %d: weight %g, want %g", c.config, step, c.planned, l.auxiliaryWeight(), want)
			}
		}
	}
}
