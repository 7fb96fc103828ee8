package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"wavemill/operators/versions"
	"wavemill/pipeline/modelstore"
)

func newModelsLs(a *app) *cobra.Command {
	var m modelsFlags
	cmd := &cobra.Command{
		Use:   "ls [NAME]",
		Short: "List the versions of all models, or of one, newest first",
		Long: `Ls lists versions, newest first: which is served, pinned, on trial, kept or
withdrawn, and the figures that the gate measured, with their 95 % intervals. ACCURACY
is the share of generated clips that a classifier assigns to their label, DISTANCE is
the distance of the clips to recordings (lower is better), MEMORISATION how far clips
are from the recordings learnt from (0: copies).`,
		Example: `  wavemill models ls
  wavemill models ls vae --json
  wavemill models ls -f pipeline.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.listModels(cmd.Context(), &m, args) },
	}
	m.add(cmd, 0, 0, "")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usagef("%s takes the name of one model, got %q", cmd.CommandPath(), args[1])
		}
		return nil
	}
	return cmd
}

func (a *app) listModels(ctx context.Context, m *modelsFlags, names []string) error {
	return a.withModels(ctx, m, func(s *modelstore.Store) (err error) {
		if len(names) == 0 {
			if names, err = s.Names(ctx); err != nil {
				return err
			}
		}
		var all []versions.Version
		for _, name := range names {
			e, err := s.Get(ctx, name)
			if err != nil {
				return err
			}
			all = append(all, versions.List(e)...)
		}
		return a.printVersions(m, all)
	})
}

func newModelsShow(a *app) *cobra.Command {
	var m modelsFlags
	cmd := &cobra.Command{
		Use:   "show NAME [VERSION]",
		Short: "Show everything that is known of a version; without VERSION, of the served one",
		Example: `  wavemill models show vae
  wavemill models show vae 3 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withModels(cmd.Context(), &m, func(s *modelstore.Store) error {
				v, err := find(cmd.Context(), s, args[0], versionNumbers(args)...)
				if err != nil {
					return err
				}
				return a.printResult(m.asJSON, v[0])
			})
		},
	}
	return m.add(cmd, 0, 1, "the name of a model, and the number of one version at most")
}

func newModelsDiff(a *app) *cobra.Command {
	var m modelsFlags
	cmd := &cobra.Command{
		Use:   "diff NAME A [B]",
		Short: "Show where two versions differ; without B, a version and the served one",
		Example: `  wavemill models diff vae 3
  wavemill models diff vae 3 4 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withModels(cmd.Context(), &m, func(s *modelstore.Store) error {
				asked := versionNumbers(args)
				if len(asked) == 1 {
					e, err := s.Get(cmd.Context(), args[0])
					if err != nil {
						return err
					}
					asked = append(asked, e.Version)
				}
				v, err := find(cmd.Context(), s, args[0], asked...)
				if err != nil {
					return err
				}
				return a.printResult(m.asJSON, versions.Compare(v[0], v[1]))
			})
		},
	}
	return m.add(cmd, 1, 2, "the name of a model and the numbers of one or two versions")
}

// find returns versions of a model by number; without numbers, the served one.
func find(ctx context.Context, s *modelstore.Store, name string, numbers ...uint64) ([]versions.Version, error) {
	e, err := s.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		numbers = []uint64{e.Version}
	}
	var out []versions.Version
	for _, n := range numbers {
		if _, ok := e.At(n); !ok {
			return nil, fmt.Errorf("version %d of %s: %w; `wavemill models ls %[2]s` lists those that are", n, name, modelstore.ErrNoVersion)
		}
		for _, v := range versions.List(e) {
			if v.Version == n {
				out = append(out, v)
			}
		}
	}
	return out, nil
}
