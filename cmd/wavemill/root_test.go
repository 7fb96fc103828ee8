package main

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/internal/text"
	"wavemill/internal/usage"
)

// isUsage reports whether a command ends with exitUsage for err.
func isUsage(err error) bool { return usage.Is(err) }

// runCLI executes one command line in this process and returns what a shell would see. Trainings measure as few clips as
// those of quickDemo.
func runCLI(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = quickExecute(t.Context(), args, &out, &errOut)
	return code, out.String(), errOut.String()
}

// quickExecute executes one command line whose trainings measure few clips, unless they keep some of them.
func quickExecute(ctx context.Context, args []string, out, errOut io.Writer) int {
	a := &app{in: strings.NewReader(""), out: text.NewWriter(out), err: errOut}
	if !slices.Contains(args, "--previews") {
		a.newEvaluator = quickEvaluator
	}
	return a.execute(ctx, args)
}

func TestUsageErrorsExitWithTwo(t *testing.T) {
	for _, tc := range []struct{ name, args, want string }{
		{"unknown command", "bensh", `did you mean "bench"?`},
		{"unknown command far from all", "xyzzy", "it has "},
		{"unknown sub-command", "bench xyzzy", `unknown command "xyzzy" for "wavemill bench"`},
		{"help of an unknown command", "help trian", `did you mean "train"?`},
		{"help of an unknown command far from all", "help xyzzy", "it has "},
		{"help of an unknown sub-command", "help bench qualty", `did you mean "quality"?`},
		{"help of what has no commands", "help train foo", `"wavemill train" has no commands`},
		{"completion of an unknown shell", "completion xyzzy", `unknown command "xyzzy" for "wavemill completion"`},
		{"unknown flag", "bench --lgo text", "did you mean --log?"},
		{"unknown flag far from all", "--zzzzzzzzzz", "unknown flag: --zzzzzzzzzz"},
		{"unknown short flag", "-z", "unknown shorthand flag"},
		{"bad log format", "bench --log xml", "--log is one of"},
		{"bad log level", "bench --log-level loud", "--log-level is one of"},
		{"bad progress mode", "bench --progress dots", "--progress is one of"},
		{"flag without its value", "bench --log", "flag needs an argument"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := runCLI(t, strings.Fields(tc.args)...)
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if !strings.Contains(stderr, tc.want) {
				t.Errorf("stderr lacks %q:\n%s", tc.want, stderr)
			}
			if !strings.Contains(stderr, "--help' for usage") {
				t.Errorf("stderr does not say where help is:\n%s", stderr)
			}
			if stdout != "" {
				t.Errorf("stdout is for results, got %q", stdout)
			}
		})
	}
}

func TestHelpExitsWithZero(t *testing.T) {
	for _, args := range []string{"", "--help", "help", "help train", "help bench quality", "bench", "--version", "completion bash"} {
		code, stdout, stderr := runCLI(t, strings.Fields(args)...)
		if code != exitOK || stdout == "" || stderr != "" {
			t.Errorf("wavemill %s: exit code %d, %d bytes of help, stderr %q", args, code, len(stdout), stderr)
		}
	}
}

// TestEveryCommandExplainsItself walks the whole tree.
func TestEveryCommandExplainsItself(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short help %q", cmd.CommandPath(), cmd.Short)
		}
		for line := range strings.SplitSeq(cmd.Long+"\n"+cmd.Example, "\n") {
			if len([]rune(line)) > 120 {
				t.Errorf("%s: a line of help has %d characters: %s", cmd.CommandPath(), len([]rune(line)), line)
			}
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || f.Name != strings.ToLower(f.Name) {
				t.Errorf("%s: flag --%s: %q", cmd.CommandPath(), f.Name, f.Usage)
			}
		})
		for line := range strings.Lines(cmd.Flags().FlagUsages()) {
			if strings.Count(line, "(default") > 1 || strings.Contains(line, "(default [") || strings.Contains(line, "(default -1)") {
				t.Errorf("%s: the help gives a default twice, or not as a user writes it: %s", cmd.CommandPath(), line)
			}
		}
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(newRoot(&app{}))
}
