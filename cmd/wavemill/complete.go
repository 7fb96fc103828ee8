package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wavemill/models"
	"wavemill/models/architectures"
	"wavemill/models/sampling"
)

// modelFlag says what --model takes in the commands where it is not a checkpoint alone, by the command's path.
func modelFlag(cmd *cobra.Command) (names, files bool) {
	switch strings.TrimPrefix(cmd.CommandPath(), "wavemill ") {
	case "train", "demo", "plan", "bench quality":
		return true, false
	case "compare":
		return true, true
	}
	return false, true
}

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
	names, files := modelFlag(cmd)
	var out []cobra.Completion
	if names {
		for _, name := range architectures.Names() {
			if strings.HasPrefix(name, word) {
				out = append(out, name)
			}
		}
	}
	if !files {
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	if !names {
		return []cobra.Completion{"safetensors"}, cobra.ShellCompDirectiveFilterFileExt
	}
	// A shell completes either files of an extension or given words: here the files are given words too.
	found, folder := checkpoints(word)
	out = append(out, found...)
	if folder {
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// checkpoints lists the folders and checkpoints whose path begins with word, and whether a folder is among them.
func checkpoints(word string) (found []string, folder bool) {
	dir, prefix := filepath.Split(word)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil { // then there is nothing to complete
		return nil, false
	}
	for _, e := range entries {
		hidden := strings.HasPrefix(e.Name(), ".") && prefix == ""
		switch {
		case !strings.HasPrefix(e.Name(), prefix) || hidden:
		case e.IsDir():
			found, folder = append(found, dir+e.Name()+"/"), true
		case strings.HasSuffix(e.Name(), ".safetensors"):
			found = append(found, dir+e.Name())
		}
	}
	return found, folder
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
	out = slices.DeleteFunc(slices.Compact(out), func(l string) bool { return !strings.HasPrefix(l, word) })
	return out, cobra.ShellCompDirectiveNoFileComp
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
