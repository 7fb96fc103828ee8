package main

import "wavemill/internal/usage"

// The exit codes, a contract with scripts.
const (
	exitOK     = usage.ExitOK
	exitFailed = usage.ExitFailed
	exitUsage  = usage.ExitUsage
)

// A usageError is an error in the command line: a wrong flag, a missing argument. The exit code is then 2.
type usageError = usage.Error

// usagef returns a usage error; its message states what is wrong and what would be right.
func usagef(format string, args ...any) error { return usage.Errorf(format, args...) }
