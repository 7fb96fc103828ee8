package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/pipeline/modelstore"
)

// parseFrontEnd reads a front end in the configuration; nil where there is none.
func parseFrontEnd(doc yaml.RawMessage) (*models.FrontEnd, error) {
	if len(doc) == 0 {
		return nil, nil // None is an answer.
	}
	text, err := yaml.YAMLToJSON(doc)
	if err != nil {
		return nil, fmt.Errorf("front_end: %s", yaml.FormatError(err, false, true))
	}
	var fe models.FrontEnd
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&fe); err != nil {
		return nil, fmt.Errorf("front_end: %w", err)
	}
	if _, err := frontend.New(fe); err != nil {
		return nil, fmt.Errorf("front_end: %w", err)
	}
	return &fe, nil
}

// analysis is what of a front end leads from a clip to its spectrogram. How magnitudes get a phase on the way back is not part of
// it: versions of the operator spectrogram differ in their default, and their spectrograms are the same.
func analysis(fe models.FrontEnd) models.FrontEnd {
	fe.Phase = spectrogram.Phase{}
	return fe
}

// alike reports whether two front ends make the same spectrograms.
func alike(a, b models.FrontEnd) bool { return analysis(a) == analysis(b) }

// foreign is the error of a clip of another front end. It names the first fields that differ.
func foreign(got, want models.FrontEnd) error {
	var differ []string
	compare := func(name string, got, want any) {
		if got != want && len(differ) < 3 {
			differ = append(differ, fmt.Sprintf("%s is %v, not %v", name, got, want))
		}
	}
	g, w := got.Spectrogram, want.Spectrogram
	compare("sample_rate", g.SampleRate, w.SampleRate)
	compare("n_fft", g.NFFT, w.NFFT)
	compare("hop", g.Hop, w.Hop)
	compare("channels", max(1, g.Channels), max(1, w.Channels))
	compare("bins", g.Bins(), w.Bins())
	compare("frames", got.Frames, want.Frames)
	compare("trim_db", got.TrimDB, want.TrimDB)
	if len(differ) == 0 {
		compare("the front end", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
	}
	return errors.New("the spectrogram has another front end than those that this model learns from: " + strings.Join(differ, ", "))
}

// pinServed takes the front end of the stored model, unless the configuration has one.
func (o *operator) pinServed(ctx context.Context) error {
	if o.frontEnd != nil {
		return nil
	}
	for _, key := range []string{o.config.Name, Unfinished(o.config.Name)} {
		entry, err := o.env.Bus.Models().Get(ctx, key)
		if errors.Is(err, modelstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		content, err := o.env.Bus.Models().Load(ctx, entry)
		if err != nil {
			return err
		}
		if c, err := models.Decode(content); err == nil {
			return o.pin(ctx, c.FrontEnd)
		}
		o.log.Warn("a stored model cannot be read; its front end is not kept", "key", key, "version", entry.Version)
	}
	return nil
}

// pin decides on the front end, and makes dead letters of the clips collected so far that have another one.
func (o *operator) pin(ctx context.Context, fe models.FrontEnd) error {
	o.mu.Lock()
	var sequences []uint64
	if o.pinned == nil {
		sequences = o.clips.keepOnly(fe)
		o.pinned = &fe
	}
	o.mu.Unlock()
	if len(sequences) == 0 {
		return nil
	}
	reason := errors.New("the spectrogram has another front end than most of those that there were when the first training began")
	o.log.Warn("spectrograms of another front end are refused; they become dead letters", "clips", len(sequences), "kept", fe.Spectrogram)
	o.tell(ctx, Notice{Kind: NoticeForeign, Reason: reason.Error(), Clips: len(sequences)})
	return o.env.Bus.Refuse(ctx, o.env.Operator, o.env.From, sequences, reason)
}
