package main

import (
	"bytes"
	"strings"
	"testing"
)

// runCLI executes one command line in this process and returns what a shell would see.
func runCLI(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = execute(t.Context(), args, strings.NewReader(""), &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestUsageErrorsExitWithTwo(t *testing.T) {
	for _, tc := range []struct{ name, args, want string }{
		{"unknown command", "bensh", `did you mean "bench"?`},
		{"unknown command far from all", "xyzzy", "it has "},
		{"unknown sub-command", "bench xyzzy", `unknown command "xyzzy" for "wavemill bench"`},
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
	for _, args := range []string{"", "--help", "help", "bench", "--version"} {
		code, stdout, stderr := runCLI(t, strings.Fields(args)...)
		if code != exitOK || stdout == "" || stderr != "" {
			t.Errorf("wavemill %s: exit code %d, %d bytes of help, stderr %q", args, code, len(stdout), stderr)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"demo", "publish", "subscribe", "train"}
	for word, want := range map[string]string{"dmeo": "demo", "pub": "publish", "trian": "train", "subscribee": "subscribe", "quux": ""} {
		if got := nearest(word, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
