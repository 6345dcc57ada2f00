package browser

import (
	"os"
	"sync"
	"testing"

	"postern/cmd/testneed"
)

// Common is one Chromium for all tests of a package. Its start costs some seconds of CPU, and its tabs share nothing, so
// tests that look at pages need none of their own.
type Common struct {
	once sync.Once
	b    *Browser
	end  func()
	err  error
}

// Browser returns the browser, which is launched for the first test that asks.
func (c *Common) Browser(t testing.TB) *Browser {
	t.Helper()
	program := testneed.Program(t, "chromium")
	c.once.Do(func() { c.launch(program) })
	if c.err != nil {
		t.Fatalf("start Chromium: %v", c.err)
	}
	return c.b
}

func (c *Common) launch(program string) {
	profile, err := os.MkdirTemp("", "postern-browser-")
	if err != nil {
		c.err = err
		return
	}
	var stop func()
	c.b, stop, c.err = launch(program, profile)
	c.end = func() {
		if stop != nil {
			stop()
		}
		os.RemoveAll(profile)
	}
}

// Run runs the tests of a package and ends the browser behind them, if there is one. It returns the code to exit with;
// TestMain calls it.
func (c *Common) Run(m *testing.M) int {
	code := m.Run()
	if c.end != nil {
		c.end()
	}
	return code
}
