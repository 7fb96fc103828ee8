package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wavemill/internal/usage"
	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/sampling"
)

// complete registers what a shell can complete behind --model and --label of cmd and all commands below it.
func complete(cmd *cobra.Command) {
	if cmd.Flags().Lookup("model") != nil {
		// Registering fails only for a flag that does not exist or that is completed already.
		_ = cmd.RegisterFlagCompletionFunc("model", completeModel)
		if cmd.Flags().Lookup("label") != nil {
			_ = cmd.RegisterFlagCompletionFunc("label", completeLabel)
		}
	}
	for _, child := range cmd.Commands() {
		complete(child)
	}
}

// completeModel completes the names of architectures and checkpoints, whichever the command takes.
func completeModel(cmd *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch strings.TrimPrefix(cmd.CommandPath(), "wavemill ") {
	case "train", "demo", "plan", "bench quality":
		return usage.Complete(word, architectures.Names(), "")
	case "compare":
		return usage.Complete(word, architectures.Names(), "safetensors")
	}
	return usage.Complete(word, nil, "safetensors")
}

// completeLabel completes the labels of the checkpoints given with --model, and all.
func completeLabel(cmd *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	for _, path := range modelsGiven(cmd) {
		if c, err := models.Read(path); err == nil { // else there is nothing to complete
			out = append(out, c.Labels...)
		}
	}
	if len(out) > 0 {
		out = append(out, sampling.AllLabels)
	}
	slices.Sort(out)
	return usage.Complete(word, slices.Compact(out), "")
}

// modelsGiven returns the values of --model so far.
func modelsGiven(cmd *cobra.Command) []string {
	if paths, err := cmd.Flags().GetStringArray("model"); err == nil {
		return paths
	}
	if path, err := cmd.Flags().GetString("model"); err == nil && path != "" {
		return []string{path}
	}
	return nil
}
