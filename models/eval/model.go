package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"wavemill/audio"
	"wavemill/models"
	"wavemill/models/eval/metric"
	"wavemill/models/frontend"
	"wavemill/models/nn"
)

// A model is a front end, the network behind it, and the temperature of its probabilities.
type model struct {
	front       *frontend.FrontEnd
	params      *nn.Params
	labels      int
	seed        uint64
	temperature float64
	members     int // networks that see where features lie, see ensemble; 0: one that does not

	mu      sync.Mutex  // guards a run of the machine and the reading of its outputs
	machine *nn.Machine // in Eval mode, batchSize clips at a time
}

// batchSize is the number of clips a step and a run of inference.
const batchSize = 32

// mostMembers is the most that a checkpoint may ask for.
const mostMembers = 64

// dropout is the share of the features that a training step of a grid leaves out.
const dropout = 0.3

// layers is the network: four blocks that halve frames and bins, the mean over what is left, and a linear layer. It
// returns the features [B, FeatureSize] and the logits [B, labels] of x [B, T, F, 1]. In a grid, the linear layer gets the
// means of blocks of 16 frames by 16 bins instead of one mean of all, so that it tells what comes first from what comes
// last; T and F are then multiples of 16.
func layers(n *nn.Graph, x *nn.Tensor, labels int, grid bool) (features, logits *nn.Tensor) {
	h := n.Conv("conv1", x, 16, nn.Kernel(3), nn.BatchNorm(), nn.ReLU())
	h = n.AvgPool(h, 2)
	h = n.Conv("conv2", h, 32, nn.Kernel(4), nn.Stride(2), nn.BatchNorm(), nn.ReLU())
	h = n.Conv("conv3", h, 64, nn.Kernel(4), nn.Stride(2), nn.BatchNorm(), nn.ReLU())
	h = n.Conv("conv4", h, FeatureSize, nn.Kernel(3), nn.BatchNorm(), nn.ReLU())
	features = n.GlobalMean(h)
	if grid {
		return features, n.Dense("logits", n.Dropout("dropout", n.Flatten(n.AvgPool(h, 2)), dropout), labels)
	}
	return features, n.Dense("logits", features, labels)
}

// ensemble is several grids side by side, or one network that is none where there are no members. It returns the features
// of the first and the logits of each.
func ensemble(n *nn.Graph, x *nn.Tensor, labels, members int) (features *nn.Tensor, logits []*nn.Tensor) {
	if members == 0 {
		features, l := layers(n, x, labels, false)
		return features, []*nn.Tensor{l}
	}
	for i := range members {
		f, l := layers(n.Scope("member"+strconv.Itoa(i)), x, labels, true)
		if i == 0 {
			features = f
		}
		logits = append(logits, l)
	}
	return features, logits
}

// compile builds the inference machine on m.params.
func (m *model) compile() error {
	frames, bins := m.front.Shape()
	n := nn.NewGraph(nn.Eval, m.params)
	features, logits := ensemble(n, n.Input("x", batchSize, frames, bins, 1), m.labels, m.members)
	n.Output("features", features)
	n.Output("logits", n.Scale(n.Add(logits...), 1/float64(len(logits))))
	var err error
	m.machine, err = n.Compile()
	return err
}

// An output is that of the network for one clip.
type output struct {
	features [FeatureSize]float64
	logits   []float64
}

// run evaluates the network on up to batchSize clips, [n, T, F].
func (m *model) run(x []float32) ([]output, error) {
	frames, bins := m.front.Shape()
	m.mu.Lock()
	defer m.mu.Unlock()
	n := copy(m.machine.Input("x"), x) / (frames * bins)
	if err := m.machine.Run(); err != nil {
		return nil, err
	}
	features, logits := m.machine.Output("features"), m.machine.Output("logits")
	out := make([]output, n)
	for i := range out {
		for j := range FeatureSize {
			out[i].features[j] = float64(features[i*FeatureSize+j])
		}
		for _, v := range logits[i*m.labels : (i+1)*m.labels] {
			out[i].logits = append(out[i].logits, float64(v))
		}
	}
	return out, nil
}

