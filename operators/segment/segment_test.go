package segment_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	clip "wavemill/audio"
	"wavemill/audio/slice"
	"wavemill/audio/wav"
	"wavemill/operators/segment"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// quick is a configuration with many checkpoints.
const quick = "{checkpoint: 20ms, lease: 300ms}"

// wanted are the clips that the engine cuts of audio, as times.
func wanted(t *testing.T, x []float32) (times []string) {
	t.Helper()
	s, err := slice.New(slice.Defaults(slice.Onset), 8000, 1)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(c slice.Clip) error {
		times = append(times, at(c.Start)+" "+at(c.End))
		return nil
	}
	if err := s.Write(x, keep); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(keep); err != nil {
		t.Fatal(err)
	}
	return times
}

func at(frame int64) string { return strconv.FormatFloat(float64(frame)/8000, 'f', -1, 64) }

// Chunks of a source give the clips that the engine cuts of the whole audio, and so does the same audio as one message.
func TestChunksAndRecordings(t *testing.T) {
	x := audio(t, 1, 12)
	_, bus := serve(t, quick)
	p, _ := start(t, bus)
	feed(t, bus, "mic", x, 800)
	file, err := wav.Encode(clip.Clip{Samples: x, Channels: 1, Rate: 8000}, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Publish(t.Context(), &pipeline.Message{Type: segment.TypeTake, Label: "hits", Body: file, Header: map[string]string{header.Source: "file"}}); err != nil {
		t.Fatal(err)
	}
	settled(t, bus)
	want := wanted(t, x)
	got := map[string][]string{}
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeAudio, From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := wav.Decode(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		group := m.Header[header.Group]
		got[group] = append(got[group], m.Header[header.Start]+" "+m.Header[header.End])
		start, err := strconv.ParseFloat(m.Header[header.Start], 64)
		if err != nil {
			t.Fatal(err)
		}
		from := int(start*8000 + 0.5)
		if !slices.Equal(c.Samples, x[from:from+len(c.Samples)]) || m.Label != "hits" || !strings.HasPrefix(m.Header[header.Source], group+"@") {
			t.Errorf("clip %s of %s is not that part of the audio; %v", m.Header[header.Start], group, m.Header)
		}
	}
	if len(want) < 8 || !slices.Equal(got["mic"], want) || !slices.Equal(got["file"], want) {
		t.Errorf("%v, want %v", got, want)
	}
	d, ok := p.Snapshot()[0].Details.(segment.Details)
	if !ok || d.Role != segment.RoleActive || d.Sources != 0 || d.Clips != uint64(2*len(want)) {
		t.Errorf("details %+v", p.Snapshot()[0].Details)
	}
}

// traffic publishes the chunks of three sources in one order: mixed, with gaps, exchanged and repeated chunks, bad ones and a
// recording.
func traffic(t *testing.T, bus *pipeline.Bus) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 5))
	type piece struct {
		source string
		number int
		body   []byte
		extra  map[string]string
	}
	var lanes [][]piece
	for i, source := range []string{"left", "right", "gappy"} {
		x := audio(t, uint64(20+i), 8)
		size := 300 + 250*i
		var lane []piece
		for n := 0; n*size < len(x); n++ {
			p := piece{source, n, pcm(x[n*size : min(len(x), (n+1)*size)]), nil}
			if (n+1)*size >= len(x) {
				p.extra = last
			}
			if source == "gappy" && n%17 == 9 {
				continue
			}
			lane = append(lane, p)
			if n%13 == 5 {
				p.extra = map[string]string{"id": "again"}
				lane = append(lane, p)
			}
		}
		for n := 7; n+3 < len(lane); n += 11 { // Not the last.
			lane[n], lane[n+2] = lane[n+2], lane[n]
		}
		if source == "right" { // The end comes before the one before it.
			n := len(lane) - 1
			lane[n], lane[n-1] = lane[n-1], lane[n]
		}
		if source == "gappy" {
			lane = append(lane, piece{source, 1000, pcm(x[:size]), nil}) // Behind the end.
		}
		lanes = append(lanes, lane)
	}
	for sent := 0; len(lanes) > 0; sent++ {
		i := rng.IntN(len(lanes))
		p := lanes[i][0]
		publish(t, bus, p.source, p.number, p.body, p.extra)
		if lanes[i] = lanes[i][1:]; len(lanes[i]) == 0 {
			lanes = slices.Delete(lanes, i, i+1)
		}
		if sent%60 == 30 {
			publish(t, bus, "left", 1<<20+sent, []byte{1, 2, 3}, nil)
		}
	}
}

