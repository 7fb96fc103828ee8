package training

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/eval"
	"wavemill/models/frontend"
)

// A FilterJob makes the file of a filter for generated clips, see [eval.Filter].
type FilterJob struct {
	Seed   uint64        // of the classifier
	Epochs int           // of the classifier; 0: as eval.Options says
	Models []FilterModel // whose discriminators are used too
	// OnProgress, when not nil, is called with the share of a stage that is done.
	OnProgress func(stage string, part float64)
	// Note, when not nil, is given lines for a person.
	Note func(line string)
}

// A FilterModel is a generator that clips will be made with.
type FilterModel struct {
	Name       string // for notes and errors
	Checkpoint models.Checkpoint
}

// A FilterReport is the result of a FilterJob.
type FilterReport struct {
	Out            string       `json:"out"` // left to the caller
	Recordings     int          `json:"recordings"`
	Labels         []string     `json:"labels"`
	HeldOut        eval.HeldOut `json:"held_out"`       // the classifier on recordings that it was not trained on
	Discriminators []string     `json:"discriminators"` // digests of models
	Seed           uint64       `json:"seed"`
}

// String is the report in one line.
func (r FilterReport) String() string {
	return fmt.Sprintf("%s: a filter for %d labels, trained on %d recordings; on %d others its classifier has an accuracy of %.1f %%",
		r.Out, len(r.Labels), r.Recordings, r.HeldOut.Clips, 100*r.HeldOut.Accuracy)
}

// Run trains the filter on recordings and scores them with the discriminators of the models. A model without one is noted.
func (j FilterJob) Run(ctx context.Context, recordings []dataset.Recording) (models.Checkpoint, FilterReport, error) {
	filter, err := j.Train(ctx, recordings)
	if err != nil {
		return models.Checkpoint{}, FilterReport{}, err
	}
	c := filter.Classifier()
	report := FilterReport{Recordings: len(recordings), Labels: c.Labels(), HeldOut: c.HeldOut(), Discriminators: []string{}, Seed: j.Seed}
	var scored []*eval.DiscriminatorQuantile
	for _, m := range j.Models {
		q, err := j.Score(ctx, m.Checkpoint, recordings)
		if errors.Is(err, models.ErrNoDiscriminator) {
			j.note("%s: %v; its clips are checked by the classifier and by their distance to recordings alone", m.Name, err)
			continue
		}
		if err != nil {
			return models.Checkpoint{}, FilterReport{}, fmt.Errorf("%s: %w", m.Name, err)
		}
		scored = append(scored, q)
		report.Discriminators = append(report.Discriminators, q.Digest())
	}
	file, err := filter.Checkpoint(scored...)
	return file, report, err
}

// Train trains the filter alone, and notes where its classifier is not accurate enough.
func (j FilterJob) Train(ctx context.Context, recordings []dataset.Recording) (*eval.Filter, error) {
	filter, err := eval.TrainFilter(ctx, j.inFilterChannels(recordings), eval.Options{Seed: j.Seed, Epochs: j.Epochs, OnProgress: func(p eval.Progress) {
		j.progress("train the filter", float64(p.Epoch)/float64(max(p.Epochs, 1)))
	}})
	if err != nil {
		return nil, err
	}
	if w := filter.Warning(); w != "" {
		j.note("%s", w)
	}
	return filter, nil
}

// inFilterChannels returns recordings in the channels of the models; without models, as they are.
func (j FilterJob) inFilterChannels(recordings []dataset.Recording) []audio.Clip {
	clips := dataset.Clips(recordings)
	if len(j.Models) == 0 {
		return clips
	}
	var by []models.FrontEnd
	for _, m := range j.Models {
		by = append(by, m.Checkpoint.FrontEnd)
	}
	return frontend.InChannelsOf(clips, by...)
}

// leastUnseen is the least number of unseen recordings that Score is content with.
const leastUnseen = 50

// Score scores recordings with the discriminator of a checkpoint, see [eval.NewDiscriminatorQuantile]: those that the
// checkpoint has not seen or, where they are fewer than 50, all. Recordings of labels that the checkpoint does not know are
// left out.
func (j FilterJob) Score(ctx context.Context, c models.Checkpoint, recordings []dataset.Recording) (*eval.DiscriminatorQuantile, error) {
	const stage = "score recordings"
	j.progress(stage, 0)
	defer j.progress(stage, 1)
	known := slices.DeleteFunc(slices.Clone(recordings), func(r dataset.Recording) bool { return !slices.Contains(c.Labels, r.Label) })
	// An error says that all recordings, or all of some label, were seen. The others are used where they suffice.
	if p, _ := Unseen([]models.Checkpoint{c}, known, dataset.DefaultHoldout(c.Seed)); len(p.Unseen) >= leastUnseen {
		slices.Sort(p.Unseen)
		known = pick(known, p.Unseen)
	}
	return eval.NewDiscriminatorQuantile(ctx, c, dataset.Clips(known), c.Seed)
}

func (j FilterJob) progress(stage string, part float64) {
	if j.OnProgress != nil {
		j.OnProgress(stage, part)
	}
}

func (j FilterJob) note(format string, args ...any) {
	if j.Note != nil {
		j.Note(fmt.Sprintf(format, args...))
	}
}
