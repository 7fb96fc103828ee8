package files

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/pipeline"
	"wavemill/pipeline/contract"
	"wavemill/pipeline/header"
)

// shownRefusals is how many refused recordings an error names.
const shownRefusals = 5

// refusals collects the recordings that a contract does not admit.
type refusals struct {
	mu    sync.Mutex
	n     int
	shown []string
}

func (r *refusals) add(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n++; len(r.shown) < shownRefusals {
		r.shown = append(r.shown, fmt.Sprintf("%s: %v", name, err))
	}
}

// text lists the first refusals.
func (r *refusals) text() string {
	text := "\n" + strings.Join(r.shown, "\n")
	if r.n > len(r.shown) {
		text += fmt.Sprintf("\nand %d more", r.n-len(r.shown))
	}
	return text
}

// facts are what a contract says something about. Where the file cannot be decoded, they are those of no sound: the
// operator that reads it says what is wrong with it.
func facts(ctx context.Context, c contract.Contract, name, label string, body []byte) (contract.Facts, error) {
	if c.LabelsAlone() {
		return contract.Facts{Label: label}, nil
	}
	clip, _, err := codec.Decode(ctx, name, body)
	if err != nil {
		return contract.Facts{}, err
	}
	return contract.Facts{Label: label, Rate: clip.Rate, Channels: clip.Channels, Duration: clip.Duration()}, nil
}

// Admit checks files against a contract before any of them is published. Its error names the files that are not admitted,
// files that cannot be decoded among them where the contract says something about sound.
func Admit(ctx context.Context, c contract.Contract, items []dataset.Item) error {
	if c.Empty() {
		return nil
	}
	var refused refusals
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(publishWorkers)
	for _, item := range items {
		group.Go(func() error {
			if err := c.CheckLabel(item.Label); err != nil || c.LabelsAlone() {
				if err != nil {
					refused.add(item.Path, err)
				}
				return nil
			}
			m, err := Message(item)
			if err != nil {
				return err
			}
			f, err := facts(working, c, item.Name, item.Label, m.Body)
			if err == nil {
				err = c.Check(f)
			}
			if err != nil && working.Err() == nil {
				refused.add(item.Path, err)
			}
			return working.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if refused.n > 0 {
		return fmt.Errorf("nothing is published: the contract of the pipeline does not admit %d of %d files:%s", refused.n, len(items), refused.text())
	}
	return nil
}

// Audit checks the recordings that the bus has stored against a contract that is to come into force. Its error says how many
// it would not admit. Stored recordings that cannot be decoded are passed over: they are dead letters already.
func Audit(ctx context.Context, bus Subscriber, c contract.Contract) error {
	var refused refusals
	total := 0
	for m, err := range bus.Messages(ctx, pipeline.Subscription{Stream: pipeline.TypeAudio, From: 1, Last: true}) {
		if m == nil {
			if ctx.Err() != nil {
				return errors.Join(ctx.Err(), err)
			}
			continue
		}
		total++
		name := m.Header[header.Source]
		if name == "" {
			name = m.ID
		}
		f, err := facts(ctx, c, name, m.Label, m.Body)
		if err != nil {
			continue
		}
		if err := c.Check(f); err != nil {
			refused.add(fmt.Sprintf("%s (sequence %d)", name, m.Sequence), err)
		}
	}
	if refused.n > 0 {
		return fmt.Errorf("the contract is refused: it would not admit %d of %d recordings that are stored:%s\nChange it, or force it: `wavemill contract set --force`", refused.n, total, refused.text())
	}
	return ctx.Err()
}