// Kills at any place change nothing: the same clips with the same ids and bytes, and the same dead letters.
func TestKills(t *testing.T) {
	_, bus := serve(t, quick)
	_, stop := start(t, bus)
	traffic(t, bus)
	settled(t, bus)
	stop()
	want, wantLetters := clips(t, bus), letters(t, bus)
	if len(want) < 20 || len(wantLetters) < 3 {
		t.Fatalf("%d clips, dead letters %v", len(want), wantLetters)
	}
	for trial := range uint64(2) {
		url, bus := serve(t, quick)
		traffic(t, bus)
		rng := rand.New(rand.NewPCG(trial, 3))
		kills := 0
		for left := uint64(1); left > 0; kills++ {
			before, _ := progress(t, bus)
			kill := spawn(t, url, quick)
			goal := before + 1 + uint64(rng.IntN(60))
			eventually(t, "the process works", func() bool {
				var acked uint64
				acked, left = progress(t, bus)
				return acked >= goal || left == 0
			})
			kill()
		}
		t.Logf("trial %d: %d kills", trial, kills)
		got := clips(t, bus)
		if !maps.Equal(got, want) {
			missing, extra := 0, 0
			for id, c := range want {
				if got[id] != c {
					missing++
				}
			}
			for id, c := range got {
				if want[id] != c {
					extra++
				}
			}
			t.Errorf("trial %d: %d clips of %d missing or changed, %d others", trial, missing, len(want), extra)
		}
		if n := letters(t, bus); len(n) != len(wantLetters) {
			t.Errorf("trial %d: dead letters %v, want %v", trial, n, wantLetters)
		}
	}
}

// Orderly restarts, and the loss of the stored state, change nothing either.
func TestRestarts(t *testing.T) {
	x := audio(t, 3, 20)
	want := wanted(t, x)
	for _, lose := range []bool{false, true} {
		_, bus := serve(t, quick)
		const size = 400
		for n := 0; n*size < len(x); n++ {
			var extra map[string]string
			if (n+1)*size >= len(x) {
				extra = last
			}
			publish(t, bus, "mic", n, pcm(x[n*size:min(len(x), (n+1)*size)]), extra)
			if n%100 == 50 {
				_, stop := start(t, bus)
				settled(t, bus)
				stop()
				if lose {
					if err := bus.JetStream().DeleteKeyValue(t.Context(), segment.Bucket("mill")); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		_, stop := start(t, bus)
		settled(t, bus)
		stop()
		var got []string
		for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeAudio, From: 1, Last: true}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.Header[header.Start]+" "+m.Header[header.End])
		}
		if !slices.Equal(got, want) {
			t.Errorf("state lost %v: %v, want %v", lose, got, want)
		}
	}
}

// run publishes chunks of one second of a constant tone and returns what came of them.
func run(t *testing.T, config string, send func(bus *pipeline.Bus, second []byte)) (times, dead []string, d segment.Details) {
	t.Helper()
	_, bus := serve(t, config)
	p, _ := start(t, bus)
	x := make([]float32, 8000)
	for i := range x {
		x[i] = 0.25 * float32(i%20-10) / 10
	}
	send(bus, pcm(x))
	settled(t, bus)
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeAudio, From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, m.Header[header.Group]+" "+m.Header[header.Start]+" "+m.Header[header.End])
	}
	d, _ = p.Snapshot()[0].Details.(segment.Details)
	return times, letters(t, bus), d
}

