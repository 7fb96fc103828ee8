package models

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"wavemill/audio/spectrogram"
)

// Format is the version of the checkpoint format that this package writes. It reads all versions up to it.
const Format = 1

// OptimizerPrefix begins the names of tensors that only training needs.
const OptimizerPrefix = "optimizer/"

// FilterArch is the Checkpoint.Arch of filters of clips, which package eval reads and writes. They are no models.
const FilterArch = "judge"

// A Checkpoint is self-describing: it alone suffices to load a model, to go on training it and to generate from it.
// It is a safetensors file whose metadata holds everything but the tensors as JSON under the key "wavemill".
type Checkpoint struct {
	Format    int                `json:"format"`
	Arch      string             `json:"arch"`   // name in the table of models/architectures
	Config    json.RawMessage    `json:"config"` // of the architecture
	FrontEnd  FrontEnd           `json:"front_end"`
	Labels    []string           `json:"labels"`
	Step      int64              `json:"step"`                // steps made
	Planned   int64              `json:"planned_steps"`       // steps that were to be made in all
	BatchSize int                `json:"batch_size"`          // clips a step
	Seed      uint64             `json:"seed"`                // of initialisation, data order and all noise
	DataHash  string             `json:"data_hash,omitempty"` // SHA-256 of the training batch
	Metrics   map[string]float64 `json:"metrics,omitempty"`   // figures at this step, such as "val/loss"
	RNG       []byte             `json:"rng,omitempty"`       // the trainer's PCG
	Averages  Averages           `json:"averages,omitempty"`  // the trainer's smoothed losses

	WeightsStep int64      `json:"weights_step,omitempty"` // of the weights that generate; 0: Step
	Best        *Best      `json:"best,omitempty"`         // how they were chosen; nil: the last ones were
	Warnings    []Warning  `json:"warnings,omitempty"`     // what was wrong with what they make
	Rollbacks   []Rollback `json:"rollbacks,omitempty"`    // divergences, of the whole training

	// Base is the digest of the model whose weights the training started from; empty: it started untrained.
	Base string `json:"base,omitempty"`
	// Frozen are the parts of the networks that kept their weights, see PartFreezer.
	Frozen []string `json:"frozen,omitempty"`

	// Data says which recordings were learnt from and held out; nil in checkpoints that were written before it was
	// recorded, whose held-out figures cannot be trusted.
	Data *TrainingData `json:"data,omitempty"`

	Tensors []Tensor `json:"-"`
}

// FrontEnd says everything that happens between clips and batches, in both directions.
type FrontEnd struct {
	Spectrogram spectrogram.Config `json:"spectrogram"`
	// Frames per clip, T. Shorter clips are padded with silence, longer ones cut.
	Frames int `json:"frames"`
	// TrimDB is the level, in decibels below the clip's peak and so negative, under which its beginning and end count
	// as silence and are cut off. 0 keeps them.
	TrimDB float64 `json:"trim_db,omitempty"`
	// Phase is how magnitudes get a phase on the way back; the zero value is spectrogram's default for the Config.
	// Its Seed is not used: every clip has its own.
	Phase spectrogram.Phase `json:"phase,omitzero"`
}

// A Tensor is a named array of float32, row-major.
type Tensor struct {
	Name  string
	Shape []int // a scalar has none
	Data  []float32
}

// Tensor returns the tensor with that name.
func (c Checkpoint) Tensor(name string) (Tensor, error) {
	for _, t := range c.Tensors {
		if t.Name == name {
			return t, nil
		}
	}
	return Tensor{}, fmt.Errorf("checkpoint: no tensor %q", name)
}

// WithoutOptimizer returns c without what only training needs: a third of the size, good for generating alone.
func (c Checkpoint) WithoutOptimizer() Checkpoint {
	c.Tensors = slices.DeleteFunc(slices.Clone(c.Tensors), func(t Tensor) bool {
		return strings.HasPrefix(t.Name, OptimizerPrefix)
	})
	c.RNG, c.Averages = nil, nil
	return c
}

