// Package testneed lets a test name the outside programs that it needs. Where one is missing the test is skipped with
// a reason, but fails when POSTERN_TEST_REQUIRE=all, as in CI: there a missing program must not look like success.
package testneed

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program, or skips or fails the test.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} { // Debian keeps daemons out of users' PATH
		if info, statErr := os.Stat(dir + "/" + name); statErr == nil && info.Mode()&0o111 != 0 {
			return dir + "/" + name
		}
	}
	Missing(t, "program "+name+" is not installed; \"POSTERN_TEST_REQUIRE=all make tools\" installs it")
	return ""
}

// Missing skips the test with a reason, or fails it where everything is required.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("POSTERN_TEST_REQUIRE") == "all" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
