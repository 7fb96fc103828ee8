// Command image builds Wavemill's container image without a container daemon: an OCI image layout for linux/amd64 and
// linux/arm64, with a bill of materials (SPDX) and a provenance statement (SLSA) beside it. Two builds of the same source
// with the same Go version have the same digest.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run builds as the arguments say; what it wrote goes to out, flags' help to usage.
func run(ctx context.Context, args []string, out, usage io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(usage)
	module := flags.String("module", ".", "folder of the module wavemill")
	folder := flags.String("out", "bin/image", "folder for the layout, the bills of materials and the provenance; it must not exist or be empty")
	platforms := flags.String("platforms", "linux/amd64,linux/arm64", "platforms, separated by commas")
	push := flags.String("push", "", "also push to this repository:tag, with the login of docker or podman (default: do not push)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if old, err := os.ReadDir(*folder); err == nil && len(old) > 0 {
		return fmt.Errorf("%s is not empty; remove it or name another folder with -out", *folder)
	}
	name, err := readName(filepath.Join(*module, "charts", "wavemill"))
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "wavemill-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	var binaries []binary
	for text := range strings.SplitSeq(*platforms, ",") {
		b, err := build(ctx, *module, strings.TrimSpace(text), work)
		if err != nil {
			return err
		}
		binaries = append(binaries, b)
	}
	index, err := assemble(binaries, name)
	if err != nil {
		return err
	}
	if err := write(*folder, index, binaries, name); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s@%s\n%s\n", name, digest, *folder)
	if *push == "" {
		return nil
	}
	return pushIndex(ctx, *push, index)
}
