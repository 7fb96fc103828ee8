package convert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"wavemill/audio/spectrogram"
)

// maxColumns bounds the frames that a picture is drawn from: more than its pixels, and little memory.
const maxColumns = 4096

// columns gathers rows for a picture. When there are too many, each two become one, the louder value
// of each bin: what a picture shows where several frames fall on one pixel.
type columns struct {
	bins  int
	data  []float32
	each  int // Frames in a column.
	last  int // Frames in the last column, each when it is full.
	total int64
}

func (c *columns) add(rows []float32) {
	if c.each == 0 {
		c.each, c.last = 1, 1
	}
	for ; len(rows) > 0; rows = rows[c.bins:] {
		row := rows[:c.bins]
		c.total++
		if c.last < c.each {
			louder(c.data[len(c.data)-c.bins:], row)
			c.last++
			continue
		}
		if len(c.data) == maxColumns*c.bins {
			c.halve()
		}
		c.data = append(c.data, row...)
		c.last = 1
	}
}

// halve joins each two columns.
func (c *columns) halve() {
	n := len(c.data) / c.bins / 2
	for i := range n {
		column := c.data[i*c.bins : (i+1)*c.bins]
		copy(column, c.data[2*i*c.bins:])
		louder(column, c.data[(2*i+1)*c.bins:(2*i+2)*c.bins])
	}
	c.data = c.data[:n*c.bins]
	c.each *= 2
	c.last = c.each
}

func louder(dst, src []float32) {
	for i, v := range src {
		dst[i] = max(dst[i], v)
	}
}

// picture draws the spectrogram of a recording, or of rows in a shard.
func (w *fileWorker) picture(ctx context.Context, j job, f *os.File) outcome {
	var o outcome
	c := columns{}
	config := spectrogram.Config{}
	if j.shards == nil {
		config = *w.p.config
		c.bins = config.Bins()
		var samples int64
		var found faults
		samples, found, o.skip = w.x.extract(ctx, j.item.Path, j.item.Size, func(rows []float32) error {
			c.add(rows)
			return nil
		})
		o.seconds, o.truncated, o.notes = float64(samples)/float64(config.SampleRate), found.truncated, found.notes
	} else {
		if config, o.skip = entryConfig(j); o.skip == nil {
			c.bins = j.entry.Bins
			o.skip = readRows(ctx, j, func(rows []float32) error {
				c.add(rows)
				return nil
			})
			o.seconds = float64(j.entry.Samples) / float64(config.SampleRate)
		}
	}
	if o.skip != nil {
		return o
	}
	o.rows = c.total
	n := len(c.data) / c.bins
	s := &spectrogram.Spectrogram{Config: config, Frames: n, Bins: c.bins, Data: c.data}
	title := j.item.Name
	if j.item.Label != "" {
		title = j.item.Label + ": " + title
	}
	o.skip = buffered(f, func(b io.Writer) error {
		return spectrogram.WritePNG(b, s, spectrogram.PictureOptions{
			Title: title, Seconds: float64(n) * float64(c.each) * float64(config.Hop) / float64(config.SampleRate),
		})
	})
	return o
}

// entryConfig is the config that made the rows of a job's entry.
func entryConfig(j job) (spectrogram.Config, error) {
	var c spectrogram.Config
	if err := json.Unmarshal(j.entry.Config, &c); err != nil {
		return c, fmt.Errorf("its config: %w", err)
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("its config: %w", err)
	}
	if c.Bins() != j.entry.Bins {
		return c, fmt.Errorf("its config makes %d bins, but its rows have %d", c.Bins(), j.entry.Bins)
	}
	return c, nil
}

// readRows hands the rows of a job's entry to emit, block by block.
func readRows(ctx context.Context, j job, emit func([]float32) error) error {
	if j.entry.Frames == 0 {
		return errEmpty
	}
	r, err := j.shards.Open(j.entry)
	if err != nil {
		return err
	}
	defer r.Close()
	block := make([]float32, max(1, min(j.entry.Frames, blockSamples/j.entry.Bins))*j.entry.Bins)
	for ctx.Err() == nil {
		n, err := r.ReadRows(block)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := emit(block[:n*j.entry.Bins]); err != nil {
			return err
		}
	}
	return ctx.Err()
}
