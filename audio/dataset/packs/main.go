// Command packs makes labelled folders of recordings from packages of samples that Linux distributions install, such as
// Debian's hydrogen-drumkits and sonic-pi-samples: the drums and samples of docs/quality.md.
//
//	packs [flags] drumkits DIR...      one-shots of Hydrogen's drum kits, labelled by what their instruments are called
//	packs [flags] soundfonts FILE...   one-shots of the drum kits of SoundFont 2 files, labelled by their keys of General MIDI
//	packs [flags] named DIR...         audio files of drums, labelled by what their names say; a folder is a pack
//	packs [flags] prefix DIR           audio files, labelled by their names up to the first _
//
// It writes OUT/LABEL/PACK_NN.wav, where PACK is the drum kit or, with prefix, the rest of the file's name, so that
// `--labels {label}/{kit}_{n} --group kit` keeps a kit on one side of a split. Rates, channels and levels are those of the
// source: WAV files are copied, other formats become 24-bit WAV. OUT.csv lists where each file is from, and the standard
// error how many of each label and kit there are and what was skipped for which reason.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "packs:", err)
		}
		stop()
		os.Exit(1)
	}
}

// A source lists the samples of a folder or file.
type source func(path string) ([]sample, []skip, error)

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("packs", flag.ContinueOnError)
	out := flags.String("out", "", "`folder` to write, which must not be there yet")
	var keep limits
	flags.IntVar(&keep.packs, "packs", 1, "leave out labels that fewer `packs` have")
	flags.IntVar(&keep.recordings, "recordings", 1, "leave out labels with fewer `recordings`")
	without := flags.String("without", "", "leave out these `packs`, separated by commas")
	flags.DurationVar(&keep.longest, "longest", time.Minute, "leave out recordings that are longer")
	if err := flags.Parse(args); err != nil {
		return err
	}
	list, known := map[string]source{"drumkits": drumkits, "soundfonts": soundfonts, "named": named, "prefix": prefixed}[flags.Arg(0)]
	if flags.NArg() < 2 || !known || *out == "" {
		flags.Usage()
		return errors.New("want -out FOLDER, then drumkits, soundfonts, named or prefix, then the folders or files of the samples")
	}
	var samples []sample
	var skipped []skip
	for _, from := range flags.Args()[1:] {
		some, none, err := list(from)
		if err != nil {
			return err
		}
		samples, skipped = append(samples, some...), append(skipped, none...)
	}
	leftOut := strings.Split(*without, ",")
	samples = slices.DeleteFunc(samples, func(s sample) bool { return slices.Contains(leftOut, s.pack) })
	set, err := load(ctx, samples, keep)
	if err != nil {
		return err
	}
	set.skipped = append(skipped, set.skipped...)
	if err := set.write(*out); err != nil {
		return err
	}
	set.report(os.Stderr)
	return nil
}
