package monitor

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"wavemill/models"
	"wavemill/models/architectures"
)

// A poisoned learner gets a batch that is not of numbers at one of its steps, until it has been slowed down.
type poisoned struct {
	models.Learner
	at     int64
	step   int64
	factor float64
}

func (p *poisoned) ScaleLR(factor float64) {
	p.factor = factor
	p.Learner.(models.LRScaler).ScaleLR(factor)
}

func (p *poisoned) LearningRate() float64 { return p.Learner.(models.LearningRater).LearningRate() }

func (p *poisoned) Restore(c models.Checkpoint) error {
	p.step = c.Step
	return p.Learner.Restore(c)
}

func (p *poisoned) Step(ctx context.Context, x models.Batch, rng *rand.Rand) (models.Losses, error) {
	p.step++
	if p.step == p.at && p.factor == 1 {
		x.Data = slices.Clone(x.Data)
		for i := range x.Data {
			x.Data[i] = float32(math.NaN())
		}
	}
	return p.Learner.Step(ctx, x, rng)
}

// Every architecture comes back from a divergence, from the second part of its training to the first too, learns at
// half its rate from then on, and does so again when it is resumed.
func TestArchitecturesComeBack(t *testing.T) {
	configs := map[string]string{
		"vae":    `{"channels":2,"latent":4}`,
		"gan":    `{"channels":2,"latent":4}`,
		"vaegan": `{"vae":{"channels":2,"latent":4},"discriminator_channels":2,"share":0.5}`,
		"flow":   `{"channels":2,"latent_channels":2,"flow_channels":4,"discriminator_channels":2,"share":0.5}`,
	}
	train := recordings(24, 1)
	for _, arch := range architectures.Names() {
		t.Run(arch, func(t *testing.T) {
			config, ok := configs[arch]
			if !ok {
				t.Fatalf("no small configuration of a %s is known here", arch)
			}
			run := func(resume *models.Checkpoint, at int64) (saves []models.Checkpoint, rates map[int64]float64) {
				l, err := architectures.NewLearner(arch, []byte(config), frontEnd(), labels(), 1)
				if err != nil {
					t.Fatal(err)
				}
				rates = map[int64]float64{}
				trainer := &models.Trainer{
					Steps: 8, EvalEvery: 3, SaveEvery: 1, BatchSize: 8, Seed: 1, Resume: resume,
					Save: func(c models.Checkpoint) error { saves = append(saves, c); return nil },
					OnEvent: func(p models.Progress) {
						if p.Event == models.EventStep {
							rates[p.Step] = p.Rate
						}
					},
				}
				if _, err := trainer.Run(t.Context(), &poisoned{Learner: l, at: at, factor: 1}, train, models.Batch{}); err != nil {
					t.Fatal(err)
				}
				return saves, rates
			}
			_, healthy := run(nil, -1)
			saves, rates := run(nil, 5)
			last := saves[len(saves)-1]
			if rb := last.Rollbacks; len(rb) != 1 || rb[0].Step != 5 || rb[0].To != 3 || rb[0].Factor != 0.5 {
				t.Fatalf("%+v", rb)
			}
			for _, step := range []int64{4, 7} {
				if math.Abs(rates[step]/healthy[step]-0.5) > 1e-9 {
					t.Errorf("after step %d the rate is %g, without the divergence %g", step, rates[step], healthy[step])
				}
			}
			want, err := last.Encode()
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range saves {
				again, _ := run(&c, 5)
				got, err := again[len(again)-1].Encode()
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("resumed from step %d: another checkpoint", c.Step)
				}
			}
		})
	}
}
