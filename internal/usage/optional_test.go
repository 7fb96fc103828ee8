package usage_test

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wavemill/internal/usage"
)

func TestOptional(t *testing.T) {
	var n *int
	var x *float64
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.Var(usage.NewOptional(&n, 0), "n", "number")
	f.Var(usage.NewOptional(&x, 0.4), "x", "share")
	if n != nil || x != nil {
		t.Error("flags that are not given have a value")
	}
	if help := f.FlagUsages(); !strings.Contains(help, "--n int     number\n") || !strings.Contains(help, "--x float   share (default 0.4)") {
		t.Errorf("help:\n%s", help)
	}
	if err := f.Parse([]string{"--n", "0", "--x", "0.25"}); err != nil || n == nil || *n != 0 || x == nil || *x != 0.25 {
		t.Errorf("n %v, x %v, error %v", n, x, err)
	}
	for _, wrong := range []string{"--n=1.5", "--x=much"} {
		if f.Parse([]string{wrong}) == nil {
			t.Errorf("%s is accepted", wrong)
		}
	}
}

// TestRequired requires an Error that names the first flag without a value.
func TestRequired(t *testing.T) {
	for want, args := range map[string][]string{
		"--data is missing: recordings": {},
		"--out is missing: a folder":    {"--data", "d"},
		"":                              {"--data", "d", "--out", "o"},
	} {
		root := command()
		root.SetArgs(args)
		err := root.Execute()
		if want == "" && err == nil {
			continue
		}
		if err == nil || err.Error() != want || !usage.Is(err) {
			t.Errorf("%q: error %v, want %q", args, err, want)
		}
	}
}

// command returns a command with two required flags.
func command() *cobra.Command {
	cmd := &cobra.Command{RunE: func(*cobra.Command, []string) error { return nil }, SilenceErrors: true, SilenceUsage: true}
	cmd.Flags().StringArray("data", nil, "recordings (required)")
	cmd.Flags().String("out", "", "a folder (required)")
	cmd.Flags().Int("n", 0, "number")
	usage.Strict(cmd)
	return cmd
}
