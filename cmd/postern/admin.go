package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"postern/cmd/internal/control"
	"postern/pickup/admin"
	"postern/store"
)

func adminCommand(c console) *cobra.Command {
	cmd := &cobra.Command{Use: "admin", Short: "Make, list, disable and reset the console's administrators"}
	load := loader(configFlag(cmd, c))
	create := &cobra.Command{
		Use: "create ADDRESS", Short: "Make an administrator and print a one-time set-up link", Args: cobra.ExactArgs(1),
	}
	role := create.Flags().String("role", string(admin.RoleAdmin), "admin, helpdesk or auditor")
	create.RunE = func(cmd *cobra.Command, args []string) error {
		return setupLink(cmd, load, "admin.create", adminRequest{Address: args[0], Role: admin.Role(*role)})
	}
	reset := &cobra.Command{
		Use: "reset ADDRESS", Short: "End an administrator's sessions, password and second factor, and print a new set-up link", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return setupLink(cmd, load, "admin.reset", adminRequest{Address: args[0]})
		},
	}
	list := &cobra.Command{
		Use: "list", Short: "List administrators by address", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return adminList(cmd, load) },
	}
	setRole := &cobra.Command{
		Use: "role ADDRESS ROLE", Short: "Give an administrator another role: admin, helpdesk or auditor", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return load.do(cmd, "admin.role", adminRequest{Address: args[0], Role: admin.Role(args[1])}, fmt.Sprintf("%s has the role %s now.", args[0], args[1]))
		},
	}
	cmd.AddCommand(create, list, setRole, reset,
		adminSwitch(load, "disable", "End an administrator's sessions and refuse the sign-in", store.StatusDisabled),
		adminSwitch(load, "enable", "Let a disabled administrator sign in again", store.StatusActive))
	return cmd
}

func adminSwitch(load loader, verb, short string, to store.Status) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ADDRESS", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return load.do(cmd, "admin.switch", adminRequest{Address: args[0], Status: to}, fmt.Sprintf("%s is %sd.", args[0], verb))
		},
	}
}

// setupLink prints the link that a method answers, alone on its line.
func setupLink(cmd *cobra.Command, load loader, method string, r adminRequest) error {
	return load.call(cmd.Context(), func(c control.Caller) error {
		var s admin.SetupLink
		if err := c.Call(cmd.Context(), method, r, &s); err != nil {
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "Open this link once, before %s, to choose a password and a second factor for %s:\n\n%s\n\nWhoever has it can use it: hand it over in person or by a safe way.\n", when(s.Ends), r.Address, s.Link)
		return err
	})
}

func adminList(cmd *cobra.Command, load loader) error {
	return load.call(cmd.Context(), func(c control.Caller) error {
		w := table(cmd.OutOrStdout())
		fmt.Fprintln(w, "ADDRESS\tROLE\tSTATUS\tCREATED\tSET UP\tSIGNED IN")
		var req adminListRequest
		for {
			var page admin.AdminPage
			if err := c.Call(cmd.Context(), "admin.list", req, &page); err != nil {
				return err
			}
			for _, a := range page.Rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.Address, a.Role, a.Status, when(a.Created), when(a.SetUp), when(a.SignedIn))
			}
			if req.Cursor = page.Next; req.Cursor == "" {
				return w.Flush()
			}
		}
	})
}
