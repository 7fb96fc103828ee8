package main

import (
	"slices"

	"github.com/spf13/pflag"
)

// givenFlags are the flags that a command line has, sorted and quoted, but for some.
func givenFlags(f *pflag.FlagSet, except ...string) []string {
	var parts []string
	f.Visit(func(flag *pflag.Flag) {
		if slices.Contains(except, flag.Name) {
			return
		}
		values, name := []string{flag.Value.String()}, "--"+flag.Name
		if several, ok := flag.Value.(pflag.SliceValue); ok {
			values = several.GetSlice()
		}
		for _, v := range values {
			if flag.Value.Type() == "bool" {
				parts = append(parts, name+"="+v)
			} else {
				parts = append(parts, name+" "+quote(v))
			}
		}
	})
	return parts
}

// printResult prints the result of a command: one line of JSON or, for a person, its text.
func (a *app) printResult(asJSON bool, v any) error {
	if asJSON {
		return a.printJSON(v)
	}
	return a.say("%v", v)
}
