package usage

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

func TestComplete(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"mocha.bean", "milk.txt", "deep/java.bean", ".hidden.bean"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const noFiles, noSpace = cobra.ShellCompDirectiveNoFileComp, cobra.ShellCompDirectiveNoSpace
	names := []string{"arabica", "moka"}
	for _, c := range []struct {
		word  string
		names []string
		ext   string
		want  []string
		how   cobra.ShellCompDirective
	}{
		{"m", names, "", []string{"moka"}, noFiles},
		{"", nil, "bean", []string{"bean"}, cobra.ShellCompDirectiveFilterFileExt},
		{"m", names, "bean", []string{"moka", "mocha.bean"}, noFiles},
		{"", names, "bean", []string{"arabica", "moka", "deep/", "mocha.bean"}, noFiles | noSpace},
		{".h", names, "bean", []string{".hidden.bean"}, noFiles},
		{"deep/", names, "bean", []string{"deep/java.bean"}, noFiles},
		{"nowhere/", names, "bean", nil, noFiles},
	} {
		if got, how := Complete(c.word, c.names, c.ext); !slices.Equal(got, c.want) || how != c.how {
			t.Errorf("%q: %q, %d; want %q, %d", c.word, got, how, c.want, c.how)
		}
	}
}
