package progress_test

import (
	"strings"
	"testing"

	"wavemill/internal/progress"
)

func TestJSONLines(t *testing.T) {
	var out strings.Builder
	w := progress.JSONLines(&out)
	for _, part := range []string{"{\"msg\":\"as it is\"}\nplain ", "text\n\n{not JSON\n", "without an end"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || lines[0] != `{"msg":"as it is"}` || !strings.Contains(lines[1], `"msg":"plain text"`) || !strings.Contains(lines[2], `"msg":"{not JSON"`) {
		t.Errorf("%q", lines)
	}
}