// outputs evaluates the network on a whole batch.
func (m *model) outputs(ctx context.Context, b models.Batch) ([]output, error) {
	var out []output
	size := b.T * b.F
	for part := range slices.Chunk(b.Data, batchSize*size) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a, err := m.run(part)
		if err != nil {
			return nil, err
		}
		out = append(out, a...)
	}
	return out, nil
}

// prediction scales outputs by the temperature.
func (m *model) prediction(outputs []output) Prediction {
	p := Prediction{Probs: make([][]float64, len(outputs)), Features: make([][]float64, len(outputs))}
	for i, a := range outputs {
		p.Probs[i] = metric.Softmax(a.logits, m.temperature)
		p.Features[i] = slices.Clone(a.features[:])
	}
	return p
}

// analyze makes one batch of clips, all with label 0. A silent clip is all silence.
func analyze(ctx context.Context, front *frontend.FrontEnd, clips []audio.Clip) (models.Batch, error) {
	b, err := front.BatchOf(ctx, clips)
	if err != nil {
		return models.Batch{}, fmt.Errorf("eval: %w", err)
	}
	return b, nil
}

// classifierInput is analyze for a classifier: without marks, which say of a clip what its levels do not.
func classifierInput(ctx context.Context, front *frontend.FrontEnd, clips []audio.Clip) (models.Batch, error) {
	b, err := analyze(ctx, front, clips)
	if err == nil {
		withoutMarks(b, front.Config().Spectrogram)
	}
	return b, err
}

// silence is the front end's lowest value.
const silence = -1

// config is what a checkpoint says about a classifier beside its tensors.
type config struct {
	Temperature float64 `json:"temperature"`
	HeldOut     HeldOut `json:"held_out"`
	Members     int     `json:"members,omitempty"` // see ensemble
}

// Checkpoint returns the classifier as a self-describing checkpoint, to be opened with Open.
func (c *Classifier) Checkpoint() (models.Checkpoint, error) {
	text, err := json.Marshal(config{c.model.temperature, c.heldOut, c.model.members})
	if err != nil {
		return models.Checkpoint{}, fmt.Errorf("eval: %w", err)
	}
	cp := models.Checkpoint{
		Format: models.Format, Arch: Arch, Config: text, FrontEnd: c.model.front.Config(), Labels: slices.Clone(c.labels),
		Step: c.steps, Planned: c.steps, BatchSize: batchSize, Seed: c.model.seed,
		Metrics: map[string]float64{"held_out/accuracy": c.heldOut.Accuracy, "held_out/nll": c.heldOut.NLL},
	}
	for _, a := range c.model.params.Export("") {
		cp.Tensors = append(cp.Tensors, models.Tensor(a))
	}
	return cp, nil
}

// open builds the classifier of a checkpoint of the right kind.
func open(cp models.Checkpoint) (*Classifier, error) {
	var c config
	if err := json.Unmarshal(cp.Config, &c); err != nil {
		return nil, fmt.Errorf("eval: the classifier's config: %w", err)
	}
	if !(c.Temperature > 0) {
		return nil, fmt.Errorf("eval: the classifier's temperature is %v", c.Temperature)
	}
	if c.Members < 0 || c.Members > mostMembers {
		return nil, fmt.Errorf("eval: the classifier has %d members", c.Members)
	}
	front, err := frontend.New(cp.FrontEnd)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	m := &model{front: front, params: nn.NewParams(cp.Seed), labels: len(cp.Labels), seed: cp.Seed, temperature: c.Temperature, members: c.Members}
	arrays := make([]nn.Array, len(cp.Tensors))
	for i, t := range cp.Tensors {
		arrays[i] = nn.Array(t)
	}
	if err := m.params.Import("", arrays); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	m.params.Seal()
	if err := m.compile(); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	if err := m.params.Unused(); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	return &Classifier{labels: slices.Clone(cp.Labels), model: m, heldOut: c.HeldOut, steps: cp.Step}, nil
}
