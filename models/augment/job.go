package augment

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/models/eval"
	"wavemill/models/sampling"
	"wavemill/models/training"
)

// A Progress begins to show a task of total units; 0: the total is not known yet. Nil in a [Job] shows nothing.
type Progress func(name string, total int64, unit string) Task

// A Task is one task of a [Progress].
type Task interface {
	Total(n int64)
	Set(done int64)
	Done()
}

// A Job brings every label of a data set to a number of clips. To and Store are required.
type Job struct {
	// To is how many clips each label is to have, recordings included.
	To int
	// Seed is the seed of the first clip of each label, and of the classifiers.
	Seed uint64
	// Confidence is the least probability of the right label, by the filter's classifier. 0 is 0.5, or no check of the
	// label where the classifier has too few recordings to be reliable ([eval.Filter.WithReliableLabels]).
	Confidence float64
	// Epochs of the filter's classifier; 0: as [eval.Options] says.
	Epochs int
	// Proof trains classifiers without and with the clips, both with tuned augmentation. Where no clip was added, there is
	// nothing to prove.
	Proof bool
	// Effort is what the proof may take.
	Effort Effort
	// RequireGain says that the caller asks [Report.CheckGain], which needs a proof.
	RequireGain bool
	// Out is the folder of the clips, for the report alone; Store writes them.
	Out string
	// Store writes a file of the job, named without folders: a clip, the manifest or the report.
	Store func(name string, data []byte) error
	// Progress and Note may be nil. Note gets messages for the user.
	Progress Progress
	Note     func(message string)
}

// Validate reports what is wrong with the job, beginning with the name of the field in lower case. Run returns the same.
func (j Job) Validate() error {
	switch {
	case j.To < 1:
		return fmt.Errorf("to %d: ask for one clip or more of each label", j.To)
	case j.To > sampling.MaxClips:
		return fmt.Errorf("to %d: ask for %d clips of each label at most", j.To, sampling.MaxClips)
	case j.Epochs < 0:
		return fmt.Errorf("epochs %d is negative", j.Epochs)
	case !(j.Confidence >= 0 && j.Confidence < 1):
		return fmt.Errorf("confidence %g is not between 0 and 1", j.Confidence)
	case j.RequireGain && !j.Proof:
		return errors.New("require-gain needs the proof; leave --proof=false out")
	}
	return j.Effort.Validate()
}

// Run generates the missing clips of every label of the recordings, and returns what it did. s is the division of the
// recordings, from [HoldOut] or [TestOn]. The manifest lists all recordings and the clips. The errors are [ErrNoLabel], those of
// [Split.CheckTest] where a proof is wanted, [eval.ErrTrialBudget] where its budget does not suffice, and those of the
// classifiers' training, of generation, and of Store.
func (j Job) Run(ctx context.Context, sampler *sampling.Sampler, recordings []dataset.Recording, s Split) (Report, error) {
	if err := j.Validate(); err != nil {
		return Report{}, fmt.Errorf("augment: %w", err)
	}
	r := &run{Job: j, sampler: sampler, recordings: recordings, split: s, report: Report{
		Out: j.Out, Manifest: filepath.Join(j.Out, ManifestName), Model: sampler.Digest, Seed: j.Seed, To: j.To,
		HeldOut: []training.HeldOut{}, HeldOutTrusted: s.Trusted,
	}}
	if err := r.prepare(ctx); err != nil {
		return Report{}, err
	}
	for _, label := range labelsOf(recordings) {
		if err := r.fill(ctx, label); err != nil {
			return Report{}, err
		}
	}
	if j.Proof && len(r.added) == 0 {
		r.note("no clip was added: there is nothing to prove")
	} else if j.Proof {
		if err := r.prove(ctx); err != nil {
			return Report{}, err
		}
	}
	if err := r.writeManifest(); err != nil {
		return Report{}, err
	}
	text, err := json.MarshalIndent(r.report, "", "  ")
	if err != nil {
		return Report{}, err
	}
	return r.report, j.Store(ReportName, append(text, '\n'))
}

// A run is a job at work.
type run struct {
	Job
	sampler    *sampling.Sampler
	recordings []dataset.Recording
	split      Split
	filter     *eval.Filter
	added      []added
	report     Report
}

// added is a clip that was kept.
type added struct {
	file                string
	label               string
	seed                uint64
	confidence, newness float64
	sound               audio.Clip // for the proof; empty without one
}

// labelsOf returns the labels of recordings, sorted.
func labelsOf(recordings []dataset.Recording) []string {
	labels := map[string]bool{}
	for _, r := range recordings {
		labels[r.Label] = true
	}
	return slices.Sorted(maps.Keys(labels))
}

// ErrNoLabel is returned, wrapped, where the model knows no label of the recordings.
var ErrNoLabel = errors.New("the model knows no label of the recordings")

// prepare makes the checks that need no classifier, and trains the filter where clips can be added.
func (r *run) prepare(ctx context.Context) error {
	count := map[string]int{}
	for _, of := range r.recordings {
		count[of.Label]++
	}
	known, missing, possible := 0, 0, 0
	for label, n := range count {
		need := max(0, r.To-n)
		missing += need
		if slices.Contains(r.sampler.Labels, label) {
			known++
			possible += need
		}
	}
	switch {
	case known == 0 && len(count) > 0:
		return fmt.Errorf("%w: the model has %q, the recordings %q", ErrNoLabel, first(r.sampler.Labels), first(labelsOf(r.recordings)))
	case missing == 0:
		r.note("every label has %d recordings already: nothing is added", r.To)
		return nil
	case possible == 0:
		return nil // fill notes each label that the model does not know
	}
	if r.Proof {
		if err := r.split.CheckTest(); err != nil {
			return err
		}
	}
	return r.trainFilter(ctx)
}

