package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"postern/cmd/internal/control"
	"postern/pickup/account"
	"postern/pickup/admin"
	"postern/store"
)

func userCommand(c console) *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "See users, change, disable and enable them; users are never deleted"}
	load := loader(configFlag(cmd, c))
	show := &cobra.Command{
		Use: "show ADDRESS", Short: "Tell of one user", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return userShow(cmd, load, args[0]) },
	}
	cmd.AddCommand(userListCommand(load), show, userInviteCommand(load), inviterCommand(load), userChangeCommand(load), userAliasCommand(load),
		userSwitch(load, "disable", "End a user's sessions and refuse secure mail to and log-on by that user", store.StatusDisabled),
		userSwitch(load, "enable", "Give a disabled user access again, with all messages", store.StatusActive))
	return cmd
}

func userListCommand(load loader) *cobra.Command {
	list := &cobra.Command{
		Use: "list [active|invited|disabled]", Short: "List users by address",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && !slices.Contains(cmd.ValidArgs, args[0]) {
				return fmt.Errorf("%q is no status: a user is %s", args[0], strings.Join(cmd.ValidArgs, ", "))
			}
			return cobra.MaximumNArgs(1)(cmd, args)
		},
		ValidArgs: []string{"active", "invited", "disabled"},
	}
	var q admin.UserQuery
	list.Flags().StringVar(&q.Search, "search", "", "beginning of an address, a domain, or words of a name")
	list.Flags().StringVar((*string)(&q.Class), "class", "", "member or guest")
	list.Flags().BoolVar(&q.Recent, "recent", false, "by last sign-in, the latest first")
	list.RunE = func(cmd *cobra.Command, args []string) error {
		q.Status = store.Status(strings.Join(args, ""))
		return userList(cmd, load, q)
	}
	return list
}

func userInviteCommand(load loader) *cobra.Command {
	invite := &cobra.Command{
		Use: "invite ADDRESS", Short: "Mail somebody a link to choose a password; who was invited before gets a new one", Args: cobra.ExactArgs(1),
	}
	name := invite.Flags().String("name", "", "name as lists show it")
	class := invite.Flags().String("class", string(store.ClassMember), "member, who may send, or guest")
	invite.RunE = func(cmd *cobra.Command, args []string) error {
		return load.call(cmd.Context(), func(c control.Caller) error {
			var out account.Outcome
			form := admin.InviteForm{Address: args[0], Name: *name, Class: store.Class(*class)}
			if err := c.Call(cmd.Context(), "user.invite", inviteRequest{form}, &out); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s.\n", args[0], out)
			return err
		})
	}
	return invite
}

func inviterCommand(load loader) *cobra.Command {
	inviter := &cobra.Command{
		Use: "invite-from [ADDRESS]", Short: "See or choose the member in whose name invitations go out", Args: cobra.MaximumNArgs(1),
	}
	nobody := inviter.Flags().Bool("organization", false, "in the organisation's name again")
	inviter.RunE = func(cmd *cobra.Command, args []string) error {
		if *nobody || len(args) == 1 {
			return load.do(cmd, "inviter.set", inviterRequest{strings.Join(args, "")}, "Invitations go out in that name from now on.")
		}
		return load.call(cmd.Context(), func(c control.Caller) error {
			var address string
			if err := c.Call(cmd.Context(), "inviter.show", struct{}{}, &address); err != nil {
				return err
			}
			if address == "" {
				address = "the organisation"
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), address)
			return err
		})
	}
	return inviter
}

func userChangeCommand(load loader) *cobra.Command {
	change := &cobra.Command{Use: "change ADDRESS", Short: "Change a user's name, and whether the user is a member or a guest", Args: cobra.ExactArgs(1)}
	name := change.Flags().String("name", "", "name as lists show it")
	class := change.Flags().String("class", "", "member or guest")
	change.RunE = func(cmd *cobra.Command, args []string) error {
		return load.call(cmd.Context(), func(c control.Caller) error {
			var u admin.UserView
			if err := c.Call(cmd.Context(), "user.show", userRequest{Address: args[0]}, &u); err != nil {
				return err
			}
			edit := admin.UserEdit{Name: u.Name, Class: u.Class}
			if cmd.Flags().Changed("name") {
				edit.Name = *name
			}
			if *class != "" {
				edit.Class = store.Class(*class)
			}
			if err := c.Call(cmd.Context(), "user.change", userEditRequest{args[0], edit}, nil); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is a %s.\n", args[0], edit.Class)
			return err
		})
	}
	return change
}

func userAliasCommand(load loader) *cobra.Command {
	alias := &cobra.Command{Use: "alias", Short: "Undo what was done to a user's further addresses"}
	alias.AddCommand(&cobra.Command{
		Use: "remove USER ADDRESS", Short: "Take a further address off a user; it gets its own messages back, and both addresses are told by mail",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return load.do(cmd, "user.alias.remove", aliasRequest{args[0], args[1]}, fmt.Sprintf("%s no longer belongs to %s.", args[1], args[0]))
		},
	})
	return alias
}

func userSwitch(load loader, verb, short string, to store.Status) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ADDRESS", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return load.do(cmd, "user.switch", userRequest{args[0], to}, fmt.Sprintf("%s is %sd.", args[0], verb))
		},
	}
}

func userList(cmd *cobra.Command, load loader, q admin.UserQuery) error {
	req := userListRequest{Query: q}
	return load.call(cmd.Context(), func(c control.Caller) error {
		w := table(cmd.OutOrStdout())
		fmt.Fprintln(w, "ADDRESS\tSTATUS\tCLASS\tSTANDING\tCREATED\tSIGNED IN\tNAME")
		for {
			var page admin.UserPage
			if err := c.Call(cmd.Context(), "user.list", req, &page); err != nil {
				return err
			}
			for _, u := range page.Rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", u.Address, u.Status, u.Class, u.Standing, when(u.Created), when(u.SignedIn), u.Name)
			}
			if req.Cursor = page.Next; req.Cursor == "" {
				return w.Flush()
			}
		}
	})
}

func userShow(cmd *cobra.Command, load loader, address string) error {
	return load.call(cmd.Context(), func(c control.Caller) error {
		var u admin.UserView
		if err := c.Call(cmd.Context(), "user.show", userRequest{Address: address}, &u); err != nil {
			return err
		}
		w := table(cmd.OutOrStdout())
		fmt.Fprintf(w, "Address\t%s\nName\t%s\nAliases\t%s\nClass\t%s\nStatus\t%s\nStanding\t%s\nHas a password\t%t\nCreated\t%s\nSigned in\t%s\n",
			u.Address, u.Name, strings.Join(u.Aliases, ", "), u.Class, u.Status, u.Standing, u.Password, when(u.Created), when(u.SignedIn))
		if !u.Invited.IsZero() {
			fmt.Fprintf(w, "Invitation ends\t%s\n", when(u.Invited))
		}
		for _, x := range u.Sessions {
			fmt.Fprintf(w, "Signed in since\t%s, last seen %s, ends %s, %s\n", when(x.Since), when(x.Seen), when(x.Ends), x.Browser)
		}
		return w.Flush()
	})
}
