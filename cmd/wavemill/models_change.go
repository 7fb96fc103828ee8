package main

import (
	"context"

	"github.com/spf13/cobra"

	"wavemill/pipeline/modelstore"
)

// change runs f on the entry of a model and prints the versions that it leaves.
func (a *app) change(ctx context.Context, m *modelsFlags, name, done string, f func(*modelstore.Store, modelstore.Entry) (modelstore.Entry, error)) error {
	return a.withModels(ctx, m, func(s *modelstore.Store) error {
		e, err := s.Get(ctx, name)
		if err != nil {
			return err
		}
		if e, err = f(s, e); err != nil {
			return err
		}
		return a.changed(m, e, done+"; version %d of %s is served", e.Version, name)
	})
}

func newModelsPin(a *app) *cobra.Command {
	var m modelsFlags
	cmd := &cobra.Command{
		Use:   "pin NAME [VERSION]",
		Short: "Keep the served version, or VERSION, served whatever is trained",
		Long: `Pin keeps a version served: later ones that pass the gate are kept beside it, and
nothing is rolled back. With VERSION, that one is served first.`,
		Example: `  wavemill models pin vae
  wavemill models pin vae 3`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.change(cmd.Context(), &m, args[0], "pinned", func(s *modelstore.Store, e modelstore.Entry) (_ modelstore.Entry, err error) {
				for _, n := range versionNumbers(args) {
					if n == e.Version {
						continue
					}
					if e, err = s.Serve(cmd.Context(), e, n, ""); err != nil {
						return e, err
					}
				}
				return s.Pin(cmd.Context(), e, true)
			})
		},
	}
	return m.add(cmd, 0, 1, "the name of a model, and the number of one version at most")
}

func newModelsUnpin(a *app) *cobra.Command {
	var m modelsFlags
	cmd := &cobra.Command{
		Use:   "unpin NAME",
		Short: "End what pin began: the next version that passes the gate is served",
		Long: `Unpin lets versions follow each other again. The served one stays until the next one
passes the gate; one that was kept meanwhile is served with "rollback NAME VERSION".`,
		Example: `  wavemill models unpin vae`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.change(cmd.Context(), &m, args[0], "no version is pinned", func(s *modelstore.Store, e modelstore.Entry) (modelstore.Entry, error) {
				return s.Pin(cmd.Context(), e, false)
			})
		},
	}
	return m.add(cmd, 0, 0, "the name of a model")
}

func newModelsRollback(a *app) *cobra.Command {
	var m modelsFlags
	var reason string
	cmd := &cobra.Command{
		Use:   "rollback NAME [VERSION]",
		Short: "Serve the version before the served one, or VERSION, at once",
		Long: `Rollback serves the newest earlier version that was not withdrawn, and marks the
served one as withdrawn. With VERSION it serves that version, even if it is newer or
was withdrawn. The trainer goes on: a model of new clips is served when it is no worse
than the one that is served then. Use pin to keep a version.`,
		Example: `  wavemill models rollback vae --reason "it hums"
  wavemill models rollback vae 3`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.change(cmd.Context(), &m, args[0], "rolled back", func(s *modelstore.Store, e modelstore.Entry) (modelstore.Entry, error) {
				if asked := versionNumbers(args); len(asked) > 0 {
					return s.Serve(cmd.Context(), e, asked[0], reason)
				}
				return s.Rollback(cmd.Context(), e, reason)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "rolled back by hand", "why the served version is withdrawn; it is kept beside the version")
	return m.add(cmd, 0, 1, "the name of a model, and the number of one version at most")
}

func newModelsRm(a *app) *cobra.Command {
	var m modelsFlags
	cmd := &cobra.Command{
		Use:   "rm NAME VERSION...",
		Short: "Remove versions with their checkpoints; not the served one",
		Example: `  wavemill models rm vae 2
  wavemill models rm vae 2 3`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.change(cmd.Context(), &m, args[0], "removed", func(s *modelstore.Store, e modelstore.Entry) (_ modelstore.Entry, err error) {
				for _, n := range versionNumbers(args) {
					if e, err = s.Remove(cmd.Context(), e, n); err != nil {
						return e, err
					}
				}
				return e, nil
			})
		},
	}
	return m.add(cmd, 1, 1000, "the name of a model and the numbers of versions")
}
