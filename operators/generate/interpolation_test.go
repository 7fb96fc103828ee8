package generate_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"wavemill/audio"
	"wavemill/audio/synth"
	"wavemill/audio/wav"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/frontend"
	"wavemill/models/modeltest"
	"wavemill/models/sampling"
	"wavemill/operators/generate"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// sounds are the labels of the small models, made by audio/synth.
var sounds = []string{"chirp", "hihat", "kick"}

// smallConfigs are settings with which an architecture trains in a second.
var smallConfigs = map[string]string{
	"vae": `{"channels": 8, "latent": 8, "embedding": 4}`,
	"gan": `{"channels": 4, "latent": 8, "embedding": 4}`,
}

// smallCheckpoint trains a small model for a few steps.
func smallCheckpoint(t *testing.T, arch string) models.Checkpoint {
	t.Helper()
	fe := frontend.Plan([]int{8000}, []time.Duration{400 * time.Millisecond})
	l, err := architectures.NewLearner(arch, json.RawMessage(smallConfigs[arch]), fe, sounds, 1)
	if err != nil {
		t.Fatal(err)
	}
	data := modeltest.Clips(48, fe.Frames, fe.Spectrogram.Bins(), len(sounds), 1)
	c, err := (&models.Trainer{Steps: 5, BatchSize: 16, Seed: 1}).Run(t.Context(), l, data, models.Batch{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newSmallMill runs the operator on a small model and returns a sampler of the same model.
func newSmallMill(t *testing.T, arch string) (*mill, *sampling.Sampler) {
	t.Helper()
	c := smallCheckpoint(t, arch)
	m := newMill(t, "{max_n: 80}", generate.Hooks{}, nil, architectures.Open)
	content, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := c.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if m.entry, err = m.bus.Models().Put(t.Context(), "vae", digest, content, nil, m.entry); err != nil {
		t.Fatal(err)
	}
	<-m.inUse
	s, err := sampling.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return m, s
}

// wavOf is a synthetic clip as JSON wants it.
func wavOf(t *testing.T, label string, seed uint64) string {
	t.Helper()
	c, err := synth.Clip(label, seed, 16000)
	if err != nil {
		t.Fatal(err)
	}
	data, err := wav.Encode(c, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return `{"file":"` + label + `.wav","audio":"` + base64.StdEncoding.EncodeToString(data) + `"}`
}

func TestMixesOnTheBus(t *testing.T) {
	m, sampler := newSmallMill(t, "vae")
	like, other := wavOf(t, "kick", 3), wavOf(t, "chirp", 4)
	for request, want := range map[string]struct{ label, id string }{
		`{"label":"chirp","seed":7,"mix":{"label":"kick","weight":0.3}}`:                                          {"chirp-kick", "/chirp/7/mix-kick-0.3"},
		`{"label":"chirp","seed":7,"temperature":0.5,"format":"wav24","mix":{"label":"kick","weight":0.3}}`:       {"chirp-kick", "/chirp/7/t0.5/mix-kick-0.3/wav24"},
		`{"label":"chirp","seed":7,"duration":0.1}`:                                                               {"chirp", "/chirp/7/duration0.1"},
		`{"label":"chirp","seed":7,"temperature":0}`:                                                              {"chirp", "/chirp/7/t1e-09"},
		`{"label":"chirp","seed":7,"mix":{"label":"kick","weight":0}}`:                                            {"chirp", "/chirp/7"},
		`{"label":"chirp","seed":7,"mix":{"label":"kick","weight":1}}`:                                            {"kick", "/kick/7"},
		`{"label":"kick","seed":7,"like":` + like + `}`:                                                           {"kick", "-0.4"},
		`{"label":"kick","seed":7,"like":` + like + `,"strength":0}`:                                              {"kick", "-0"},
		`{"label":"kick","seed":7,"like":` + like + `,"mix":{"label":"chirp","weight":0.5,"like":` + other + `}}`: {"kick-chirp", "/mix-chirp-0.5-like-"},
		`{"label":"kick","seed":7,"like":` + like + `,"mix":{"label":"hihat","weight":0.5}}`:                      {"kick-hihat", "/mix-hihat-0.5"},
	} {
		short := request[:min(60, len(request))]
		reply := m.ask(request)
		if e := reply.Header.Get("Nats-Service-Error"); e != "" {
			t.Errorf("%s: %s", short, e)
			continue
		}
		if got := reply.Header.Get(header.Label); got != want.label || !strings.Contains(reply.Header.Get("Nats-Msg-Id"), want.id) || reply.Header.Get(header.Seed) != "7" {
			t.Errorf("%s: label %q, id %q", short, got, reply.Header.Get("Nats-Msg-Id"))
		}
		// The file alone says how it was made.
		from, encoding, err := sampling.ReadProvenance(reply.Data)
		if err != nil {
			t.Errorf("%s: %v", short, err)
			continue
		}
		if from.Name() != want.label {
			t.Errorf("%s: the file is called %q", short, from.Name())
		}
		clip, err := sampler.Generate(t.Context(), from)
		if err != nil {
			t.Errorf("%s: %v", short, err)
			continue
		}
		if again, err := clip.WAV(encoding); err != nil || string(again) != string(reply.Data) {
			t.Errorf("%s: other bytes the second time (%v)", short, err)
		}
	}
}

func TestSeriesOnTheBus(t *testing.T) {
	m, _ := newSmallMill(t, "gan")
	last, err := m.bus.LastSequence(t.Context(), pipeline.TypeClip)
	if err != nil {
		t.Fatal(err)
	}
	var listing generate.Listing
	reply := m.ask(`{"label":"chirp","n":2,"seed":7,"mix":{"label":"kick"},"interpolate":5}`)
	if err := json.Unmarshal(reply.Data, &listing); err != nil || len(listing.Clips) != 10 {
		t.Fatalf("%s %v", reply.Data, err)
	}
	subjects := map[uint64]string{}
	for msg, err := range m.bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeClip, From: last + 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		subjects[msg.Sequence] = msg.Label
	}
	for i, c := range listing.Clips {
		label, weight := "chirp-kick", float64(i%5)/4
		switch i % 5 {
		case 0:
			label = "chirp"
		case 4:
			label = "kick"
		}
		if c.Label != label || c.Seed != uint64(7+i/5) || subjects[c.Sequence] != label || !strings.HasSuffix(c.Subject, ".clip."+label) {
			t.Errorf("clip %d: %+v", i, c)
		}
		if middle := i%5 > 0 && i%5 < 4; middle != (c.Mix != nil) || middle && *c.Mix != (generate.ListedMix{From: "chirp", To: "kick", Weight: weight}) {
			t.Errorf("clip %d: %+v", i, c.Mix)
		}
	}
	// Every clip of a long answer, in several batches, is the clip that is answered alone.
	var long generate.Listing
	if err := json.Unmarshal(m.ask(`{"label":"hihat","n":70,"seed":100}`).Data, &long); err != nil || len(long.Clips) != 70 {
		t.Fatalf("%+v %v", long, err)
	}
	for _, i := range []int{0, 31, 32, 69} {
		reply := m.ask(fmt.Sprintf(`{"label":"hihat","seed":%d}`, 100+i))
		if id := reply.Header.Get("Nats-Msg-Id"); id != long.Clips[i].ID || long.Clips[i].Seed != uint64(100+i) {
			t.Errorf("clip %d: %+v, alone %q", i, long.Clips[i], id)
		}
		for msg, err := range m.bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeClip, From: long.Clips[i].Sequence, Last: true}) {
			if err != nil || !bytes.Equal(msg.Body, reply.Data) {
				t.Errorf("clip %d is another one alone (%v)", i, err)
			}
			break
		}
	}
	// The end of the series is the clip of its label, and is not stored twice.
	var again generate.Listing
	if err := json.Unmarshal(m.ask(`{"label":"kick","n":2,"seed":7}`).Data, &again); err != nil || !again.Clips[0].Duplicate || again.Clips[1].Sequence != listing.Clips[9].Sequence {
		t.Errorf("%+v (%v)", again, err)
	}
}

func TestWrongMixesOnTheBus(t *testing.T) {
	m, _ := newSmallMill(t, "vae")
	adversary, _ := newSmallMill(t, "gan")
	like := wavOf(t, "kick", 3)
	silent, err := wav.Encode(audio.Clip{Samples: make([]float32, 800), Channels: 1, Rate: 8000}, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	long, err := wav.Encode(audio.Clip{Samples: make([]float32, 100), Channels: 1, Rate: 1}, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	clip := func(data []byte) string { return `{"audio":"` + base64.StdEncoding.EncodeToString(data) + `"}` }
	for request, want := range map[string]string{
		`{"label":"chirp","mix":{"label":"horn","weight":0.5}}`:                                  "404 horn",
		`{"label":"chirp","mix":{"weight":0.5}}`:                                                 "404 label is missing",
		`{"label":"chirp","mix":{"label":"kick"}}`:                                               "400 mix.weight is missing",
		`{"label":"chirp","mix":{"label":"kick","weight":1.5}}`:                                  "400 mix.weight is 1.5",
		`{"label":"chirp","mix":{"label":"kick","weigth":0.5}}`:                                  "400 weigth",
		`{"label":"chirp","mix":"kick"}`:                                                         "400 mix",
		`{"label":"chirp","interpolate":5}`:                                                      "400 mix, which is missing",
		`{"label":"chirp","mix":{"label":"kick","weight":0.5},"interpolate":5}`:                  "400 contradict",
		`{"label":"chirp","mix":{"label":"kick"},"interpolate":1}`:                               "400 interpolate is 1",
		`{"label":"chirp","n":5,"mix":{"label":"kick"},"interpolate":17}`:                        "400 times n",
		`{"label":"chirp","temperature":-1}`:                                                     "400 temperature -1",
		`{"label":"chirp","duration":1000}`:                                                      "400 duration 1000 s",
		`{"label":"chirp","pitch":1}`:                                                            "400 pitch 1 Hz",
		`{"label":"chirp","seed":7,"pitch":3999}`:                                                "400 the model cannot make that",
		`{"label":"chirp","steps":4}`:                                                            "400 the model has no steps to set",
		`{"label":"chirp","temperature":11}`:                                                     "400 temperature 11",
		`{"label":"chirp","strength":0.5}`:                                                       "400 in like",
		`{"label":"kick","like":` + like + `,"strength":1.5}`:                                    "400 strength is 1.5",
		`{"label":"kick","like":` + like + `,"strength":1,"mix":{"label":"chirp","weight":0.5}}`: "400 contradict",
		`{"label":"kick","like":{"file":"x.wav"}}`:                                               "400 like has no audio",
		`{"label":"kick","mix":{"label":"chirp","weight":0.5,"like":{}}}`:                        "400 mix.like has no audio",
		`{"label":"kick","like":{"audio":"!"}}`:                                                  "400 illegal base64",
		`{"label":"kick","like":` + clip([]byte("hello there, nothing to hear")) + `}`:           "400 like: ",
		`{"label":"kick","like":` + clip(silent) + `}`:                                           "400 silent",
		`{"label":"kick","like":` + clip(long) + `}`:                                             "400 lasts 1m40s",
	} {
		reply := m.ask(request)
		code, text, _ := strings.Cut(want, " ")
		if reply.Header.Get("Nats-Service-Error-Code") != code || !strings.Contains(header.DecodeValue(reply.Header.Get("Nats-Service-Error")), text) {
			t.Errorf("%.80s: %v, want %s", request, reply.Header, want)
		}
	}
	if reply := adversary.ask(fmt.Sprintf(`{"label":"kick","like":%s}`, like)); reply.Header.Get("Nats-Service-Error-Code") != "400" ||
		!strings.Contains(reply.Header.Get("Nats-Service-Error"), "those of vae, vaegan and flow can; this is a gan") {
		t.Errorf("a clip for a GAN: %v", reply.Header)
	}
	ridged := newMill(t, "{}", generate.Hooks{}, nil)
	ridged.train(1)
	<-ridged.inUse
	if reply := ridged.ask(`{"label":"high","mix":{"label":"very low","weight":0.5}}`); reply.Header.Get("Nats-Service-Error-Code") != "400" ||
		!strings.Contains(reply.Header.Get("Nats-Service-Error"), "cannot mix labels") {
		t.Errorf("a model that cannot mix: %v", reply.Header)
	}
}
