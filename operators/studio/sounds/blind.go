package sounds

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"wavemill/audio"
	"wavemill/audio/dataset"
	"wavemill/audio/wav"
	"wavemill/models/frontend"
	"wavemill/models/sampling"
	"wavemill/operators/studio/web"
)

// Limits of blind tests.
const (
	blindPairs  = 20
	mostRunning = 50 // tests that nobody has finished; the oldest ends
)

// A blindTest asks a listener twenty times which of two sounds is the recording. Both are of one label, at one sample rate, as
// long as the model's front end lets them be, and at one level; the order is random.
type blindTest struct {
	Listener string
	Model    string // digest
	Seed     uint64
	Began    time.Time
	Pairs    []blindPair
}

// A blindPair is one question. Its tags are those of the JSON line that is kept.
type blindPair struct {
	Label   string `json:"label"`
	Source  string `json:"source"` // of the recording
	Seed    uint64 `json:"seed"`   // of the clip
	First   bool   `json:"recording_first"`
	Chosen  string `json:"chosen"` // a, b; "": not yet
	Correct bool   `json:"correct"`

	sounds [2][]byte // WAV: a, b
}

type blindTests struct {
	mu      sync.Mutex
	running map[string]*blindTest
	order   []string
}

// beginBlind makes the sounds of a test and answers with its id.
func (l *Library) beginBlind(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Model    string `json:"model"`
		Listener string `json:"listener"`
		Seed     uint64 `json:"seed"`
	}
	if err := web.Read(w, r, &body); err != nil {
		return err
	}
	listener, err := starName(body.Listener)
	if err != nil {
		return err
	}
	all, err := l.known(r.Context())
	if err != nil {
		return err
	}
	m, err := l.find(body.Model)
	if err != nil {
		return err
	}
	t := &blindTest{Listener: listener, Model: m.sampler.Digest, Seed: body.Seed, Began: time.Now().UTC()}
	if err := t.prepare(r.Context(), m, all); err != nil {
		return err
	}
	raw := make([]byte, idLength/2)
	_, _ = rand.Read(raw) // It never fails.
	id := hex.EncodeToString(raw)
	l.blind.add(id, t)
	labels := make([]string, len(t.Pairs))
	for i := range t.Pairs {
		labels[i] = t.Pairs[i].Label
	}
	return web.JSON(w, map[string]any{"id": id, "labels": labels})
}

func (b *blindTests) add(id string, t *blindTest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running[id] = t
	b.order = append(b.order, id)
	if len(b.order) > mostRunning {
		delete(b.running, b.order[0])
		b.order = b.order[1:]
	}
}

