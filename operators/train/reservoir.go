package train

import (
	"bytes"
	"cmp"
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"wavemill/audio/npy"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// defaultTrim is the silence threshold of a sender that says nothing about it, the one models/frontend plans with.
const defaultTrim = -40

// A clip is one spectrogram to learn from.
type clip struct {
	label, source string
	sequence      uint64
	hash          [sha256.Size]byte // Of label, source and values: what the clip is, however often it came.
	frontEnd      string            // As JSON.
	spec          *spectrogram.Spectrogram
}

// decode reads a spectrogram message. Every error is Invalid.
func decode(m *pipeline.Message) (*clip, error) {
	c, err := parse(m)
	if err != nil {
		return nil, &pipeline.Error{Kind: pipeline.Invalid, Err: err}
	}
	return c, nil
}

func parse(m *pipeline.Message) (*clip, error) {
	shape, data, err := npy.Decode(m.Body)
	if err != nil {
		return nil, err
	}
	if len(shape) != 2 || shape[0] < 1 || shape[1] < 1 {
		return nil, fmt.Errorf("shape %v; expected [frames, bins]", shape)
	}
	for i, v := range data {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("value %d (frame %d, bin %d) is %v", i, i/shape[1], i%shape[1], v)
		}
	}
	fe, err := frontEndOf(m, shape[0])
	if err != nil {
		return nil, err
	}
	if fe.Frames != shape[0] || fe.Spectrogram.Bins() != shape[1] {
		return nil, fmt.Errorf("the body is [%d, %d], but its headers promise [%d, %d]", shape[0], shape[1], fe.Frames, fe.Spectrogram.Bins())
	}
	text, err := json.Marshal(fe)
	if err != nil {
		return nil, fmt.Errorf("front end: %w", err)
	}
	c := &clip{label: m.Label, source: m.Header[header.Source], sequence: m.Sequence, frontEnd: string(text)}
	c.spec = &spectrogram.Spectrogram{Config: fe.Spectrogram, Frames: shape[0], Bins: shape[1], Data: data}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %s\n", c.label, c.source, c.frontEnd)
	if err := binary.Write(h, binary.LittleEndian, data); err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	h.Sum(c.hash[:0])
	return c, nil
}

// frontEndOf reads Wavemill-Front-End, or completes Wavemill-Spectrogram.
func frontEndOf(m *pipeline.Message, frames int) (models.FrontEnd, error) {
	var fe models.FrontEnd
	if text := m.Header[header.FrontEnd]; text != "" {
		if err := json.Unmarshal([]byte(text), &fe); err != nil {
			return fe, fmt.Errorf("header %s: %w", header.FrontEnd, err)
		}
		return fe, fe.Spectrogram.Validate()
	}
	text := m.Header[header.Spectrogram]
	if text == "" {
		return fe, errors.New("no header " + header.Spectrogram + ": without the transform's configuration there is no way back to sound")
	}
	if err := json.Unmarshal([]byte(text), &fe.Spectrogram); err != nil {
		return fe, fmt.Errorf("header %s: %w", header.Spectrogram, err)
	}
	fe.Frames, fe.TrimDB = frames, defaultTrim
	return fe, fe.Spectrogram.Validate()
}

// compare orders clips by what they are, never by when they came.
func compare(a, b *clip) int {
	return cmp.Or(cmp.Compare(a.label, b.label), cmp.Compare(a.source, b.source), bytes.Compare(a.hash[:], b.hash[:]))
}

// A reservoir collects clips, each once. Of more than its limit it keeps those with the smallest hashes: a fair sample
// that is the same in whatever order they come.
type reservoir struct {
	limit int
	byID  map[[sha256.Size]byte]bool
	heap  largestFirst
}

func newReservoir(limit int) *reservoir {
	return &reservoir{limit: limit, byID: make(map[[sha256.Size]byte]bool)}
}

// add returns whether c is new and kept.
func (r *reservoir) add(c *clip) bool {
	if r.byID[c.hash] {
		return false
	}
	if len(r.heap) >= r.limit {
		largest := r.heap[0]
		if bytes.Compare(c.hash[:], largest.hash[:]) > 0 {
			return false
		}
		heap.Pop(&r.heap)
		delete(r.byID, largest.hash)
	}
	heap.Push(&r.heap, c)
	r.byID[c.hash] = true
	return true
}

func (r *reservoir) len() int { return len(r.heap) }

// largestFirst is a heap for container/heap.
type largestFirst []*clip

func (h largestFirst) Len() int           { return len(h) }
func (h largestFirst) Less(i, j int) bool { return bytes.Compare(h[i].hash[:], h[j].hash[:]) > 0 }
func (h largestFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *largestFirst) Push(x any)        { *h = append(*h, x.(*clip)) }
func (h *largestFirst) Pop() any {
	old := *h
	c := old[len(old)-1]
	*h = old[:len(old)-1]
	return c
}

// A set is what one training run learns from.
type set struct {
	frontEnd models.FrontEnd
	hash     string // Of all its clips in order.
	labels   []string
	train    []*clip // In order.
	val      []*clip
	leftOut  int // Clips of another front end than the newest.
}

// set returns the clips with the newest clip's front end, split by their hashes.
func (r *reservoir) set(validation float64) (set, error) {
	if len(r.heap) == 0 {
		return set{}, errors.New("no clips")
	}
	newest := slices.MaxFunc(r.heap, func(a, b *clip) int {
		return cmp.Or(cmp.Compare(a.sequence, b.sequence), compare(a, b))
	})
	var s set
	if err := json.Unmarshal([]byte(newest.frontEnd), &s.frontEnd); err != nil {
		return set{}, fmt.Errorf("front end: %w", err)
	}
	sorted := slices.SortedFunc(slices.Values(r.heap), compare)
	threshold := uint64(validation * float64(1<<32))
	h := sha256.New()
	for _, c := range sorted {
		if c.frontEnd != newest.frontEnd {
			s.leftOut++
			continue
		}
		s.labels = append(s.labels, c.label)
		h.Write(c.hash[:])
		if uint64(binary.BigEndian.Uint32(c.hash[16:])) < threshold {
			s.val = append(s.val, c)
		} else {
			s.train = append(s.train, c)
		}
	}
	s.labels = slices.Compact(s.labels)
	s.hash = hex.EncodeToString(h.Sum(nil))
	if len(s.train) == 0 { // A handful of clips, all in one half.
		s.train, s.val = s.val, nil
	}
	return s, nil
}

// batches turns the set into what a Trainer takes.
func (s set) batches() (train, val models.Batch, err error) {
	fe, err := frontend.New(s.frontEnd)
	if err != nil {
		return models.Batch{}, models.Batch{}, err
	}
	batch := func(clips []*clip) (models.Batch, error) {
		if len(clips) == 0 {
			return models.Batch{}, nil
		}
		specs, labels := make([]*spectrogram.Spectrogram, len(clips)), make([]int, len(clips))
		for i, c := range clips {
			specs[i] = c.spec
			labels[i], _ = slices.BinarySearch(s.labels, c.label)
		}
		return fe.Batch(specs, labels)
	}
	if train, err = batch(s.train); err == nil {
		val, err = batch(s.val)
	}
	return train, val, err
}
