package main

import "github.com/spf13/cobra"

// needArgs is the Args check of a command that wants one argument or more.
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
	cmd.Flags().StringVar(labels, "labels", "", `where labels come from: folder, prefix, FILE.csv, FILE.jsonl or a pattern such as "{label}_{speaker}_{n}" (default: detected)`)
}
