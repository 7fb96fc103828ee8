package usage

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Strict makes cmd and all commands below it return an [Error] for wrong flags and arguments, and for each flag whose help
// ends in "(required)" and that has no value. Call it on the root when the tree is complete.
func Strict(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(flagError)
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := required(cmd.Flags()); err != nil {
				return err
			}
			return run(cmd, args)
		}
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil && !Is(err) {
				return Error{Err: err}
			} else if err != nil {
				return err
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		Strict(child)
	}
}

// required returns an Error for the first flag, by name, whose help ends in "(required)" and that has its default value.
func required(flags *pflag.FlagSet) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		help, is := strings.CutSuffix(f.Usage, " (required)")
		if err == nil && is && f.Value.String() == f.DefValue {
			err = Errorf("--%s is missing: %s", f.Name, help)
		}
	})
	return err
}

// flagError turns an error of pflag into an Error, with a suggestion for a name that does not exist.
func flagError(cmd *cobra.Command, err error) error {
	missing, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || missing.GetSpecifiedShortnames() != "" {
		return Error{Err: err}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := Nearest(missing.GetSpecifiedName(), names); near != "" {
		return Errorf("%w; did you mean --%s?", err, near)
	}
	return Error{Err: err}
}

// GroupOnly is the RunE of a command that only groups others: without arguments it prints the help, and with any it
// returns an Error, because no command has that name. The command needs cobra.ArbitraryArgs as its Args.
func GroupOnly(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return unknownCommand(cmd, args)
}

// unknownCommand is the error for a command, args[0], that cmd does not have. It suggests the nearest name.
func unknownCommand(cmd *cobra.Command, args []string) error {
	var names []string
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	if len(names) == 0 {
		return Errorf("unknown command %q: %q has no commands of its own", args[0], cmd.CommandPath())
	}
	if near := Nearest(args[0], names); near != "" {
		return Errorf("unknown command %q for %q; did you mean %q?", args[0], cmd.CommandPath(), near)
	}
	return Errorf("unknown command %q for %q; it has %s", args[0], cmd.CommandPath(), strings.Join(names, ", "))
}

// NewHelp returns the help command. It is cobra's own but for two things: a command that does not exist is an Error, and
// its arguments are completed by the names of commands. Persistent hooks of the root do not run before it.
func NewHelp() *cobra.Command {
	return &cobra.Command{
		Use:               "help [COMMAND]",
		Short:             "Show the help of a command",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeCommands,
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(cmd *cobra.Command, args []string) error {
			of, rest, err := cmd.Root().Find(args)
			if err != nil {
				return Error{Err: err}
			}
			if len(rest) > 0 {
				return unknownCommand(of, rest)
			}
			return of.Help()
		},
	}
}

// completeCommands completes the names of the commands below the one that args name.
func completeCommands(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	of, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []cobra.Completion
	for _, child := range of.Commands() {
		if child.IsAvailableCommand() && strings.HasPrefix(child.Name(), word) {
			out = append(out, cobra.CompletionWithDesc(child.Name(), child.Short))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
