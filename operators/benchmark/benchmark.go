// Package benchmark times the bus on recordings: publishing them, the spectrogram stage from stream to stream, and the delay of one
// message, beside `wavemill convert`, which does the same work without a bus. It does the work of `wavemill bench bus`.
package benchmark

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"wavemill/audio/convert"
	"wavemill/audio/dataset"
	"wavemill/operators/files"
	"wavemill/pipeline"
	"wavemill/pipeline/deadletter"
	"wavemill/pipeline/server"
)

// Options say what to time.
type Options struct {
	Data     string            // Data is a folder of recordings.
	Labels   string            // Labels says where labels come from, see dataset.Options; they do not change the figures.
	Most     int               // Most is the largest number of recordings; 0: all.
	Rate     int               // Rate of the spectrograms, in Hz; 0: 8000.
	Workers  int               // Workers of the stage, and of the conversion; 0: one for each processor.
	Singles  int               // Singles is how many messages are timed one after the other; 0: 200.
	Servers  []string          // Servers are what to time: Embedded, Own, or the URL of a server; nil: Embedded and Own.
	Registry pipeline.Registry // Registry has the operator spectrogram.
	// OnRow, if not nil, receives each row when it is measured.
	OnRow func(Row) error
}

// Servers that the benchmark runs itself.
const (
	Embedded = "embedded" // Embedded is the server of `wavemill up` with its defaults: it syncs every write to disk.
	// Own is a server as `nats-server -js` runs it, reached over TCP: it syncs every two minutes.
	Own = "own"
)

// A Row is the figures of one way. Those of the conversion have Convert alone.
type Row struct {
	Way     string  `json:"way"` // Way is convert, embedded, own or the URL of a server.
	Clips   int     `json:"clips"`
	Workers int     `json:"workers"`
	Cores   int     `json:"cores"`
	MiB     float64 `json:"mib"` // MiB is the size of the recordings.
	Convert float64 `json:"convert_per_second,omitempty"`
	Publish float64 `json:"publish_per_second,omitempty"` // Publish: confirmed recordings a second, with no operator running.
	Stage   float64 `json:"stage_per_second,omitempty"`   // Stage: recordings a second through the stage, when all of them wait for it.
	// EndToEnd: recordings a second when the stage works while they are published, until the last one is acknowledged.
	EndToEnd float64 `json:"end_to_end_per_second,omitempty"`
	Ratio    float64 `json:"ratio,omitempty"` // Ratio of EndToEnd to the conversion.
	// CPU is the processor time of a clip in milliseconds, of the conversion or end to end, with the server where it runs in this
	// process. On a busy machine its ratio says more than that of the rates.
	CPU float64 `json:"cpu_ms_per_clip,omitempty"`
	P50 float64 `json:"p50_ms,omitempty"` // P50 and P99: from publishing one recording to its confirmed spectrogram, one at a time.
	P99 float64 `json:"p99_ms,omitempty"`
}

// String is the row for a person.
func (r Row) String() string {
	if r.Convert > 0 {
		return fmt.Sprintf("%-10s %6d clips, %.1f MiB, %d workers: %8.0f clips/s, %.2f ms of processor time each", r.Way, r.Clips, r.MiB, r.Workers, r.Convert, r.CPU)
	}
	return fmt.Sprintf("%-10s publish %6.0f clips/s, stage %6.0f clips/s, end to end %6.0f clips/s (%.2fx of convert, %.2f ms of processor time each), one at a time p50 %.2f ms, p99 %.2f ms",
		r.Way, r.Publish, r.Stage, r.EndToEnd, r.Ratio, r.CPU, r.P50, r.P99)
}

