package pipeline

import "regexp"

// login is what stands before the host of a URL.
var login = regexp.MustCompile(`(://)(?:([^/@:\s"']*):)?[^/@\s"']*@`)

// Redact returns a text with the passwords and tokens of all URLs in it replaced by xxxxx, for logs, errors and reports.
func Redact(text string) string {
	return login.ReplaceAllStringFunc(text, func(found string) string {
		if user := login.FindStringSubmatch(found)[2]; user != "" {
			return "://" + user + ":xxxxx@"
		}
		return "://xxxxx@"
	})
}

// redacted is an error whose message shows no password.
type redacted struct{ err error }

func (e redacted) Error() string { return Redact(e.err.Error()) }

// Unwrap returns the error.
func (e redacted) Unwrap() error { return e.err }
