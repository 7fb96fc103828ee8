package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"wavemill/audio/codec"
	"wavemill/audio/dataset"
	"wavemill/pipeline"
	"wavemill/pipeline/header"
)

// publishWorkers is how many files are on their way at once: enough to hide the wait for the server's confirmation,
// few enough that their bodies are no burden.
const publishWorkers = 16

// maxFile is the largest file that is published, in bytes: 1 GiB, an hour and a half of CD sound. Larger ones are
// hardly one labelled recording.
const maxFile = 1 << 30

func newPublish(a *app) *cobra.Command {
	var bus busFlags
	var labels string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "publish DIR|FILE...",
		Short: "Put recordings on the bus, with their labels",
		Long: `Publish puts recordings on the bus as they are, one message each, on the subject
<pipeline>.audio.<label>.

Labels come from the folders' names or from the file names up to the first "_",
whichever the files suggest; --labels overrides that. Publishing a file again is
harmless: the bus knows it by its content.`,
		Example: `  wavemill publish recordings/
  wavemill publish --labels '{label}_{speaker}_{n}' --nats nats://host:4222 digits/
  wavemill publish --labels table.csv sounds/`,
		Args: needArgs("a folder or a file to publish"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.publish(cmd.Context(), &bus, args, labels, asJSON)
		},
	}
	bus.add(cmd.Flags())
	addLabels(cmd, &labels)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was done as one line of JSON")
	return cmd
}

func (a *app) publish(ctx context.Context, flags *busFlags, roots []string, labels string, asJSON bool) error {
	set, err := a.scan(ctx, roots, labels)
	if err != nil {
		return err
	}
	bus, err := openClient(ctx, a, flags)
	if err != nil {
		return err
	}
	result, err := a.publishItems(ctx, bus, set.Items)
	if err = errors.Join(err, closeBus(ctx, bus)); err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(struct {
			published
			LabelSource string         `json:"label_source"`
			Skipped     []dataset.Skip `json:"skipped"`
		}{result, set.LabelSource, append([]dataset.Skip{}, set.Skipped...)})
	}
	text := fmt.Sprintf("published %d recordings of %d labels", result.Published, len(set.LabelNames()))
	if result.Duplicates > 0 {
		text += fmt.Sprintf(" (%d were on the bus already)", result.Duplicates)
	}
	return a.say("%s", text)
}

// scan lists labelled recordings and tells the user where the labels come from and what was passed over.
func (a *app) scan(ctx context.Context, roots []string, labels string) (dataset.Dataset, error) {
	return a.scanGroups(ctx, roots, labels, "")
}

// scanGroups is scan with the field that names the groups of recordings; "" is the usual one.
func (a *app) scanGroups(ctx context.Context, roots []string, labels, group string) (dataset.Dataset, error) {
	set, err := dataset.Scan(ctx, roots, dataset.Options{Labels: labels, Group: group})
	if err != nil {
		return dataset.Dataset{}, err
	}
	for _, skip := range set.Skipped {
		a.note("skipped %s: %s", skip.Path, skip.Reason)
	}
	if len(set.Items) == 0 {
		return dataset.Dataset{}, fmt.Errorf("no labelled recordings in %s; audio files such as .wav or .flac are looked for, labels can be given with --labels", strings.Join(roots, ", "))
	}
	names := set.LabelNames()
	a.note("%d recordings, %d labels (%s): %s", len(set.Items), len(names), set.LabelSource, abridge(names, 12))
	return set, nil
}

// published counts what became of files.
type published struct {
	Published  int            `json:"published"`  // confirmed by the stream
	Duplicates int            `json:"duplicates"` // of these, were there already
	Labels     map[string]int `json:"labels"`     // published, by label
	Bytes      int64          `json:"bytes"`
}

// publishItems publishes files as they are, several at a time, and waits for the confirmation of each.
func (a *app) publishItems(ctx context.Context, bus *pipeline.Bus, items []dataset.Item) (published, error) {
	task := a.console.Start("publish", int64(len(items)), "files")
	defer task.Done()
	result := published{Labels: map[string]int{}}
	var mu sync.Mutex
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(publishWorkers)
	for _, item := range items {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			m, err := fileMessage(item)
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
			result.Published++
			result.Labels[item.Label]++
			result.Bytes += int64(size)
			if ack.Duplicate {
				result.Duplicates++
			}
			task.Add(1)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return result, err
	}
	return result, ctx.Err()
}

// fileMessage reads a file as it goes onto the bus.
func fileMessage(item dataset.Item) (*pipeline.Message, error) {
	if item.Size > maxFile {
		return nil, fmt.Errorf("publish %s: %d MiB is more than the %d MiB of one recording; split it", item.Path, item.Size>>20, maxFile>>20)
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
