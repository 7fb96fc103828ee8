package files

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"

	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/internal/atomicfile"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// Clip is a generated clip that has been saved. As JSON it is a line of `wavemill subscribe --json`.
type Clip struct {
	File       string   `json:"file"`            // File is the path of the WAV file.
	Label      string   `json:"label"`           // Label is the label that the clip was generated for.
	Seed       uint64   `json:"seed"`            // Seed repeats the clip with the same model; 0 where the message has none.
	Confidence *float64 `json:"confidence"`      // Confidence is the classifier's, in [0, 1]; nil where no classifier has evaluated the clip.
	Model      string   `json:"model,omitempty"` // Model is the digest of the checkpoint; empty where the message has none.
}

// String is the path of the file.
func (c Clip) String() string { return c.File }

// SaveOptions select clips and the folder for them.
type SaveOptions struct {
	Dir    string // Dir is created if it does not exist.
	Label  string // Label of the clips; empty: all labels.
	Stored bool   // Stored begins with the clips that the stream holds, otherwise with the next one.
	Count  int    // Count ends after this many clips; 0: when ctx is done.
	// OnError, if not nil, receives the error of a message that cannot be read or is no WAV file; the message is left out.
	OnError func(error)
}

// A Subscriber yields the messages of a stream. *pipeline.Bus is one.
type Subscriber interface {
	Messages(ctx context.Context, s pipeline.Subscription) iter.Seq2[*pipeline.Message, error]
}

// SaveAll saves generated clips as they arrive and calls onClip with each. It returns the number of saved clips, and an
// error of the file system or of onClip. The end of ctx is no error without a Count, and an error that states how many
// clips are missing with one.
func SaveAll(ctx context.Context, bus Subscriber, o SaveOptions, onClip func(Clip) error) (int, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return 0, fmt.Errorf("subscribe: %w", err)
	}
	what := pipeline.Subscription{Stream: pipeline.TypeClip, Label: o.Label}
	if o.Stored {
		what.From = 1
	}
	saved := 0
	for m, err := range bus.Messages(ctx, what) {
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			if o.OnError != nil {
				o.OnError(err)
			}
			continue
		}
		clip, err := Save(o.Dir, m)
		if errors.Is(err, ErrNotWAV) {
			if o.OnError != nil {
				o.OnError(err)
			}
			continue
		}
		if err != nil {
			return saved, err
		}
		saved++
		if err := onClip(clip); err != nil {
			return saved, err
		}
		if saved == o.Count {
			return saved, nil
		}
	}
	if o.Count > 0 {
		return saved, fmt.Errorf("subscribe: interrupted after %d of %d clips", saved, o.Count)
	}
	return saved, nil
}

// ErrNotWAV is the error of a message whose body is no WAV file: any client may publish on the subject of clips.
var ErrNotWAV = errors.New("not a WAV file")

// Save writes the clip of a message into dir, whose name is <label>_<sequence>.wav. The sequence in the stream makes the
// name unique, and the same whenever the clip is saved. The file is either complete or absent. The error of a
// body that cannot be read as WAV wraps ErrNotWAV.
func Save(dir string, m *pipeline.Message) (Clip, error) {
	if _, _, err := wav.Decode(m.Body); err != nil {
		return Clip{}, fmt.Errorf("message %d of %s, label %q: %w: %w", m.Sequence, m.Stream, m.Label, ErrNotWAV, err)
	}
	path := filepath.Join(dir, fmt.Sprintf("%s_%06d.wav", dataset.FileSlug(m.Label), m.Sequence))
	// Without sync: the clip can be saved again from the bus.
	if err := atomicfile.Write(path, m.Body, atomicfile.Options{NoSync: true}); err != nil {
		return Clip{}, err
	}
	clip := Clip{File: path, Label: m.Label, Model: m.Header[header.Model]}
	// Clips of other programs may have no seed or confidence.
	clip.Seed, _ = strconv.ParseUint(m.Header[header.Seed], 10, 64)
	if c, err := strconv.ParseFloat(m.Header[header.Confidence], 64); err == nil {
		clip.Confidence = &c
	}
	return clip, nil
}