// first returns the first dozen of labels.
func first(labels []string) []string { return labels[:min(len(labels), 12)] }

// trainFilter trains the filter that clips have to pass.
func (r *run) trainFilter(ctx context.Context) error {
	task := r.start("train the classifier", 0, "epochs")
	defer task.Done()
	train := r.clips(r.split.Train)
	c, err := eval.Train(ctx, train, eval.Options{Seed: r.Seed, Epochs: r.Epochs, OnProgress: func(p eval.Progress) {
		task.Total(int64(p.Epochs))
		task.Set(int64(p.Epoch))
	}})
	if err != nil {
		return err
	}
	r.report.Judge = c.HeldOut()
	if !c.Reliable() && r.Confidence == 0 {
		task.Done()
		r.note("the classifier rejects no clips: %s; only silence and copies are rejected, unless a confidence is given", c.Unreliable())
	}
	if r.filter, err = eval.NewFilter(ctx, c, train, r.Confidence); err != nil {
		return err
	}
	if r.Confidence == 0 {
		r.filter = r.filter.WithReliableLabels()
		if rare := r.filter.Rare(); c.Reliable() && len(rare) > 0 {
			r.note("too few recordings to reject clips for their label, only silence and copies: %s", strings.Join(rare, ", "))
		}
	}
	return nil
}

// A label is given up where fewer than one try in patience passes, but not before least tries.
const (
	patience = 20
	least    = 200
)

// fill brings one label to the number wanted.
func (r *run) fill(ctx context.Context, label string) error {
	l := Label{Label: label, Refused: sampling.Rejections{}}
	for _, of := range r.recordings {
		if of.Label == label {
			l.Recordings++
		}
	}
	need := max(0, r.To-l.Recordings)
	if need > 0 && !slices.Contains(r.sampler.Labels, label) {
		r.note("%s: the model does not know this label; nothing is added", label)
	} else if need > 0 {
		tally, err := r.generate(ctx, label, need)
		if err != nil {
			return err
		}
		l.Generated, l.Tried, l.Acceptance, l.Refused = tally.Passed, tally.Tried, tally.Rate(), tally.Rejected
		if l.Generated < need {
			r.note("%s: only %d of %d tries passed the filter (refused: %s); %d clips are missing. Train the model longer, or lower the confidence",
				label, l.Generated, l.Tried, l.Refused, need-l.Generated)
		}
	}
	l.Missing = need - l.Generated
	r.report.Labels = append(r.report.Labels, l)
	r.report.Generated += l.Generated
	return nil
}

// generate generates and stores clips of one label.
func (r *run) generate(ctx context.Context, label string, n int) (sampling.Tally, error) {
	task := r.start("top up "+label, int64(n), "clips")
	defer task.Done()
	done := int64(0)
	kind := sampling.Labels([]string{label}, 0)[0]
	policy := sampling.Policy{N: n, Seed: r.Seed, Patience: patience, Least: least}
	return r.sampler.Accept(ctx, kind, r.filter, policy, func(a sampling.Attempt) error {
		data, err := a.WAV(wav.PCM16)
		if err != nil {
			return err
		}
		c := added{file: kind.FileName(a.Seed), label: label, seed: a.Seed, confidence: a.Confidence, newness: a.Newness}
		if r.Proof {
			if c.sound, err = a.Decoded(); err != nil {
				return err
			}
		}
		if err := r.Store(c.file, data); err != nil {
			return err
		}
		r.added = append(r.added, c)
		done++
		task.Set(done)
		return nil
	})
}

// writeManifest lists recordings and clips with their labels and weights, as `--labels manifest.csv` reads them.
func (r *run) writeManifest() error {
	weights := map[string]string{}
	for _, l := range r.report.Labels {
		weights[l.Label] = strconv.FormatFloat(l.weight(), 'f', 3, 64)
	}
	rows := [][]string{{"file", "label", "origin", "seed", "confidence", "newness", "weight"}}
	for _, of := range r.recordings {
		path, err := filepath.Abs(of.Path)
		if err != nil {
			return err
		}
		rows = append(rows, []string{path, of.Label, "recorded", "", "", "", weights[of.Label]})
	}
	for _, c := range r.added {
		rows = append(rows, []string{
			c.file, c.label, "generated", strconv.FormatUint(c.seed, 10),
			strconv.FormatFloat(c.confidence, 'f', 4, 64), strconv.FormatFloat(c.newness, 'f', 3, 64), "1.000",
		})
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		return err
	}
	return r.Store(ManifestName, b.Bytes())
}

func (r *run) note(format string, args ...any) {
	if r.Note != nil {
		r.Note(fmt.Sprintf(format, args...))
	}
}

func (r *run) start(name string, total int64, unit string) Task {
	if r.Progress == nil {
		return noTask{}
	}
	return r.Progress(name, total, unit)
}

// noTask is the task of a job without progress.
type noTask struct{}

func (noTask) Total(int64) {}
func (noTask) Set(int64)   {}
func (noTask) Done()       {}
