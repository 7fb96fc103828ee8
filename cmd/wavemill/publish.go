package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"wavemill/audio/dataset"
	"wavemill/operators/files"
	"wavemill/pipeline"
	"wavemill/pipeline/contract"
)

func newPublish(a *app) *cobra.Command {
	var bus busFlags
	var o publishOptions
	cmd := &cobra.Command{
		Use:   "publish DIR|FILE...",
		Short: "Put recordings on the bus, with their labels",
		Long: `Publish puts recordings on the bus unchanged, one message each, on the subject
<pipeline>.audio.<label>.

Labels come from the names of the folders, or from the file names up to the first
"_"; --labels overrides that. Publishing a file again changes nothing: the server
recognises its content.`,
		Example: `  wavemill publish recordings/
  wavemill publish --labels '{label}_{speaker}_{n}' --nats nats://host:4222 digits/
  wavemill publish --labels table.csv sounds/
  wavemill publish --to take sessions/`,
		Args: needArgs("a folder or a file to publish"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.chop.check(cmd.Flags()); err != nil {
				return err
			}
			return a.publish(cmd.Context(), &bus, args, o)
		},
	}
	bus.add(cmd.Flags())
	addLabels(cmd, &o.labels)
	o.chop.add(cmd.Flags())
	cmd.Flags().StringVar(&o.to, "to", pipeline.TypeAudio, "stream to publish to, such as take, from which segment cuts clips")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print the result as one line of JSON")
	return cmd
}

// publishOptions are the flags of `wavemill publish`.
type publishOptions struct {
	labels, to string
	asJSON     bool
	chop       chopFlags
}

func (a *app) publish(ctx context.Context, flags *busFlags, roots []string, o publishOptions) (err error) {
	p, err := a.chop(ctx, o.chop, roots, o.labels, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.release()) }()
	set, err := a.scanGroups(ctx, p.data, p.labels, p.group)
	if err != nil {
		return err
	}
	flags.input = o.to
	bus, err := openClient(ctx, a, flags, o.to)
	if err != nil {
		return err
	}
	var result published
	if o.to == pipeline.TypeAudio { // The contract is one of recordings.
		var admitted contract.Contract
		if admitted, err = bus.Contract(ctx); err == nil {
			err = files.Admit(ctx, admitted, set.Items)
		}
	}
	if err == nil {
		result, err = a.publishItems(ctx, toStream{bus, o.to}, set.Items)
	}
	if err = errors.Join(err, closeBus(ctx, bus)); err != nil {
		return err
	}
	return a.printResult(o.asJSON, struct {
		published
		LabelSource string         `json:"label_source"`
		Skipped     []dataset.Skip `json:"skipped"`
	}{result, set.LabelSource, append([]dataset.Skip{}, set.Skipped...)})
}

// toStream publishes recordings to a stream, as messages of its type.
type toStream struct {
	bus    *pipeline.Bus
	stream string
}

// Publish implements files.Publisher.
func (s toStream) Publish(ctx context.Context, m *pipeline.Message) (pipeline.Ack, error) {
	m.Type = s.stream
	return s.bus.Publish(ctx, m)
}

// published counts the published files, as --json prints it.
type published = files.Published

// publishItems publishes files with a progress bar.
func (a *app) publishItems(ctx context.Context, bus files.Publisher, items []dataset.Item) (published, error) {
	task := a.console.Start("publish", int64(len(items)), "files")
	defer task.Done()
	return files.Publish(ctx, bus, items, func() { task.Add(1) })
}