// Validate reports the first thing that makes c unfit to be saved or used.
func (c Checkpoint) Validate() error {
	if c.Format < 1 || c.Format > Format {
		return fmt.Errorf("checkpoint: format %d; this program knows 1 to %d", c.Format, Format)
	}
	if c.Arch == "" {
		return errors.New("checkpoint: no architecture is named")
	}
	seen := make(map[string]bool, len(c.Tensors))
	for _, t := range c.Tensors {
		if t.Name == "" || t.Name == metadataKey || seen[t.Name] {
			return fmt.Errorf("checkpoint: tensor name %q is empty, reserved or there twice", t.Name)
		}
		seen[t.Name] = true
		n, err := elements(t.Shape)
		if err != nil {
			return fmt.Errorf("checkpoint: tensor %q: %w", t.Name, err)
		}
		if n != len(t.Data) {
			return fmt.Errorf("checkpoint: tensor %q: %d values for shape %v", t.Name, len(t.Data), t.Shape)
		}
		for i, v := range t.Data {
			if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
				return fmt.Errorf("checkpoint: tensor %q: value %d is %v", t.Name, i, v)
			}
		}
	}
	return nil
}

// Digest identifies the checkpoint's content: the SHA-256, in hexadecimal, of its metadata and tensors in order.
// It is the same before Encode and after Decode.
func (c Checkpoint) Digest() (string, error) {
	meta, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	h := sha256.New()
	h.Write(meta)
	for _, t := range c.Tensors {
		fmt.Fprintf(h, "\x00%q %v\x00", t.Name, t.Shape)
		h.Write(littleEndian(t.Data))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Encode returns c as a safetensors file. Equal checkpoints give equal bytes.
func (c Checkpoint) Encode() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	meta, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	digest, err := c.Digest()
	if err != nil {
		return nil, err
	}
	return encodeSafetensors(c.Tensors, map[string]string{"format": "wavemill", "wavemill": string(meta), "sha256": digest})
}

// Decode reads what Encode wrote. It checks the digest, and allocates no more than a small multiple of len(b).
func Decode(b []byte) (Checkpoint, error) {
	tensors, meta, err := decodeSafetensors(b)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	text, ok := meta["wavemill"]
	if !ok {
		return Checkpoint{}, errors.New("checkpoint: " + notOurs)
	}
	var c Checkpoint
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: metadata: %w", err)
	}
	c.Tensors = tensors
	if err := c.Validate(); err != nil {
		return Checkpoint{}, err
	}
	digest, err := c.Digest()
	if err != nil {
		return Checkpoint{}, err
	}
	if digest != meta["sha256"] {
		return Checkpoint{}, fmt.Errorf("checkpoint: content has SHA-256 %s, its metadata says %q: the file is damaged", digest, meta["sha256"])
	}
	return c, nil
}

// Write writes c to the named file: all of it or, on error, nothing (temporary file, sync, rename).
func (c Checkpoint) Write(path string) error {
	b, err := c.Encode()
	if err != nil {
		return err
	}
	return replaceFile(path, b, nil)
}

// fileLimit is the greatest size of a checkpoint's file in bytes: many times what the largest networks need.
const fileLimit = 4 << 30

// Read reads the checkpoint in the named file. It refuses what is not a regular file, such as a device that never ends, and
// reads no more than eight bytes of a file that cannot be a checkpoint by its length.
func Read(path string) (Checkpoint, error) {
	b, err := readRegular(path)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	c, err := Decode(b)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// readRegular reads a regular file that begins as safetensors do.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path) // before it is opened: to open a named pipe waits for a writer
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: is a directory; name a file in it, such as model.safetensors", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a regular file; copy its content to one", path)
	case info.Size() > fileLimit:
		return nil, fmt.Errorf("%s: %d bytes are more than a checkpoint has (limit %d)", path, info.Size(), int64(fileLimit))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(8, info.Size()), info.Size())
	if _, err = io.ReadFull(f, b); err == nil {
		_, err = headerLength(b, int(info.Size()))
	}
	if err == nil {
		b = b[:info.Size()]
		_, err = io.ReadFull(f, b[8:])
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// ReadLimited reads a file, which may be a pipe, of limit bytes at most; a longer one and a device are an error.
func ReadLimited(path string, limit int64) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeDevice != 0 {
		return nil, fmt.Errorf("%s: is a device; name a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: has more than %d bytes, the limit for such a file", path, limit)
	}
	return b, errors.Join(err, f.Close())
}

// littleEndian returns the bytes of x.
func littleEndian(x []float32) []byte {
	b := make([]byte, 4*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	return b
}
