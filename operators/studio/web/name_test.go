package web

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCleanPath(t *testing.T) {
	for name, want := range map[string]string{
		"a.wav": "a.wav", "three/1.wav": "three/1.wav", `three\1.wav`: "three/1.wav", "<img src=x>.wav": "<img src=x>.wav", "三/一.wav": "三/一.wav",
	} {
		if got, err := CleanPath(name); err != nil || got != want {
			t.Errorf("CleanPath(%q) = %q, %v", name, got, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", "../a.wav", "a/../../b.wav", "/etc/passwd", "a//b.wav", `..\a.wav`, `C:\a.wav`, "C:a.wav", "a\x00.wav", "a\n.wav", "a.wav.", "a /b.wav",
		"./a.wav", strings.Repeat("a", 300) + ".wav", strings.Repeat("a/", 40) + "b.wav", "a.wav:stream",
	} {
		if got, err := CleanPath(name); err == nil {
			t.Errorf("CleanPath(%q) = %q, want an error", name, got)
		}
	}
}

func TestAttachment(t *testing.T) {
	for name, want := range map[string]string{"a.wav": "attachment; filename=a.wav", "../x/a.wav": "attachment; filename=a.wav"} {
		if got := Attachment(name); got != want {
			t.Errorf("Attachment(%q) = %q", name, got)
		}
	}
	for _, name := range []string{"a\"b\r\nSet-Cookie: x", "三.wav"} {
		if got := Attachment(name); strings.ContainsAny(got, "\r\n") || !strings.HasPrefix(got, "attachment") {
			t.Errorf("Attachment(%q) = %q", name, got)
		}
	}
}

func TestRefusedHidesFolders(t *testing.T) {
	_, err := os.Open(filepath.Join(t.TempDir(), "secret", "a.wav"))
	if text := Refused(err).Error(); strings.Contains(text, "secret") || !strings.Contains(text, "a.wav") {
		t.Errorf("Refused says %q", text)
	}
}
