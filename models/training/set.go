package training

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"wavemill/audio/dataset"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/pseudolabel"
)

// A Set is what a training learns from. Its clips are in canonical order (label, digest, source).
type Set struct {
	FrontEnd   models.FrontEnd
	Labels     []string            // sorted; Batch.Labels are indices into it
	Train      models.Batch        // [B, T, F], the clips to learn from
	Validation models.Batch        // [B, T, F], the clips that choose the best weights; B is 0 where there are too few
	Data       models.TrainingData // the recordings of both, and those held out
	LabelSets  bool                // labels are sets of labels, see dataset.JoinLabels
}

// Options say how recordings become a Set.
type Options struct {
	// Holdout is the rule of the split. With Resume, the record of the checkpoint replaces it, where there is one.
	Holdout dataset.Holdout
	// Known, when not nil, is the record of another checkpoint: its recordings keep the parts that they have there, so that
	// both can be compared on the same recordings. Others are split by Holdout.
	Known *models.TrainingData
	// FrontEnd chooses the front end for the recordings that may be learnt from, which are in canonical order; nil means
	// frontend.PlanFor. Resume keeps the checkpoint's front end.
	FrontEnd func(learnable []dataset.Recording) (models.FrontEnd, error)
	// OnPlan, when not nil, is called with the front end that was chosen and the recordings that it was chosen for, before
	// their spectrograms are computed. Its error ends Prepare. It is not called with Resume.
	OnPlan func(fe models.FrontEnd, learnable []dataset.Recording) error
	// Resume, when not nil, is the checkpoint that is to be trained further. Its labels and front end are kept, and its
	// recordings keep their parts, see Divide.
	Resume *models.Checkpoint
	// Init, when not nil, is the model that the training starts from. Its front end is used, and its recordings keep their
	// parts; of new recordings none is held out where a label has few.
	Init *models.Checkpoint
	// Unlabelled are recordings whose labels are assigned by those of the labelled ones, package pseudolabel; labels that they
	// have are ignored. Where a label has few recordings, none of the labelled ones is held out. A resumed training keeps the
	// labels that its checkpoint records.
	Unlabelled []dataset.Recording
	// Pseudolabel says how.
	Pseudolabel pseudolabel.Options
	// Note, when not nil, is given a line for a person about each recording that is left out.
	Note func(line string)
}

func (o Options) note(format string, args ...any) {
	if o.Note != nil {
		o.Note(fmt.Sprintf(format, args...))
	}
}

// rule is the rule of the split, and the record that goes before it.
func (o Options) rule() (dataset.Holdout, *models.TrainingData) {
	if o.Resume != nil && o.Resume.Data != nil {
		return Rule(*o.Resume.Data), o.Resume.Data
	}
	if o.Init != nil && o.Init.Data != nil {
		return o.Holdout, o.Init.Data
	}
	return o.Holdout, o.Known
}

// Group is the field that names the groups of recordings, see dataset.Holdout; "" for none.
func (o Options) Group() string {
	rule, _ := o.rule()
	return rule.Group
}

