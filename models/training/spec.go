package training

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wavemill/audio/dataset"
	"wavemill/models"
	"wavemill/models/architecture"
	"wavemill/models/frontend"
	"wavemill/models/vaegan"
)

// DefaultBudget is the budget of a Spec that has neither steps nor a budget.
const DefaultBudget = 10 * time.Minute

// ErrMismatch is returned, wrapped, where a training is to be resumed with other settings than its checkpoint has.
var ErrMismatch = errors.New("other settings need a new training")

// ErrExists is returned, wrapped, where the file of a new training exists.
var ErrExists = errors.New("is there already")

// A Spec describes a training that keeps its checkpoint in a file, as a command line or a configuration does.
type Spec struct {
	// Job is the training. Open sets its Config, Channels, Resume and Save, and the curves of its Files. With Resume, an
	// empty Arch and an empty BestBy mean those of the checkpoint. ArchAuto is a vaegan where ConfigFile or Latent set something,
	// because settings are those of one architecture.
	Job Job

	Out        string          // file of the checkpoint
	Keep       int             // previous checkpoints to keep, see models.Rotation
	ConfigFile string          // JSON with settings of the architecture; "": its defaults
	Latent     int             // latent variables of a vae or vaegan, instead of those in ConfigFile; 0: those
	Width      string          // of the network, see ParseChannels
	FrontEnd   frontend.Choice // compared with the checkpoint's by Resume
	Group      string          // see dataset.Holdout; compared with the checkpoint's by Resume, where either is set
	HoldOut    []string
	Runs       string // folder of TensorBoard, in which the run is named after Out; "": none
	NoCurves   bool   // write no curves, unless Runs needs them
	Init       string // checkpoint of other recordings to start from, ignored by Resume; an empty Arch is its own. "": none
	Resume     bool   // go on from the checkpoint in Out; the settings must be its own, or empty
	Overwrite  bool   // begin anew although Out exists
}

// Rotation is where the checkpoints are kept.
func (s Spec) Rotation() models.Rotation { return models.Rotation{Path: s.Out, Keep: s.Keep} }

// Validate reports the first field that cannot be used, as Job.Validate does, without a look at files.
func (s Spec) Validate() error {
	table := s.Job.Architectures.OrKnown()
	switch {
	case s.Out == "":
		return errors.New("out is missing: the file for the checkpoint")
	case s.Keep < 0 || s.Latent < 0:
		return errors.New("keep and latent must not be negative")
	case s.Resume && s.Overwrite:
		return errors.New("resume and overwrite exclude each other")
	case !s.Resume && s.Latent > 0 && slices.Contains(table.Names(), s.Job.Arch) && !slices.Contains(table.WithEncoder(), s.Job.Arch):
		return fmt.Errorf("latent is for %s; a %s draws noise, whose size is in its configuration", strings.Join(table.WithEncoder(), " and "), s.Job.Arch)
	}
	if _, err := ParseChannels(s.Width); err != nil {
		return err
	}
	if err := s.FrontEnd.Overrides.Validate(); err != nil {
		return err
	}
	j := s.Job
	if (s.Resume || s.Init != "") && j.Arch == "" {
		j.Resume = &models.Checkpoint{} // the architecture is the checkpoint's
	}
	if s.Init != "" {
		j.Init = &models.Checkpoint{}
	}
	return j.Validate()
}

// Open reserves Out, see ReserveOutput, and completes the job with what the files of the Spec say. note is given lines for a
// person. The caller must call release after the training; where there is an error, it is nil.
//
// An error's message begins with the name of a field, as Validate's does. It wraps ErrMismatch where the settings contradict
// the checkpoint to resume, ErrExists, ErrOutput or ErrLocked for Out, ErrFolder for the folders of Files, or is that of reading a file.
func (s Spec) Open(note func(line string)) (j Job, release func() error, err error) {
	switch exists := s.Rotation().Exists(); {
	case s.Resume && !exists:
		return j, nil, fmt.Errorf("resume: there is no checkpoint to go on from: %s", s.Out)
	case exists && !s.Resume && !s.Overwrite:
		return j, nil, fmt.Errorf("out: %s %w", s.Out, ErrExists)
	}
	if release, err = ReserveOutput(s.Rotation()); err != nil {
		return j, nil, fmt.Errorf("out: %w", err)
	}
	if j, err = s.job(note); err == nil {
		err = j.Files.check()
	}
	if err != nil {
		return j, nil, errors.Join(err, release())
	}
	return j, release, nil
}

// job completes the job.
func (s Spec) job(note func(line string)) (Job, error) {
	j := s.Job
	if j.Budget == 0 && j.Steps == 0 {
		j.Budget = DefaultBudget
	}
	j.Save = s.Rotation().Write
	stem := strings.TrimSuffix(s.Out, filepath.Ext(s.Out))
	if s.Runs != "" {
		j.Files.Tensorboard = filepath.Join(s.Runs, filepath.Base(stem))
	}
	if !s.NoCurves || s.Runs != "" {
		j.Files.Curves = stem + ".curves"
	}
	var err error
	if j.Channels, err = ParseChannels(s.Width); err != nil {
		return j, err
	}
	if !s.Resume {
		if j.Arch == ArchAuto && (s.ConfigFile != "" || s.Latent > 0) {
			j.Arch = vaegan.Arch
		}
		if j.Config, err = s.config(j.Arch); err == nil && s.Init != "" {
			err = s.openBase(&j)
		}
		return j, err
	}
	c, path, err := s.Rotation().Read()
	if err != nil {
		return j, fmt.Errorf("resume: %w", err)
	}
	if path != s.Out {
		note(fmt.Sprintf("%s is missing or damaged; going on from the one before, %s, at step %d", s.Out, path, c.Step))
	}
	if c.Data == nil {
		note("the checkpoint does not record which recordings it was trained on; figures on held-out recordings will not be trusted")
	}
	j.Resume = &c
	if err := s.agrees(c); err != nil {
		return j, fmt.Errorf("resume: %w", err)
	}
	return j, nil
}

// config is the configuration that ConfigFile and Latent ask for; nil: the defaults.
func (s Spec) config(arch string) (json.RawMessage, error) {
	var config json.RawMessage
	if s.ConfigFile != "" {
		var err error
		if config, err = models.ReadLimited(s.ConfigFile, 1<<20); err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
	}
	if s.Latent == 0 {
		return config, nil
	}
	with, err := s.Job.Architectures.OrKnown().WithLatent(arch, config, s.Latent)
	if errors.Is(err, architecture.ErrNoEncoder) {
		return nil, fmt.Errorf("a %s has no latent variables to set: %w", arch, ErrMismatch)
	}
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return with, nil
}

// Options say how recordings become the Set of a job that Open returned: the split of the Spec, or that of the checkpoint.
func (s Spec) Options(j Job) Options {
	rule := dataset.DefaultHoldout(j.Seed)
	rule.Group, rule.Out = s.Group, s.HoldOut
	return Options{Holdout: rule, Resume: j.Resume, Init: j.Init}
}
