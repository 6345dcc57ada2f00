package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"postern/cmd/internal/control"
	"postern/pickup/admin"
	"postern/store"
)

func userCommand(c console) *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "See users, disable and enable them; users are never deleted"}
	load := loader(configFlag(cmd, c))
	list := &cobra.Command{
		Use: "list [active|invited|disabled]", Short: "List users by address",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"active", "invited", "disabled"},
		RunE:      func(cmd *cobra.Command, args []string) error { return userList(cmd, load, strings.Join(args, "")) },
	}
	show := &cobra.Command{
		Use: "show ADDRESS", Short: "Tell of one user", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return userShow(cmd, load, args[0]) },
	}
	cmd.AddCommand(list, show,
		userSwitch(load, "disable", "End a user's sessions and refuse secure mail to and log-on by that user", store.StatusDisabled),
		userSwitch(load, "enable", "Give a disabled user access again, with all messages", store.StatusActive))
	return cmd
}

func userSwitch(load loader, verb, short string, to store.Status) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ADDRESS", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return load.do(cmd, "user.switch", userRequest{args[0], to}, fmt.Sprintf("%s is %sd.", args[0], verb))
		},
	}
}

func userList(cmd *cobra.Command, load loader, status string) error {
	req := userListRequest{Status: store.Status(status)}
	return load.call(cmd.Context(), func(c control.Caller) error {
		w := table(cmd.OutOrStdout())
		fmt.Fprintln(w, "ADDRESS\tSTATUS\tSTANDING\tCREATED\tSIGNED IN")
		for {
			var page admin.UserPage
			if err := c.Call(cmd.Context(), "user.list", req, &page); err != nil {
				return err
			}
			for _, u := range page.Rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", u.Address, u.Status, u.Standing, when(u.Created), when(u.SignedIn))
			}
			if req.Cursor = page.Next; req.Cursor == "" {
				return w.Flush()
			}
		}
	})
}

func userShow(cmd *cobra.Command, load loader, address string) error {
	return load.call(cmd.Context(), func(c control.Caller) error {
		var u admin.UserRow
		if err := c.Call(cmd.Context(), "user.show", userRequest{Address: address}, &u); err != nil {
			return err
		}
		w := table(cmd.OutOrStdout())
		fmt.Fprintf(w, "Address\t%s\nAliases\t%s\nStatus\t%s\nStanding\t%s\nHas a password\t%t\nCreated\t%s\nSigned in\t%s\n",
			u.Address, strings.Join(u.Aliases, ", "), u.Status, u.Standing, u.Password, when(u.Created), when(u.SignedIn))
		return w.Flush()
	})
}
