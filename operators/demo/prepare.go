package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"wavemill/audio/dataset"
	"wavemill/models/frontend"
	"wavemill/models/report"
	"wavemill/models/training"
)

// prepare reads the recordings, plans the front end, and claims the folder.
func (r *run) prepare(ctx context.Context) error {
	if err := os.MkdirAll(r.o.Out, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	set, all, err := r.o.Recordings(ctx)
	if err != nil {
		return err
	}
	r.set = set
	if err := r.plan(all); err != nil {
		return err
	}
	found, err := claim(r.o.Out, r.fingerprint(), r.o.Command)
	switch {
	case err != nil:
		return err
	case found == claimResumed:
		r.o.Progress.Note("going on where this demo was interrupted")
	case found == claimReplaced:
		r.o.Progress.Note("replacing the results of an earlier demo in %s", r.o.Out)
	}
	return nil
}

// plan chooses the front end on the recordings that the train operator will learn from, as the train command does, and
// notes what it does to recordings. Those that cannot be used are published all the same: the spectrogram operator turns
// them into dead letters with the reason.
func (r *run) plan(all []dataset.Recording) error {
	if len(all) == 0 {
		return errors.New("demo: there are no recordings")
	}
	options := training.Options{Holdout: r.o.Holdout}
	if r.recordings = options.Select(all); len(r.recordings) == 0 {
		if readable := dataset.Usable(all); len(readable) > 0 {
			return errors.New("all recordings are silent")
		}
		return fmt.Errorf("none of the %d recordings can be read; the first: %s: %w", len(all), all[0].Path, all[0].Err)
	}
	parts, err := options.Divide(dataset.Identities(r.recordings))
	if err != nil {
		return err
	}
	learnable := pick(r.recordings, parts.Learnable())
	if r.o.FrontEnd == nil {
		r.frontEnd = frontend.PlanFor(dataset.Clips(learnable))
	} else if r.frontEnd, err = r.o.FrontEnd(learnable); err != nil {
		return err
	}
	r.labels = dataset.Labels(r.recordings)
	r.notes = report.RecordingNotes(r.recordings, r.frontEnd.Spectrogram.SampleRate, max(1, r.frontEnd.Spectrogram.Channels))
	for _, n := range r.notes {
		r.o.Progress.Note("%s", n)
	}
	if r.o.OnPlan == nil {
		return nil
	}
	return r.o.OnPlan(r.frontEnd, learnable)
}

// fingerprint is a hash of the recordings and of everything that decides the model.
func (r *run) fingerprint() string {
	h := sha256.New()
	// Plain data marshals, and a hash takes all of it.
	_ = json.NewEncoder(h).Encode([]any{
		r.set.Hash(), r.frontEnd, r.o.Arch, r.o.Seed, r.o.Steps, r.o.Budget, r.o.URL, r.o.Pipeline, r.o.Holdout.Group, r.o.Holdout.Out,
	})
	return hex.EncodeToString(h.Sum(nil))
}
