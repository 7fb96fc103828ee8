package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"wavemill/audio/dataset"
	"wavemill/operators/files"
	"wavemill/pipeline"
)

func newPublish(a *app) *cobra.Command {
	var bus busFlags
	var labels string
	var asJSON bool
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
  wavemill publish --labels table.csv sounds/`,
		Args: needArgs("a folder or a file to publish"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.publish(cmd.Context(), &bus, args, labels, asJSON)
		},
	}
	bus.add(cmd.Flags())
	addLabels(cmd, &labels)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as one line of JSON")
	return cmd
}

func (a *app) publish(ctx context.Context, flags *busFlags, roots []string, labels string, asJSON bool) error {
	set, err := a.scan(ctx, roots, labels)
	if err != nil {
		return err
	}
	bus, err := openClient(ctx, a, flags, pipeline.TypeAudio)
	if err != nil {
		return err
	}
	var result published
	admitted, err := bus.Contract(ctx)
	if err == nil {
		err = files.Admit(ctx, admitted, set.Items)
	}
	if err == nil {
		result, err = a.publishItems(ctx, bus, set.Items)
	}
	if err = errors.Join(err, closeBus(ctx, bus)); err != nil {
		return err
	}
	return a.printResult(asJSON, struct {
		published
		LabelSource string         `json:"label_source"`
		Skipped     []dataset.Skip `json:"skipped"`
	}{result, set.LabelSource, append([]dataset.Skip{}, set.Skipped...)})
}

// published counts the published files, as --json prints it.
type published = files.Published

// publishItems publishes files with a progress bar.
func (a *app) publishItems(ctx context.Context, bus *pipeline.Bus, items []dataset.Item) (published, error) {
	task := a.console.Start("publish", int64(len(items)), "files")
	defer task.Done()
	return files.Publish(ctx, bus, items, func() { task.Add(1) })
}