// The rules for chunks that are not the next one.
func TestOrder(t *testing.T) {
	const two = "{by: length, max: 2s, reorder: 2, max_sources: 2, checkpoint: 20ms}"
	again := map[string]string{"id": "again"}
	lastAgain := map[string]string{header.Last: "true", "id": "again"}
	for name, c := range map[string]struct {
		send func(bus *pipeline.Bus, second []byte)
		want []string
		dead int
		gaps uint64
		same uint64
	}{
		"exchanged": {func(bus *pipeline.Bus, s []byte) {
			for _, n := range []int{1, 0, 3, 2} {
				publish(t, bus, "a", n, s, nil)
			}
			publish(t, bus, "a", 4, nil, last)
		}, []string{"a 0 2", "a 2 4"}, 0, 0, 0},
		"repeated": {func(bus *pipeline.Bus, s []byte) {
			for i, n := range []int{0, 0, 1, 0, 1, 2, 3} {
				extra := map[string]string{"id": strconv.Itoa(i)}
				if n == 0 {
					extra = nil // The same id: the server may refuse it.
				}
				publish(t, bus, "a", n, s, extra)
			}
			publish(t, bus, "a", 4, s, last)
		}, []string{"a 0 2", "a 2 4", "a 4 5"}, 0, 0, 1},
		"a gap, and a late chunk": {func(bus *pipeline.Bus, s []byte) {
			for _, n := range []int{0, 2, 3, 4, 1, 5} {
				publish(t, bus, "a", n, s, nil)
			}
			publish(t, bus, "a", 6, nil, last)
		}, []string{"a 0 1", "a 1 3", "a 3 5"}, 1, 1, 0},
		"the end before a missing chunk": {func(bus *pipeline.Bus, s []byte) {
			publish(t, bus, "a", 0, s, nil)
			publish(t, bus, "a", 2, s, last)
		}, []string{"a 0 1", "a 1 2"}, 0, 1, 0},
		"the end before the one before it": {func(bus *pipeline.Bus, s []byte) {
			for _, n := range []int{0, 1, 2} {
				publish(t, bus, "a", n, s, nil)
			}
			publish(t, bus, "a", 4, s, last)
			publish(t, bus, "a", 3, s, nil)
		}, []string{"a 0 2", "a 2 4", "a 4 5"}, 0, 0, 0},
		"the end before two others, exchanged": {func(bus *pipeline.Bus, s []byte) {
			publish(t, bus, "a", 0, s, nil)
			publish(t, bus, "a", 3, nil, last)
			publish(t, bus, "b", 0, s, last)
			publish(t, bus, "a", 2, s, nil)
			publish(t, bus, "a", 1, s, nil)
			publish(t, bus, "a", 0, s, again)
			publish(t, bus, "a", 1, s, lastAgain)
		}, []string{"a 0 2", "a 2 3", "b 0 1", "a 0 2"}, 0, 0, 0},
		"the end before all others": {func(bus *pipeline.Bus, s []byte) {
			publish(t, bus, "a", 1, nil, last)
			publish(t, bus, "a", 0, s, nil)
		}, []string{"a 0 1"}, 0, 0, 0},
		"one that is late for the end": {func(bus *pipeline.Bus, s []byte) {
			publish(t, bus, "a", 0, s, nil)
			publish(t, bus, "a", 2, s, last)
			settled(t, bus)
			publish(t, bus, "a", 1, s, nil)
			publish(t, bus, "a", 2, s, lastAgain)
			publish(t, bus, "a", 3, s, nil)
		}, []string{"a 0 1", "a 1 2"}, 2, 1, 1},
		"the first is late for the end": {func(bus *pipeline.Bus, s []byte) {
			publish(t, bus, "a", 1, s, last)
			settled(t, bus)
			publish(t, bus, "a", 0, s, nil)
			publish(t, bus, "a", 0, s, again)
			publish(t, bus, "a", 1, s, lastAgain)
		}, []string{"a 0 1", "a 0 2"}, 1, 1, 0},
		"begins again behind its end": {func(bus *pipeline.Bus, s []byte) {
			publish(t, bus, "a", 0, s, last)
			publish(t, bus, "a", 0, s, again)
			publish(t, bus, "a", 1, s, lastAgain)
		}, []string{"a 0 1", "a 0 2"}, 0, 0, 0},
		"begins again": {func(bus *pipeline.Bus, s []byte) {
			for i, n := range []int{0, 1, 2, 0, 1} {
				publish(t, bus, "a", n, s, map[string]string{"id": strconv.Itoa(i)})
			}
			publish(t, bus, "a", 2, nil, last)
		}, []string{"a 0 2", "a 2 3", "a 0 2"}, 0, 0, 0},
		"another format": {func(bus *pipeline.Bus, s []byte) {
			publish(t, bus, "a", 0, s, nil)
			publish(t, bus, "a", 1, s, map[string]string{header.ContentType: "audio/l16;rate=4000"})
			publish(t, bus, "a", 2, nil, last)
		}, []string{"a 0 1", "a 0 2"}, 0, 0, 0},
		"begins in the middle": {func(bus *pipeline.Bus, s []byte) {
			publish(t, bus, "a", 700, s, nil)
			publish(t, bus, "a", 701, s, last)
		}, []string{"a 0 2"}, 0, 0, 0},
		"too many sources": {func(bus *pipeline.Bus, s []byte) {
			for _, source := range []string{"a", "b", "c"} {
				publish(t, bus, source, 0, s, nil)
			}
			publish(t, bus, "b", 1, s, last)
		}, []string{"a 0 1", "b 0 2"}, 0, 0, 0},
		"bad chunks": {func(bus *pipeline.Bus, s []byte) {
			publish(t, bus, "a", 0, s, nil)
			publish(t, bus, "a", 1, s[:len(s)-1], nil)
			publish(t, bus, "a", -1, s, nil)
			publish(t, bus, "", 1, s, nil)
			publish(t, bus, "a", 1, s, map[string]string{header.ContentType: "audio/L16", "id": "rate"})
			publish(t, bus, "a", 1, s, map[string]string{header.ContentType: "audio/pcm;rate=8000;encoding=mulaw", "id": "encoding"})
			publish(t, bus, "a", 1, s, map[string]string{header.ContentType: "audio/wav", "id": "wav"})
			publish(t, bus, "a", 1, s, map[string]string{header.Last: "perhaps", "id": "last"})
			publish(t, bus, "a", 1, s, map[string]string{header.Last: "true", "id": "good"})
		}, []string{"a 0 2"}, 7, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			times, dead, d := run(t, two, c.send)
			if !slices.Equal(times, c.want) || len(dead) != c.dead || d.Gaps != c.gaps || d.Repeated < c.same {
				t.Errorf("clips %q, want %q; dead letters %q; %+v", times, c.want, dead, d)
			}
			if name != "bad chunks" && d.Late != uint64(c.dead) {
				t.Errorf("%d chunks are late, want %d", d.Late, c.dead)
			}
		})
	}
}

