package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// TestCommandLine runs the scripts of testdata/script: the command line as an administrator types it, without a server.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(path)+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		RequireExplicitExec: true,
	})
}

// exits CODE PROGRAM ARGS… runs a program that must end with an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("run: %v", err)
	}
	if got := exitCode(err); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// TestEveryCommandIsInTheDocumentation: an administrator finds each command in docs/operations.md as it is typed.
func TestEveryCommandIsInTheDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		of := strings.Fields(cmd.CommandPath())
		if cmd.Hidden || cmd.HasSubCommands() || slices.Contains([]string{"help", "completion", "version", "demo", "serve"}, of[min(1, len(of)-1)]) {
			return
		}
		if !strings.Contains(string(text), "`"+cmd.CommandPath()) {
			t.Errorf("%s is not shown", cmd.CommandPath())
		}
	}
	walk(rootCommand(console{}))
}
