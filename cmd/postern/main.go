// Command postern is a secure-mail gateway: it relays mail, seals what is flagged as secure and lets recipients pick
// it up. See README.md.
//
// main only calls run; each subcommand has a file of its own. wire.go builds the parts of a gateway by hand, in the order
// in which they need each other; serve.go opens its ports, starts its jobs and drains them. A command that changes or
// asks something is a method of the admin service (methods.go), called through the local socket or, when no server runs,
// on the store that the command opens itself (reach.go). The adapters join packages that must not import each other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // small containers have no zone files, and dates are shown in the organisation's zone

	"github.com/spf13/cobra"

	"postern/cmd/internal/config"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // something failed while running
	exitSetup   = 2 // command line, configuration, keys or data folder are not as they must be; nothing was changed
)

// gcPercent trades memory for CPU: the gateway's live memory is small and bounded (I8), so collecting less often costs
// some tens of MiB and saves a third of the CPU time of a relayed message (docs/performance.md).
const gcPercent = 300

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	code := run(ctx, os.Args[1:], console{env: os.Environ(), in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// console is a process's surroundings, so that tests can give others.
type console struct {
	env []string
	in  io.Reader
	out io.Writer
	err io.Writer
}

// setupError marks an error that exits with exitSetup.
type setupError struct{ error }

func (e setupError) Unwrap() error { return e.error }

func run(ctx context.Context, args []string, c console) int {
	root := rootCommand(c)
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(c.err, "postern:", err)
	var setup setupError
	if errors.As(err, &setup) || errors.As(err, new(config.Problems)) {
		return exitSetup
	}
	return exitFailure
}

func rootCommand(c console) *cobra.Command {
	root := &cobra.Command{
		Use:           "postern",
		Short:         "A mail gateway that seals what must not travel in clear",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		serveCommand(c), demoCommand(c), configCommand(c), policyCommand(c), queueCommand(c), messageCommand(c),
		userCommand(c), groupCommand(c), adminCommand(c), auditCommand(c), alertsCommand(c), keyCommand(c), versionCommand(),
	)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, err) })
	strict(root)
	return root
}

// strict makes every misuse of a command line an error that exits with exitSetup. Left to itself, cobra takes a
// mistyped subcommand for a request for help and says that all is well.
func strict(cmd *cobra.Command) {
	if cmd.HasSubCommands() && cmd.RunE == nil {
		cmd.Args = cobra.NoArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error { return usage(cmd, check(cmd, args)) }
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// usage marks an error of the command line and says where help is.
func usage(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return setupError{fmt.Errorf("%w; see \"%s --help\"", err, cmd.CommandPath())}
}

// defaultConfig is read where no file is named.
const defaultConfig = "/etc/postern/postern.yaml"

// configFlag adds --config to a command and returns how to read it.
func configFlag(cmd *cobra.Command, c console) func() (config.Config, error) {
	named := cmd.PersistentFlags().StringP("config", "c", "",
		"configuration file (default: "+defaultConfig+" if there is one, else built-in values; POSTERN_… variables count more)")
	return func() (config.Config, error) {
		path, none := *named, false
		if path == "" {
			path = defaultConfig
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				path, none = "", true
			}
		}
		cfg, err := config.Load(path, c.env)
		if err != nil && none {
			err = fmt.Errorf("no configuration file was named, and there is no %s: add --config FILE\nBy built-in values and the environment alone, %w", defaultConfig, err)
		}
		if err != nil {
			return cfg, setupError{err}
		}
		return cfg, nil
	}
}
