package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/audio/dataset"
	"wavemill/internal/text"
)

// needArgs is the Args check of a command that needs one argument or more; what names them.
func needArgs(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s needs %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

// noArgs is the Args check of a command that takes flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// addLabels adds the flag --labels: where the labels of recordings come from.
func addLabels(cmd *cobra.Command, labels *string) {
	cmd.Flags().StringVar(labels, "labels", "", `where labels come from: folder, prefix, FILE.csv, FILE.tsv, FILE.jsonl or a pattern such as "{label}_{speaker}_{n}" or "{label}/**" (default: detected)`)
}

// wordDefault makes the help of a flag give its default as a user writes it: pflag prints the defaults of lists in brackets, also
// empty ones. Without words the help gives none.
func wordDefault(f *pflag.FlagSet, name, words string) {
	flag := f.Lookup(name)
	if words != "" {
		flag.Usage += " (default " + words + ")"
	}
	switch flag.Value.Type() { // What pflag takes for no default.
	case "int":
		flag.DefValue = "0"
	case "intSlice", "stringSlice":
		flag.DefValue = "[]"
	default:
		flag.DefValue = ""
	}
}

// scanGroups lists labelled recordings, and prints the source of the labels and the files that were skipped. group is the
// field that names the groups of recordings; "" is the default field. Folders of except are left out.
func (a *app) scanGroups(ctx context.Context, roots []string, labels, group string, except ...string) (dataset.Dataset, error) {
	set, err := dataset.Scan(ctx, roots, dataset.Options{Labels: labels, Group: group, Except: except})
	if err != nil {
		return dataset.Dataset{}, err
	}
	a.notes(set.Findings()...)
	if len(set.Items) == 0 {
		return dataset.Dataset{}, fmt.Errorf("no labelled recordings in %s; it needs audio files such as .wav or .flac, and labels as --labels describes", strings.Join(roots, ", "))
	}
	names := set.LabelNames()
	a.note("%s, %s (%s): %s", text.Count(len(set.Items), "recording", "recordings"), text.Count(len(names), "label", "labels"), set.LabelSource, abridge(names, 12))
	return set, nil
}
