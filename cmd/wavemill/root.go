package main

import (
	"runtime/debug"

	"github.com/spf13/cobra"

	"wavemill/internal/usage"
)

// newRoot builds the command tree. Every command is in the list below; there is no registration elsewhere.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "wavemill",
		Short: "Generate new labelled recordings from labelled recordings",
		Long: `Wavemill learns from a stream of labelled recordings and generates new ones.

Operators on a NATS bus turn audio into spectrograms, train a generative model on
them and answer requests with WAV files that nobody recorded. One binary; without
a server of its own it embeds one.`,
		Example: `  wavemill demo                          train a model and generate clips on this machine, in minutes
  wavemill demo --data DIR --budget 3m   the same on your recordings
  wavemill up --nats nats://host:4222    run the pipeline against a NATS server`,
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              cobra.ArbitraryArgs,
		RunE:              usage.GroupOnly,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.setup(cmd.Context()) },
	}
	root.SetVersionTemplate("wavemill {{.Version}}\n")
	f := root.PersistentFlags()
	f.StringVar(&a.logFormat, "log", "auto", "log format: auto (text on a terminal, else json), text, json")
	f.StringVar(&a.logLevel, "log-level", "info", "lowest level that is logged: debug, info, warn, error")
	f.StringVar(&a.progressMode, "progress", "auto", "progress on stderr: auto (a bar on a terminal, else lines), bar, lines, off")
	root.AddCommand(
		newDemo(a), newStudio(a), newUp(a), newOperator(a), newPublish(a), newSubscribe(a), newRequest(a), // on a bus
		newLint(a), newProvision(a), newContract(a), newHealth(a), newVerify(a), newDLQ(a), newQuarantine(a), newModels(a),
		newConvert(a), newSlice(a), newTrain(a), newGenerate(a), newRegenerate(a), newInspect(a), newExport(a), newLatents(a),
		newEval(a), newJudge(a), newCompare(a), newTopup(a), newPlan(a), newSynth(a), newBench(a),
	)
	root.SetIn(a.in)
	root.SetOut(a.out) // before the completion command is made: it keeps the stream
	root.SetErr(a.err)
	root.SetHelpCommand(usage.NewHelp())
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Args, completion.RunE = cobra.ArbitraryArgs, usage.GroupOnly
	}
	usage.Strict(root)
	complete(root)
	return root
}

// version is the module's version as the go command stamped it: a tag for installed binaries, "(devel)" for a build
// from a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
