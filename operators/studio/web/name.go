package web

import (
	"fmt"
	"mime"
	"net/url"
	"path"
	"strings"
	"unicode"
)

// Limits of names in uploads.
const (
	longestName = 200 // bytes
	deepestPath = 12  // folders
)

// CleanPath returns the path of an uploaded file as slash-separated names below the folder of the upload, or an [Error]. A
// path that leaves the folder, that is absolute, or that has a name which some operating system treats in its own way is
// refused, not repaired: a repaired path could be that of another file.
func CleanPath(name string) (string, error) {
	name = strings.ReplaceAll(name, `\`, "/")
	parts := strings.Split(name, "/")
	if len(parts) > deepestPath {
		return "", Errorf(400, "the path has more than %d folders", deepestPath)
	}
	for _, part := range parts {
		switch {
		case part == "" || part == "." || part == "..":
			return "", Errorf(400, "%q is not a path below the upload's folder", name)
		case len(part) > longestName:
			return "", Errorf(400, "a name of the path has more than %d bytes", longestName)
		case strings.ContainsFunc(part, func(r rune) bool { return unicode.IsControl(r) || r == ':' }):
			return "", Errorf(400, "%q has a character that no file name may have here", name)
		case strings.HasSuffix(part, ".") || strings.HasSuffix(part, " "):
			return "", Errorf(400, "%q ends with a dot or a blank, which some file systems remove", part)
		}
	}
	return path.Join(parts...), nil
}

// Attachment is the Content-Disposition of a file of any name.
func Attachment(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	if s := mime.FormatMediaType("attachment", map[string]string{"filename": name}); s != "" {
		return s
	}
	return fmt.Sprintf("attachment; filename*=UTF-8''%s", url.PathEscape(name))
}
