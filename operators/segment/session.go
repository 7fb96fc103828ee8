package segment

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"wavemill/audio"
	"wavemill/audio/slice"
	"wavemill/audio/wav"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// A place is a chunk in the stream, and its samples in the source.
type place struct {
	Sequence uint64
	Start    int64 // Frames from where the slicer began.
	Frames   int64
}

// A span is the numbers of chunks that never came: [From, To).
type span struct{ From, To int64 }

// A session is the audio of one source from one beginning on. What is exported is stored, see checkpoint.go.
type session struct {
	Source, Label, Group string
	FirstID              string // Of chunk 0, or of the one with which it began.
	Next                 int64  // The number of the chunk that comes next.
	Missing              []span // The last gaps.
	Rate, Channels       int
	Encoding             wav.Encoding
	Base                 int64    // Frames in the source before the slicer began.
	Places               []place  // Chunks whose samples the slicer still needs.
	Waits                []place  // Chunks that wait for an earlier one; only Sequence is set.
	Used                 uint64   // The sequence of its last chunk.
	Recent               []used   // The last chunks that were used.
	Early                []uint64 // Chunks behind this place in the stream that an end before has taken, see operator.early.

	slicer *slice.Slicer
	waits  []*chunk // The same as Waits, by number.
	dirty  bool
}

// A clip is what becomes a message.
type clip struct {
	source, label, group string
	start, end           float64 // Seconds.
	ended                string
	body                 []byte
}

// What happens to chunks that are not the next one.
var errLate = errors.New("the chunk arrived after its gap was closed; its samples are in no clip")

// maxMissing is how many gaps a session remembers.
const maxMissing = 32

// newSession begins with a chunk.
func newSession(c *chunk, config slice.Config, encoding wav.Encoding) (*session, error) {
	s := &session{
		Source: c.source, Label: c.label, Group: c.group, FirstID: c.id, Next: c.number,
		Rate: c.clip.Rate, Channels: c.clip.Channels, Encoding: encoding,
	}
	return s, s.begin(config)
}

// begin begins a slicer.
func (s *session) begin(config slice.Config) (err error) {
	s.slicer, err = slice.New(config, s.Rate, s.Channels)
	s.Places = nil
	return err
}

// repeated reports whether a chunk has been taken before.
func (s *session) repeated(c *chunk) bool {
	if slices.ContainsFunc(s.waits, func(w *chunk) bool { return w.number == c.number }) {
		return true
	}
	return c.number < s.Next && !slices.ContainsFunc(s.Missing, func(m span) bool { return m.From <= c.number && c.number < m.To })
}

// wait keeps a chunk until the earlier ones are there.
func (s *session) wait(c *chunk) {
	at, _ := slices.BinarySearchFunc(s.waits, c.number, func(w *chunk, n int64) int { return cmp.Compare(w.number, n) })
	s.waits = slices.Insert(s.waits, at, c)
	s.Waits = slices.Insert(s.Waits, at, place{Sequence: c.sequence})
}

// ready returns the next chunk of those that wait, if it is there.
func (s *session) ready() *chunk {
	if len(s.waits) == 0 || s.waits[0].number != s.Next {
		return nil
	}
	c := s.waits[0]
	s.waits, s.Waits = s.waits[1:], s.Waits[1:]
	return c
}

// write gives the next chunk to the slicer.
func (s *session) write(c *chunk, keep func(clip)) error {
	s.Next = c.number + 1
	if c.number == 0 {
		s.FirstID = c.id
	}
	s.Recent = append(s.Recent, used{c.number, c.sum})
	s.Recent = s.Recent[max(0, len(s.Recent)-maxRecent):]
	if n := int64(c.clip.Frames()); n > 0 {
		s.Places = append(s.Places, place{c.sequence, s.slicer.Position(), n})
		if err := s.slicer.Write(c.clip.Samples, s.emit(keep)); err != nil {
			return err
		}
	}
	needed := s.slicer.Needed()
	s.Places = slices.DeleteFunc(s.Places, func(p place) bool { return p.Start+p.Frames <= needed })
	return nil
}

// end ends the audio at this place: a clip in progress is complete.
func (s *session) end(keep func(clip)) error {
	s.Places = nil
	return s.slicer.Close(s.emit(keep))
}

// skip closes the gap before a chunk: the audio ends, and begins anew with the chunk.
func (s *session) skip(to int64, config slice.Config, keep func(clip)) error {
	if err := s.end(keep); err != nil {
		return err
	}
	s.Missing = append(s.Missing, span{s.Next, to})
	if len(s.Missing) > maxMissing {
		s.Missing = s.Missing[1:]
	}
	s.Base += s.slicer.Position()
	s.Next = to
	return s.begin(config)
}

// emit makes clips of what the slicer cuts.
func (s *session) emit(keep func(clip)) func(slice.Clip) error {
	return func(c slice.Clip) error {
		made, err := encode(c, s.Base, s.Rate, s.Channels, s.Encoding, s.Source, s.Label, s.Group)
		if err == nil {
			keep(made)
		}
		return err
	}
}

// encode makes a WAV file of a clip that begins base frames later in its source.
func encode(c slice.Clip, base int64, rate, channels int, encoding wav.Encoding, source, label, group string) (clip, error) {
	made := clip{
		source: source, label: label, group: group, ended: c.Ended,
		start: float64(base+c.Start) / float64(rate), end: float64(base+c.End) / float64(rate),
	}
	if made.group == "" {
		made.group = source
	}
	provenance, err := json.Marshal(map[string]any{"source": source, "start": made.start, "end": made.end})
	if err != nil {
		return clip{}, err
	}
	made.body, err = wav.Encode(audio.Clip{Samples: c.Samples, Channels: channels, Rate: rate}, wav.Options{
		Encoding: encoding, DitherSeed: uint64(base + c.Start), Tags: map[string]string{"ICMT": string(provenance)},
	})
	if err != nil {
		return clip{}, fmt.Errorf("%s from %.3f s: %w", source, made.start, err)
	}
	return made, nil
}

// message is the clip as it is published.
func (c clip) message() *pipeline.Message {
	return &pipeline.Message{
		Type: pipeline.TypeAudio, Label: c.label, Body: c.body,
		Header: map[string]string{
			header.ContentType: "audio/wav", header.Source: fmt.Sprintf("%s@%.3f", c.source, c.start), header.Group: c.group,
			header.Start: seconds(c.start), header.End: seconds(c.end),
		},
	}
}

// seconds writes a time exactly.
func seconds(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) }
