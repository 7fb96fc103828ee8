package contract_test

// The client's side of the contract, with nats.go, another library's WAV reader and nothing of ours.

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/go-audio/wav"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

// tone is a WAV file as any program would write it: 8 kHz, 16 bit, mono, a third of a second.
func tone(hz float64, phase float64) []byte {
	const rate, n = 8000, 2700
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			if s, ok := v.(string); ok {
				b.WriteString(s)
				continue
			}
			_ = binary.Write(&b, binary.LittleEndian, v)
		}
	}
	put("RIFF", uint32(36+2*n), "WAVE", "fmt ", uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2*rate), uint16(2), uint16(16), "data", uint32(2*n))
	for i := range n {
		t := float64(i) / rate
		put(int16(20000 * math.Exp(-3*t) * math.Sin(2*math.Pi*hz*t+phase)))
	}
	return b.Bytes()
}

// client is a plain NATS connection that watches everything the pipeline publishes.
type client struct {
	t    *testing.T
	nc   *nats.Conn
	pipe string
	seen map[string]*nats.Subscription
	ids  map[string]bool // Of the messages that next has returned.
}

func dial(t *testing.T, url, pipe string) *client {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	c := &client{t: t, nc: nc, pipe: pipe, seen: map[string]*nats.Subscription{}, ids: map[string]bool{}}
	for _, kind := range []string{"spectrogram", "clip", "dlq", "model"} {
		if c.seen[kind], err = nc.SubscribeSync(pipe + "." + kind + ".>"); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return c
}

// publish sends a file to be learned from and waits for the stream's confirmation, as a `nats request` would.
func (c *client) publish(token string, headers nats.Header, body []byte) {
	c.t.Helper()
	ack, err := c.nc.RequestMsg(&nats.Msg{Subject: c.pipe + ".audio." + token, Header: headers, Data: body}, patience)
	if err != nil {
		c.t.Fatal(err)
	}
	if !bytes.Contains(ack.Data, []byte(`"seq":`)) {
		c.t.Fatalf("publishing was not confirmed: %s", ack.Data)
	}
}

// putObject stores a body under its hash and returns its reference.
func (c *client) putObject(body []byte) string {
	c.t.Helper()
	js, err := jetstream.New(c.nc)
	if err != nil {
		c.t.Fatal(err)
	}
	bucket := strings.ToUpper(c.pipe) + "_OBJECT"
	store, err := js.ObjectStore(c.t.Context(), bucket)
	if err != nil {
		c.t.Fatal(err)
	}
	name := fmt.Sprintf("sha256-%x", sha256.Sum256(body))
	if _, err := store.PutBytes(c.t.Context(), name, body); err != nil {
		c.t.Fatal(err)
	}
	return bucket + "/" + name
}

// next returns the next message of a kind. Notices of the trainer are passed over: models are announced under their names. So are
// repeated attempts at a message, which the stream stores once, and which a subscriber to its subject sees all the same.
func (c *client) next(kind string) *nats.Msg {
	c.t.Helper()
	for {
		msg, err := c.seen[kind].NextMsg(patience)
		if err != nil {
			c.t.Fatalf("no message on %s.%s: %v", c.pipe, kind, err)
		}
		id := msg.Header.Get("Nats-Msg-Id")
		if msg.Subject == c.pipe+".model.progress" || c.ids[kind+id] {
			continue
		}
		if id != "" {
			c.ids[kind+id] = true
		}
		return msg
	}
}

// generate asks for clips, again and again while there is no model yet.
func (c *client) generate(request string) *nats.Msg {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		msg, err := c.nc.Request(c.pipe+".generate", []byte(request), patience)
		if err != nil && !errors.Is(err, nats.ErrNoResponders) {
			c.t.Fatal(err)
		}
		if err == nil && msg.Header.Get("Nats-Service-Error-Code") != "503" {
			return msg
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("no model after %v: %v", patience, err)
		}
		if _, err := c.seen["model"].NextMsg(time.Second); err != nil && !errors.Is(err, nats.ErrTimeout) {
			c.t.Fatal(err)
		}
	}
}

// checkSpectrogram reads the .npy by hand and returns the loudest bin.
func checkSpectrogram(t *testing.T, msg *nats.Msg) (loudest int) {
	t.Helper()
	var config struct {
		SampleRate int `json:"sample_rate"`
		NFFT       int `json:"n_fft"`
		Mels       int `json:"mels"`
	}
	if err := json.Unmarshal([]byte(msg.Header.Get("Wavemill-Spectrogram")), &config); err != nil {
		t.Fatalf("header Wavemill-Spectrogram %q: %v", msg.Header.Get("Wavemill-Spectrogram"), err)
	}
	if config.SampleRate != 8000 || config.NFFT == 0 {
		t.Errorf("header Wavemill-Spectrogram: %+v", config)
	}
	if !bytes.HasPrefix(msg.Data, []byte("\x93NUMPY\x01\x00")) {
		t.Fatalf("the body is no .npy file: %.20q", msg.Data)
	}
	size := 10 + int(binary.LittleEndian.Uint16(msg.Data[8:]))
	head := string(msg.Data[10:size])
	var frames, bins int
	if _, err := fmt.Sscanf(head[strings.Index(head, "("):], "(%d, %d)", &frames, &bins); err != nil || !strings.Contains(head, "'<f4'") {
		t.Fatalf(".npy header %q: %v", head, err)
	}
	values := msg.Data[size:]
	if len(values) != 4*frames*bins || bins != config.Mels || frames < 2 {
		t.Fatalf("%d bytes for [%d, %d]; the configuration has %d bins", len(values), frames, bins, config.Mels)
	}
	top := float32(math.Inf(-1))
	for i := range frames * bins {
		if v := math.Float32frombits(binary.LittleEndian.Uint32(values[4*i:])); v > top {
			top, loudest = v, i%bins
		}
	}
	return loudest
}

// checkWAV has go-audio read a clip.
func checkWAV(t *testing.T, data []byte) {
	t.Helper()
	dec := wav.NewDecoder(bytes.NewReader(data))
	buffer, err := dec.FullPCMBuffer()
	if err != nil {
		t.Fatalf("go-audio/wav: %v", err)
	}
	if dec.SampleRate != 8000 || dec.NumChans != 1 || dec.BitDepth != 16 {
		t.Errorf("%d Hz, %d channels, %d bits", dec.SampleRate, dec.NumChans, dec.BitDepth)
	}
	peak := 0
	for _, v := range buffer.Data {
		peak = max(peak, v, -v)
	}
	if len(buffer.Data) < 100 || peak < 50 {
		t.Errorf("%d samples with a peak of %d: nothing to hear", len(buffer.Data), peak)
	}
}
