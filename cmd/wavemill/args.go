package main

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

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

// givenFlags are the flags that a command line has, sorted and quoted, but for some.
func givenFlags(f *pflag.FlagSet, except ...string) []string {
	var parts []string
	f.Visit(func(flag *pflag.Flag) {
		if slices.Contains(except, flag.Name) {
			return
		}
		values, name := []string{flag.Value.String()}, "--"+flag.Name
		if several, ok := flag.Value.(pflag.SliceValue); ok {
			values = several.GetSlice()
		}
		for _, v := range values {
			if flag.Value.Type() == "bool" {
				parts = append(parts, name+"="+v)
			} else {
				parts = append(parts, name+" "+quote(v))
			}
		}
	})
	return parts
}
