package train

import (
	"bytes"
	"cmp"
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"wavemill/audio/dataset"
	"wavemill/audio/fingerprint"
	"wavemill/audio/spectrogram"
	"wavemill/models"
	"wavemill/models/frontend"
	"wavemill/models/training"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// A clip is one spectrogram of the stream.
type clip struct {
	identity dataset.Identity
	sequence uint64
	hash     [sha256.Size]byte // Of label, source, front end and values: equal for copies of one message.
	frontEnd models.FrontEnd
	spec     *spectrogram.Spectrogram
}

// decode reads a spectrogram message. Every error is Invalid.
func decode(m *pipeline.Message) (*clip, error) {
	c, err := parse(m)
	if err != nil {
		return nil, &pipeline.Error{Kind: pipeline.Invalid, Err: err}
	}
	return c, nil
}

// maxLabel is the longest label, in bytes, that a request for clips may have: see docs/bus.md.
const maxLabel = 4096

// checkLabel returns why no clip of a label could ever be generated, or nil: requests name it, and the files of clips have it in a
// tag, which ends at a NUL.
func checkLabel(label string) error {
	switch {
	case len(label) > maxLabel:
		return fmt.Errorf("the label has %d bytes, and clips can be asked for by labels of at most %d; shorten it", len(label), maxLabel)
	case strings.ContainsRune(label, 0):
		return fmt.Errorf("the label %q has a zero byte, which the tags of a WAV file cannot hold; take it out", label)
	}
	return nil
}

func parse(m *pipeline.Message) (*clip, error) {
	if err := checkLabel(m.Label); err != nil {
		return nil, err
	}
	fe, spec, err := frontend.DecodeArray(m.Body, m.Header[header.FrontEnd], m.Header[header.Spectrogram])
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(fe)
	if err != nil {
		return nil, fmt.Errorf("front end: %w", err)
	}
	c := &clip{identity: identityOf(m, spec.Data), sequence: m.Sequence, frontEnd: fe, spec: spec}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %s\n", c.identity.Label, c.identity.Source, text)
	if err := binary.Write(h, binary.LittleEndian, spec.Data); err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	h.Sum(c.hash[:0])
	return c, nil
}

// identityOf reads the identity of the recording that a spectrogram was computed from. Without a digest in the headers, that
// of the values stands in: it recognises exact copies, and the recording as no other program knows it. A fingerprint that
// cannot be read is left out.
func identityOf(m *pipeline.Message, values []float32) dataset.Identity {
	id := dataset.Identity{Source: m.Header[header.Source], Label: m.Label, Group: m.Header[header.Group], Digest: m.Header[header.Recording]}
	var p fingerprint.Print
	if err := p.UnmarshalText([]byte(m.Header[header.Fingerprint])); err == nil {
		id.Print = p
	}
	if id.Digest == "" {
		h := sha256.New()
		for _, v := range values {
			h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
		id.Digest = hex.EncodeToString(h.Sum(nil)[:16])
	}
	return id
}

// compare orders clips by content, never by arrival.
func compare(a, b *clip) int {
	return cmp.Or(cmp.Compare(a.identity.Label, b.identity.Label), cmp.Compare(a.identity.Source, b.identity.Source), bytes.Compare(a.hash[:], b.hash[:]))
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

// A collection is the clips that one training is given: those of one front end.
type collection struct {
	frontEnd models.FrontEnd
	hash     string // Of all its clips in order.
	examples []training.Example
}

// collect returns the clips of a front end, and of those that are alike.
func (r *reservoir) collect(fe models.FrontEnd) collection {
	c := collection{frontEnd: fe}
	h := sha256.New()
	for _, x := range slices.SortedFunc(slices.Values(r.heap), compare) {
		if !alike(x.frontEnd, fe) {
			continue
		}
		h.Write(x.hash[:])
		c.examples = append(c.examples, training.Example{Identity: x.identity, Spectrogram: x.spec})
	}
	c.hash = hex.EncodeToString(h.Sum(nil))
	return c
}

// majority returns the front end that most clips have, and how many have it or one that is alike. Of two with equally many, and of
// those that are alike, it is that of the clip that came first; without clips, the zero value.
func (r *reservoir) majority() (fe models.FrontEnd, clips int) {
	type group struct {
		clips int
		first *clip
	}
	groups := map[models.FrontEnd]group{}
	for _, x := range r.heap {
		key := analysis(x.frontEnd)
		g := groups[key]
		if g.first == nil || x.sequence < g.first.sequence {
			g.first = x
		}
		g.clips++
		groups[key] = g
	}
	best := group{}
	for _, g := range groups {
		if g.clips > best.clips || g.clips == best.clips && g.first.sequence < best.first.sequence {
			fe, best = g.first.frontEnd, g
		}
	}
	return fe, best.clips
}

// keepOnly takes out the clips of other front ends and returns their places in the stream. Those of a front end that is alike get fe.
func (r *reservoir) keepOnly(fe models.FrontEnd) (sequences []uint64) {
	var kept largestFirst
	for _, x := range r.heap {
		if alike(x.frontEnd, fe) {
			x.frontEnd = fe
			kept = append(kept, x)
			continue
		}
		sequences = append(sequences, x.sequence)
		delete(r.byID, x.hash)
	}
	r.heap = kept
	heap.Init(&r.heap)
	return sequences
}
