package usage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/spf13/cobra"
)

// TestNoErrorHasNoCode: nil stays nil.
func TestNoErrorHasNoCode(t *testing.T) {
	if err := WithCode(nil, ExitNoGain); err != nil {
		t.Error(err)
	}
}

// TestExplain: an interruption is called that, once, whatever is around the error, and only usage errors name the help.
func TestExplain(t *testing.T) {
	cmd := &cobra.Command{Use: "grind"}
	(&cobra.Command{Use: "mill"}).AddCommand(cmd)
	for _, c := range []struct {
		err  error
		want string
		code int
	}{
		{errors.New("disk full"), "mill: disk full\n", ExitFailed},
		{context.Canceled, "mill: interrupted\n", ExitFailed},
		{fmt.Errorf("clip 3: %w", context.Canceled), "mill: clip 3: interrupted\n", ExitFailed},
		{errors.Join(context.Canceled, context.Canceled), "mill: interrupted\n", ExitFailed},
		{errors.Join(context.Canceled, errors.New("disk full")), "mill: interrupted\ndisk full\n", ExitFailed},
		{context.DeadlineExceeded, "mill: context deadline exceeded\n", ExitFailed},
		{WithCode(errors.New("no gain"), ExitNoGain), "mill: no gain\n", ExitNoGain},
		{fmt.Errorf("grind: %w", WithCode(context.Canceled, ExitNoGain)), "mill: grind: interrupted\n", ExitNoGain},
		{Errorf("--size 0"), "mill: --size 0\nRun 'mill grind --help' for usage.\n", ExitUsage},
	} {
		var b bytes.Buffer
		if code := Explain(&b, cmd, c.err); code != c.code || b.String() != c.want {
			t.Errorf("%v: %d, %q; want %d, %q", c.err, code, b.String(), c.code, c.want)
		}
	}
}
