package usage

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestNearest(t *testing.T) {
	names := []string{"demo", "publish", "subscribe", "train"}
	for word, want := range map[string]string{"dmeo": "demo", "pub": "publish", "trian": "train", "subscribee": "subscribe", "quux": "", "": ""} {
		if got := Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestIs(t *testing.T) {
	cause := errors.New("cause")
	err := Errorf("--n: %w", cause)
	if !Is(err) || !Is(fmt.Errorf("more: %w", err)) || !errors.Is(err, cause) || err.Error() != "--n: cause" {
		t.Errorf("%v", err)
	}
	if Is(cause) || Is(nil) {
		t.Error("any error is a usage error")
	}
}

// program is a tree of commands: "mill grind --size N COFFEE", whose own error is no usage error.
func program() *cobra.Command {
	root := &cobra.Command{Use: "mill", Args: cobra.ArbitraryArgs, RunE: GroupOnly, SilenceErrors: true, SilenceUsage: true}
	grind := &cobra.Command{Use: "grind", Short: "Grind", Args: cobra.ExactArgs(1), RunE: func(*cobra.Command, []string) error { return errors.New("no beans") }}
	grind.Flags().Int("size", 0, "size of the grains")
	root.AddCommand(grind)
	root.SetHelpCommand(NewHelp())
	root.CompletionOptions.DisableDefaultCmd = true
	Strict(root)
	return root
}

func TestStrict(t *testing.T) {
	for line, want := range map[string]struct {
		usage bool
		text  string
	}{
		"gridn":           {true, `did you mean "grind"?`},
		"xyzzy":           {true, "it has grind"},
		"grind":           {true, "accepts 1 arg"},
		"grind --sizes 1": {true, "did you mean --size?"},
		"grind --quux":    {true, "unknown flag"},
		"grind -x":        {true, "unknown shorthand"},
		"grind --size x":  {true, "invalid argument"},
		"help gridn":      {true, `did you mean "grind"?`},
		"help grind x":    {true, "no commands of its own"},
		"grind coffee":    {false, "no beans"},
		"":                {false, ""},
		"help grind":      {false, ""},
	} {
		root := program()
		root.SetOut(io.Discard)
		root.SetArgs(strings.Fields(line))
		err := root.Execute()
		if Is(err) != want.usage || (err == nil) != (want.text == "") || err != nil && !strings.Contains(err.Error(), want.text) {
			t.Errorf("mill %s: %v; want %q, a usage error: %v", line, err, want.text, want.usage)
		}
	}
}

func TestCompleteCommands(t *testing.T) {
	for word, want := range map[string]string{"": "grind\tGrind", "gr": "grind\tGrind", "x": ""} {
		got, _ := completeCommands(program(), nil, word)
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