// Two processes: one works, the other stands by and takes over.
func TestStandby(t *testing.T) {
	x := audio(t, 4, 6)
	_, bus := serve(t, quick)
	p, stop := start(t, bus)
	eventually(t, "the first is active", func() bool {
		d, _ := p.Snapshot()[0].Details.(segment.Details)
		return d.Role == segment.RoleActive
	})
	second, _ := start(t, bus)
	eventually(t, "the second stands by", func() bool {
		d, _ := second.Snapshot()[0].Details.(segment.Details)
		return d.Role == segment.RoleStandby && d.Holder != ""
	})
	feed(t, bus, "mic", x[:24000], 500)
	settled(t, bus)
	stop()
	eventually(t, "the second takes over", func() bool {
		d, _ := second.Snapshot()[0].Details.(segment.Details)
		return d.Role == segment.RoleActive
	})
	feed(t, bus, "other", x[24000:], 500)
	settled(t, bus)
	if n, want := len(clips(t, bus)), len(wanted(t, x[:24000]))+len(wanted(t, x[24000:])); n != want {
		t.Errorf("%d clips, want %d", n, want)
	}
}

// A recording that cannot be decoded is a dead letter, and its clips before the damage are published once.
func TestBadRecordings(t *testing.T) {
	_, bus := serve(t, quick)
	start(t, bus)
	file, err := wav.Encode(clip.Clip{Samples: audio(t, 6, 4), Channels: 1, Rate: 8000}, wav.Options{Encoding: wav.Float32})
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(file)
	copy(damaged[len(damaged)-4000:], []byte{0, 0, 0xC0, 0x7F}) // No number.
	for _, body := range [][]byte{nil, []byte("text"), damaged, file} {
		if _, err := bus.Publish(t.Context(), &pipeline.Message{Type: segment.TypeTake, Label: "x", Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	settled(t, bus)
	dead := letters(t, bus)
	if len(dead) != 3 || len(clips(t, bus)) < 3 {
		t.Errorf("%d clips, dead letters %q", len(clips(t, bus)), dead)
	}
}

func TestConfigurationFaults(t *testing.T) {
	for config, want := range map[string]string{
		"{by: luck}": "by is one of", "{max: 1h}": "max is", "{min: 2s, max: 1s}": "min is", "{bits: 8}": "bits", "{reorder: -1}": "reorder",
		"{max_sources: 0}": "max_sources", "{checkpoint: 0s}": "checkpoint", "{lease: 1ms}": "lease", "{treshold_db: 3}": "treshold_db",
	} {
		_, err := segment.Factory()([]byte(config), pipeline.Env{Operator: "segment"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v does not say %q", config, err, want)
		}
	}
	if _, err := segment.Factory()([]byte("{by: speech, max: 8s, threshold_db: 9}"), pipeline.Env{Operator: "segment"}); err != nil {
		t.Error(err)
	}
}

// A recording that is larger than a message travels as an object, and is cut as one stream.
func TestLongRecording(t *testing.T) {
	if testing.Short() {
		t.Skip("it filters nine minutes of sound, and starts nothing that others do not start")
	}
	x := slices.Repeat(audio(t, 7, 30), 18) // 8.6 MB of 16 bits, more than the server's largest message.
	_, bus := serve(t, quick)
	start(t, bus)
	file, err := wav.Encode(clip.Clip{Samples: x, Channels: 1, Rate: 8000}, wav.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(file)) <= bus.Conn().MaxPayload() {
		t.Fatalf("%d bytes fit into a message of %d", len(file), bus.Conn().MaxPayload())
	}
	if _, err := bus.Publish(t.Context(), &pipeline.Message{Type: segment.TypeTake, Label: "hits", Body: file, Header: map[string]string{header.Source: "session"}}); err != nil {
		t.Fatal(err)
	}
	settled(t, bus)
	var got []string
	for m, err := range bus.Messages(t.Context(), pipeline.Subscription{Stream: pipeline.TypeAudio, From: 1, Last: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Header[header.Start]+" "+m.Header[header.End])
	}
	if want := wanted(t, x); len(want) < 100 || !slices.Equal(got, want) {
		t.Errorf("%d clips, want %d", len(got), len(want))
	}
}
