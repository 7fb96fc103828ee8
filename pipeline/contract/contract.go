// Package contract is a placeholder.
package contract

import "errors"

// ErrViolated means that a recording violates the contract.
var ErrViolated = errors.New("violates the contract")