// withDefaults fills in what is empty.
func (o Options) withDefaults() Options {
	if o.Rate == 0 {
		o.Rate = 8000
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Singles == 0 {
		o.Singles = 200
	}
	if o.Servers == nil {
		o.Servers = []string{Embedded, Own}
	}
	return o
}

// Validate reports what is wrong with the options.
func (o Options) Validate() error {
	switch {
	case o.Data == "":
		return errors.New("data is missing: a folder of recordings")
	case o.Most < 0 || o.Rate < 0 || o.Workers < 0 || o.Singles < 0:
		return errors.New("clips, rate, workers and singles must not be negative")
	}
	return nil
}

// Run times the conversion, and then the bus on every server. Each works in a temporary folder and, on a server of the user's, in a
// pipeline of its own, whose streams are removed.
func Run(ctx context.Context, o Options) (rows []Row, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	set, err := dataset.Scan(ctx, []string{o.Data}, dataset.Options{Labels: o.Labels})
	if err != nil {
		return nil, err
	}
	items := set.Items
	if o.Most > 0 && o.Most < len(items) {
		items = items[:o.Most]
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("no recordings in %s", o.Data)
	}
	report := func(r Row) error {
		rows = append(rows, r)
		if o.OnRow != nil {
			return o.OnRow(r)
		}
		return nil
	}
	base := Row{Clips: len(items), Workers: o.Workers, Cores: runtime.GOMAXPROCS(0)}
	for _, item := range items {
		base.MiB += float64(item.Size) / (1 << 20)
	}
	converted := base
	converted.Way = "convert"
	before := cpuTime()
	converted.Convert, err = timeConversion(ctx, o, items)
	converted.CPU = perClip(before, len(items))
	if err == nil {
		err = report(converted)
	}
	for _, way := range o.Servers {
		if err != nil {
			break
		}
		row := base
		row.Way = way
		if err = timeServer(ctx, o, items, &row); err == nil {
			row.Ratio = row.EndToEnd / converted.Convert
			err = report(row)
		}
	}
	return rows, err
}

// timeConversion converts the recordings as `wavemill convert` does, and returns how many a second.
func timeConversion(ctx context.Context, o Options, items []dataset.Item) (perSecond float64, err error) {
	dir, err := os.MkdirTemp("", "wavemill-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sources := []string{o.Data}
	if o.Most > 0 {
		sources = nil
		for _, item := range items {
			sources = append(sources, item.Path)
		}
	}
	began := time.Now()
	_, err = convert.Run(ctx, convert.Options{Sources: sources, Out: filepath.Join(dir, "out"), Labels: o.Labels, Workers: o.Workers, Rate: o.Rate}, nil)
	return float64(len(items)) / time.Since(began).Seconds(), err
}

// timeServer measures the bus on one server.
func timeServer(ctx context.Context, o Options, items []dataset.Item, row *Row) (err error) {
	dir, err := os.MkdirTemp("", "wavemill-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	spec := pipeline.Spec{NATS: row.Way, Operators: []pipeline.OperatorSpec{{
		Operator: "spectrogram", Workers: o.Workers, Config: yaml.RawMessage(fmt.Sprintf("{rate: %d}", o.Rate)),
	}}}
	switch row.Way {
	case Embedded:
		spec.NATS, spec.DataDir = "", filepath.Join(dir, "embedded")
	case Own:
		s, err := server.Start(ctx, server.Config{DataDir: filepath.Join(dir, "own"), Listen: "127.0.0.1:0", NoSync: true})
		if err != nil {
			return err
		}
		defer s.Shutdown()
		spec.NATS = s.URL()
	}
	for _, phase := range []func(*bench, context.Context) error{(*bench).backlog, (*bench).together, (*bench).singles} {
		if err := withBench(ctx, o, spec, items, row, phase); err != nil {
			return err
		}
	}
	return nil
}

// A bench is one pipeline of the benchmark.
type bench struct {
	o     Options
	bus   *pipeline.Bus
	items []dataset.Item
	row   *Row
}

