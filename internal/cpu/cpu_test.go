package cpu

import (
	"os"
	"os/exec"
	"slices"
	"testing"
)

func TestChoose(t *testing.T) {
	all := []Class{AVX512, AVX2, Go}
	for _, c := range []struct {
		want  string
		have  []Class
		class Class
		fail  string
	}{
		{"", all, AVX512, ""},
		{"", all[2:], Go, ""},
		{"avx512", all, AVX512, ""},
		{"avx2", all, AVX2, ""},
		{"go", all, Go, ""},
		{"go", all[2:], Go, ""},
		{"avx512", all[1:], AVX2, "WAVEMILL_KERNEL=avx512: this processor has no such instructions; it can run [avx2 go]"},
		{"avx2", all[2:], Go, "WAVEMILL_KERNEL=avx2: this processor has no such instructions; it can run [go]"},
		{"sse", all, AVX512, "WAVEMILL_KERNEL=sse: unknown class; want avx512, avx2 or go"},
		{"AVX2", all, AVX512, "WAVEMILL_KERNEL=AVX2: unknown class; want avx512, avx2 or go"},
	} {
		class, err := choose(c.want, c.have)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if class != c.class || got != c.fail {
			t.Errorf("%q of %v: class %v, error %q; want %v, %q", c.want, c.have, class, got, c.class, c.fail)
		}
	}
}

func TestSupportedEndsWithGo(t *testing.T) {
	have := Supported()
	if have[len(have)-1] != Go || !slices.IsSortedFunc(have, func(a, b Class) int { return int(b) - int(a) }) {
		t.Errorf("supported classes %v; want the best first and go last", have)
	}
	if !slices.Contains(have, Current()) {
		t.Errorf("class %v is in use, but only %v are supported", Current(), have)
	}
}

// TestEnvironment runs this test binary again with each value, because a process reads it once.
func TestEnvironment(t *testing.T) {
	if os.Getenv("CPU_TEST_CHILD") != "" {
		if Current() != Go || Check() != nil {
			os.Exit(3)
		}
		return
	}
	for value, ok := range map[string]bool{"go": true, "mmx": false} {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEnvironment$")
		child.Env = append(os.Environ(), "CPU_TEST_CHILD=1", Env+"="+value)
		if out, err := child.CombinedOutput(); (err == nil) != ok {
			t.Errorf("%s=%s: error %v, want success %v\n%s", Env, value, err, ok, out)
		}
	}
}