// prepare draws recordings and makes a clip beside each.
func (t *blindTest) prepare(ctx context.Context, m *model, all []dataset.Recording) error {
	var usable []dataset.Recording
	for _, r := range all {
		if _, err := m.sampler.Label(r.Label); err == nil {
			usable = append(usable, r)
		}
	}
	if len(usable) == 0 {
		return web.Errorf(http.StatusConflict, "the model knows the labels of none of the recordings")
	}
	front, err := frontend.New(m.sampler.FrontEnd())
	if err != nil {
		return err
	}
	rng := mathrand.New(mathrand.NewPCG(t.Seed, 0x626c696e64))
	deck := rng.Perm(len(usable))
	var provenances []sampling.Provenance
	for i := range blindPairs {
		r := usable[deck[i%len(deck)]]
		provenances = append(provenances, sampling.Provenance{Label: r.Label, Seed: rng.Uint64N(1 << 53)})
		t.Pairs = append(t.Pairs, blindPair{Label: r.Label, Source: r.Name, Seed: provenances[i].Seed, First: rng.IntN(2) == 0})
	}
	clips, err := m.sampler.WithSilence().Series(ctx, provenances, nil)
	if err != nil {
		return err
	}
	for i := range t.Pairs {
		p := &t.Pairs[i]
		real, err := heardBy(front, usable[deck[i%len(deck)]].Clip, m.sampler.FrontEnd().Spectrogram.SampleRate)
		if err != nil {
			return err
		}
		a, b := real, clips[i].Audio
		if !p.First {
			a, b = b, a
		}
		for side, c := range []audio.Clip{a, b} {
			if p.sounds[side], err = wav.Encode(level(c), wav.Options{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// heardBy is a recording at the model's rate, as long as its front end allows, without the silence around it.
func heardBy(front *frontend.FrontEnd, c audio.Clip, rate int) (audio.Clip, error) {
	if front.Channels() == 1 {
		c, _ = c.MixedDown()
	}
	c, err := audio.Resample(c, rate)
	if err != nil {
		return c, err
	}
	c = audio.TrimSilence(c, -40)
	if most := int(front.Duration().Seconds()*float64(rate)) * c.Channels; len(c.Samples) > most {
		c.Samples = c.Samples[:most]
	}
	return c, nil
}

// blindRMS is the level of the sounds of a test: that of speech with peaks below full scale.
const blindRMS = 0.08

// level scales a clip to the level of the test, without name or title.
func level(c audio.Clip) audio.Clip {
	gain := 1.0
	if rms := c.RMS(); rms > 0 {
		gain = min(blindRMS/rms, 0.95/max(c.Peak(), 1e-6))
	}
	out := audio.Clip{Samples: make([]float32, len(c.Samples)), Channels: c.Channels, Rate: c.Rate}
	for i, v := range c.Samples {
		out.Samples[i] = float32(float64(v) * gain)
	}
	return out
}

// pair returns a test and one of its questions. The caller holds the lock.
func (b *blindTests) pair(r *http.Request) (*blindTest, *blindPair, error) {
	t := b.running[r.PathValue("id")]
	n, err := strconv.Atoi(r.PathValue("pair"))
	if t == nil || err != nil || n < 0 || n >= len(t.Pairs) {
		return nil, nil, web.Errorf(http.StatusNotFound, "there is no such question; begin a new test")
	}
	return t, &t.Pairs[n], nil
}

// blindSound answers with one of the two sounds of a question.
func (l *Library) blindSound(w http.ResponseWriter, r *http.Request) error {
	l.blind.mu.Lock()
	_, p, err := l.blind.pair(r)
	l.blind.mu.Unlock()
	if err != nil {
		return err
	}
	side := map[string]int{"a": 1, "b": 2}[r.PathValue("side")]
	if side == 0 {
		return web.Errorf(http.StatusNotFound, "a question has the sounds a and b")
	}
	w.Header().Set("Cache-Control", "no-store")
	web.Audio(w, "audio/wav", r.PathValue("side")+".wav", p.sounds[side-1])
	return nil
}

// blindScore is the result of a test.
type blindScore struct {
	Pairs   int     `json:"pairs"`
	Correct int     `json:"correct"`
	Share   float64 `json:"share"`
	Low     float64 `json:"low"` // Wilson's 95 % interval (1927)
	High    float64 `json:"high"`
}

// blindLine is a line of blind.jsonl.
type blindLine struct {
	Time     time.Time `json:"time"`
	Listener string    `json:"listener,omitempty"`
	Model    string    `json:"model"`
	Seed     uint64    `json:"seed"`
	blindScore
	Answers []blindPair `json:"answers"`
}

// answerBlind takes the listener's choice. Only the last answer of a test says how many were right.
func (l *Library) answerBlind(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Recording string `json:"recording"`
	}
	if err := web.Read(w, r, &body); err != nil {
		return err
	}
	if body.Recording != "a" && body.Recording != "b" {
		return web.Errorf(http.StatusBadRequest, "recording is a or b: the sound that is taken for the recording")
	}
	l.blind.mu.Lock()
	defer l.blind.mu.Unlock()
	t, p, err := l.blind.pair(r)
	if err != nil {
		return err
	}
	if p.Chosen != "" {
		return web.Errorf(http.StatusConflict, "this question is answered already")
	}
	p.Chosen, p.Correct = body.Recording, (body.Recording == "a") == p.First
	score := blindScore{Pairs: len(t.Pairs)}
	for _, p := range t.Pairs {
		if p.Chosen == "" {
			return web.JSON(w, map[string]any{"done": false})
		}
		if p.Correct {
			score.Correct++
		}
	}
	score.Share = float64(score.Correct) / float64(score.Pairs)
	score.Low, score.High = wilson(score.Correct, score.Pairs)
	if err := l.keepBlind(t, score); err != nil {
		return err
	}
	delete(l.blind.running, r.PathValue("id"))
	return web.JSON(w, map[string]any{"done": true, "score": score})
}

// wilson is the 95 % interval of a share (Wilson 1927).
func wilson(k, n int) (low, high float64) {
	const z = 1.959964
	p, m := float64(k)/float64(n), float64(n)
	middle, half := p+z*z/(2*m), z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return (middle - half) / (1 + z*z/m), (middle + half) / (1 + z*z/m)
}

// keepBlind appends a finished test to blind.jsonl.
func (l *Library) keepBlind(t *blindTest, score blindScore) (err error) {
	dir, err := l.folder("")
	if err != nil {
		return err
	}
	line, err := json.Marshal(blindLine{time.Now().UTC(), t.Listener, t.Model, t.Seed, score, t.Pairs})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "blind.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(append(line, '\n'))
	return err
}