// withBench runs one phase in a pipeline of its own.
func withBench(ctx context.Context, o Options, spec pipeline.Spec, items []dataset.Item, row *Row, phase func(*bench, context.Context) error) (err error) {
	spec.Name = fmt.Sprintf("bench-%x", uint32(time.Now().UnixNano()))
	bus, err := pipeline.Open(ctx, spec, pipeline.BusOptions{})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, bus.RemoveStreams(closing), bus.Close(closing))
	}()
	return phase(&bench{o, bus, items, row}, ctx)
}

// backlog publishes everything and then runs the stage.
func (b *bench) backlog(ctx context.Context) error {
	began := time.Now()
	if err := b.publish(ctx, b.items); err != nil {
		return err
	}
	b.row.Publish = b.perSecond(began)
	began = time.Now()
	err := b.running(ctx, func() error { return b.done(ctx, len(b.items)) })
	b.row.Stage = b.perSecond(began)
	return err
}

// together publishes everything while the stage runs.
func (b *bench) together(ctx context.Context) error {
	return b.running(ctx, func() error {
		began, before := time.Now(), cpuTime()
		if err := b.publish(ctx, b.items); err != nil {
			return err
		}
		err := b.done(ctx, len(b.items))
		b.row.EndToEnd, b.row.CPU = b.perSecond(began), perClip(before, len(b.items))
		return err
	})
}

// singles publishes one recording after the other, each once the spectrogram of the last one is confirmed.
func (b *bench) singles(ctx context.Context) error {
	return b.running(ctx, func() error {
		var delays []float64
		for i := range min(b.o.Singles, len(b.items)) {
			began := time.Now()
			if err := b.publish(ctx, b.items[i:i+1]); err != nil {
				return err
			}
			for {
				last, err := b.bus.LastSequence(ctx, pipeline.TypeSpectrogram)
				if err != nil {
					return err
				}
				if last > uint64(i) {
					break
				}
			}
			delays = append(delays, time.Since(began).Seconds()*1000)
		}
		slices.Sort(delays)
		at := func(q float64) float64 { return delays[int(math.Ceil(q*float64(len(delays))))-1] }
		b.row.P50, b.row.P99 = at(0.5), at(0.99)
		return nil
	})
}

// perClip is the processor time since before in milliseconds for each of n clips.
func perClip(before time.Duration, n int) float64 {
	return (cpuTime() - before).Seconds() * 1000 / float64(n)
}

func (b *bench) perSecond(began time.Time) float64 {
	return float64(len(b.items)) / time.Since(began).Seconds()
}

func (b *bench) publish(ctx context.Context, items []dataset.Item) error {
	result, err := files.Publish(ctx, b.bus, items, nil)
	if err == nil && result.Duplicates > 0 {
		err = fmt.Errorf("%d of the recordings are copies of others, which the stream does not take", result.Duplicates)
	}
	return err
}

// running runs the stage while f works.
func (b *bench) running(ctx context.Context, f func() error) error {
	p, err := pipeline.Start(ctx, b.bus, b.o.Registry, pipeline.Options{FailFast: true})
	if err != nil {
		return err
	}
	err = f()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return errors.Join(err, p.Stop(stopping))
}

// done waits until the stage has acknowledged n recordings.
func (b *bench) done(ctx context.Context, n int) error {
	spec := b.bus.Spec()
	for ctx.Err() == nil {
		consumer, err := b.bus.JetStream().Consumer(ctx, spec.StreamName(pipeline.TypeAudio), spec.ConsumerName("spectrogram"))
		if err == nil && consumer.CachedInfo().AckFloor.Stream >= uint64(n) {
			break
		}
		time.Sleep(20 * time.Millisecond) // A poll.
	}
	letters := 0
	for _, err := range b.bus.DeadLetters().List(ctx, deadletter.Filter{}) {
		if err == nil {
			letters++
		}
	}
	if letters > 0 {
		return fmt.Errorf("%d of the recordings became dead letters; time recordings that can be used", letters)
	}
	return ctx.Err()
}
