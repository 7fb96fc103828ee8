package files

import (
	"context"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// publishWorkers is how many files are published at once: enough to share one sync of the server's disk among many.
// publishBytes is how much of their contents is in memory at once; a larger file is published alone. publishReaders is how many are
// read at once.
const (
	publishWorkers = 512
	publishBytes   = 64 << 20
	publishReaders = 8
)

// Published counts the files that the bus has confirmed.
type Published struct {
	Published  int            `json:"published"`  // Published counts the confirmed files.
	Duplicates int            `json:"duplicates"` // Duplicates counts those of them that were stored before.
	Labels     map[string]int `json:"labels"`     // Labels counts the confirmed files by label.
	Bytes      int64          `json:"bytes"`      // Bytes is the size of the confirmed files.
}

// String is the result in one line.
func (p Published) String() string {
	text := fmt.Sprintf("published %d recordings of %d labels", p.Published, len(p.Labels))
	if p.Duplicates > 0 {
		text += fmt.Sprintf(" (%d were on the bus already)", p.Duplicates)
	}
	return text
}

// Publish publishes files unchanged, several at once, each as the message of [Message], and waits for the confirmation
// of each. The server recognises repeated content: publishing a file again changes nothing. onFile, if not nil, is
// called after every confirmation; calls do not overlap.
//
// On an error Publish stops and returns the counts so far. A file of more than MaxSize bytes is an error.
func Publish(ctx context.Context, bus Publisher, items []dataset.Item, onFile func()) (Published, error) {
	result := Published{Labels: map[string]int{}}
	var mu sync.Mutex
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(publishWorkers)
	room := semaphore.NewWeighted(publishBytes)
	readers := make(chan struct{}, publishReaders)
	for _, item := range items {
		weight := min(max(item.Size, 1), publishBytes)
		if room.Acquire(working, weight) != nil {
			break
		}
		group.Go(func() error {
			defer room.Release(weight)
			readers <- struct{}{}
			m, err := Message(item)
			<-readers
			if err != nil {
				return err
			}
			size := len(m.Body)
			ack, err := bus.Publish(working, m)
			if err != nil {
				return fmt.Errorf("publish %s: %w", item.Path, err)
			}
			mu.Lock()
			defer mu.Unlock()
			result.add(item.Label, size, ack)
			if onFile != nil {
				onFile()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return result, err
	}
	return result, ctx.Err()
}

// add counts one confirmed file.
func (p *Published) add(label string, size int, ack pipeline.Ack) {
	p.Published++
	p.Labels[label]++
	p.Bytes += int64(size)
	if ack.Duplicate {
		p.Duplicates++
	}
}

// Message reads a file into a message of [pipeline.TypeAudio] with the item's label, source, group and media type. The
// body is the file unchanged. A file of more than MaxSize bytes is an error; it is not read.
func Message(item dataset.Item) (*pipeline.Message, error) {
	info, err := os.Stat(item.Path) // Not item.Size: the file may have grown since it was listed.
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	if info.Size() > MaxSize {
		return nil, fmt.Errorf("publish %s: %d MiB is more than the %d MiB of one recording; split it", item.Path, info.Size()>>20, MaxSize>>20)
	}
	body, err := os.ReadFile(item.Path)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	m := &pipeline.Message{Type: pipeline.TypeAudio, Label: item.Label, Body: body}
	m.SetHeader(header.Source, item.Name)
	if item.Group != "" {
		m.SetHeader(header.Group, item.Group)
	}
	m.SetHeader(header.ContentType, codec.MediaType(item.Path))
	return m, nil
}