// Select returns the recordings that can be learnt from, and notes why others cannot: files that could not be decoded and
// silent clips.
func (o Options) Select(recordings []dataset.Recording) []dataset.Recording {
	out := make([]dataset.Recording, 0, len(recordings))
	for _, r := range recordings {
		err := r.Err
		if err == nil {
			err = frontend.Usable(r.Clip)
		}
		if err != nil {
			o.note("skipped %s: %v", r.Path, err)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Divide splits recordings by the rule of the options.
func (o Options) Divide(ids []dataset.Identity) (Parts, error) {
	rule, record := o.rule()
	return Divide(ids, o.withFew(rule, ids), record)
}

var errNoRecordings = errors.New("training: none of the recordings can be learnt from")

// Prepare makes a Set of decoded recordings. Recordings that cannot be used are noted and left out before the split.
// Recordings that are held out are neither analysed nor shown to FrontEnd.
func Prepare(ctx context.Context, recordings []dataset.Recording, o Options) (Set, error) {
	usable := o.Select(recordings)
	if len(usable) == 0 {
		return Set{}, errNoRecordings
	}
	m := material{recordings: usable, ids: dataset.Identities(usable)}
	var err error
	if m.parts, err = o.Divide(m.ids); err != nil {
		return Set{}, err
	}
	m.record = o.recordOf(m.ids, m.parts)
	if err := o.addUnlabelled(ctx, &m); err != nil {
		return Set{}, err
	}
	m.record.Unlabelled = m.unlabelled
	fe, err := o.frontEnd(m.recordings, m.parts)
	if err != nil {
		return Set{}, err
	}
	specs, err := o.analyze(ctx, fe, m.recordings, m.parts.Learnable())
	if err != nil {
		return Set{}, err
	}
	return o.assemble(fe, m, specs)
}

// frontEnd plans the front end on the recordings that may be learnt from.
func (o Options) frontEnd(recordings []dataset.Recording, parts Parts) (models.FrontEnd, error) {
	if o.Resume != nil {
		return o.Resume.FrontEnd, nil
	}
	if o.Init != nil {
		return o.Init.FrontEnd, nil
	}
	ids := dataset.Identities(recordings)
	indices := parts.Learnable()
	slices.SortFunc(indices, func(a, b int) int { return order(ids[a], ids[b]) })
	learnable := pick(recordings, indices)
	choose := o.FrontEnd
	if choose == nil {
		choose = func(of []dataset.Recording) (models.FrontEnd, error) { return frontend.PlanFor(dataset.Clips(of)), nil }
	}
	fe, err := choose(learnable)
	if err != nil || o.OnPlan == nil {
		return fe, err
	}
	return fe, o.OnPlan(fe, learnable)
}

// analyze computes the spectrograms of the recordings with the given indices, in parallel. The result has an entry for
// every recording: nil for the others, and for those that the front end refuses, which are noted.
func (o Options) analyze(ctx context.Context, fe models.FrontEnd, recordings []dataset.Recording, indices []int) ([]*spectrogram.Spectrogram, error) {
	front, err := frontend.New(fe)
	if err != nil {
		return nil, err
	}
	out, refused := make([]*spectrogram.Spectrogram, len(recordings)), make([]error, len(recordings))
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, i := range indices {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			out[i], _, refused[i] = front.Analyze(recordings[i].Clip)
			return working.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, err := range refused {
		if err != nil {
			o.note("skipped %s: %v", recordings[i].Path, err)
		}
	}
	return out, ctx.Err()
}

// An Example is a spectrogram with the identity of the recording that it was computed from.
type Example struct {
	Identity    dataset.Identity
	Spectrogram *spectrogram.Spectrogram
}

// PrepareSpectrograms makes a Set of spectrograms that one front end computed. FrontEnd is not used.
func PrepareSpectrograms(fe models.FrontEnd, examples []Example, o Options) (Set, error) {
	if len(examples) == 0 {
		return Set{}, errNoRecordings
	}
	ids, specs := make([]dataset.Identity, len(examples)), make([]*spectrogram.Spectrogram, len(examples))
	for i, e := range examples {
		ids[i], specs[i] = e.Identity, e.Spectrogram
	}
	parts, err := o.Divide(ids)
	if err != nil {
		return Set{}, err
	}
	return o.assemble(fe, material{ids: ids, parts: parts, record: o.recordOf(ids, parts)}, specs)
}

// assemble joins the spectrograms of the parts.
func (o Options) assemble(fe models.FrontEnd, m material, specs []*spectrogram.Spectrogram) (Set, error) {
	ids, parts := m.ids, m.parts
	missing := func(i int) bool { return specs[i] == nil }
	parts.Train = slices.DeleteFunc(parts.Train, missing)
	parts.Validation = slices.DeleteFunc(parts.Validation, missing)
	if len(parts.Train) == 0 {
		return Set{}, errNoRecordings
	}
	s := Set{FrontEnd: fe, Labels: labelsOf(ids, parts.Learnable()), Data: m.record}
	s.LabelSets = slices.ContainsFunc(m.recordings, func(r dataset.Recording) bool { return r.LabelSet })
	if o.Resume != nil {
		s.Labels = o.Resume.Labels
	}
	for _, c := range []*models.Checkpoint{o.Resume, o.Init} {
		if c != nil && c.Data != nil {
			s.Data = withEarlier(s.Data, *c.Data)
		}
	}
	front, err := frontend.New(fe)
	if err != nil {
		return Set{}, err
	}
	if s.Train, err = s.batch(front, ids, specs, parts.Train); err != nil {
		return Set{}, err
	}
	s.Validation, err = s.batch(front, ids, specs, parts.Validation)
	return s, err
}

// batch joins the spectrograms with the given indices.
func (s Set) batch(front *frontend.FrontEnd, ids []dataset.Identity, specs []*spectrogram.Spectrogram, indices []int) (models.Batch, error) {
	if len(indices) == 0 {
		return models.Batch{}, nil
	}
	labels := make([]int, len(indices))
	for i, at := range indices {
		label, ok := slices.BinarySearch(s.Labels, ids[at].Label)
		if !ok {
			return models.Batch{}, fmt.Errorf("training: %s: the model does not know the label %q; it knows %s", ids[at].Source, ids[at].Label, abridge(s.Labels, 12))
		}
		labels[i] = label
	}
	return front.Batch(pick(specs, indices), labels)
}

// abridge joins names, leaving out those beyond n.
func abridge(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}
