package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"postern/cmd/internal/control"
	"postern/pickup/admin"
	"postern/store"
)

func groupCommand(c console) *cobra.Command {
	cmd := &cobra.Command{Use: "group", Short: "Enable people for secure mail group by group"}
	load := loader(configFlag(cmd, c))
	list := &cobra.Command{
		Use: "list", Short: "List groups by name", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return groupList(cmd, load) },
	}
	show := &cobra.Command{
		Use: "show GROUP", Short: "List the people of a group and what became of their invitations", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return groupShow(cmd, load, args[0]) },
	}
	create := &cobra.Command{
		Use: "create GROUP", Short: "Make an empty group", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return load.do(cmd, "group.create", groupRequest{Group: args[0]}, fmt.Sprintf("The group %q was made.", args[0]))
		},
	}
	enable := &cobra.Command{
		Use: "enable GROUP", Short: "Invite the people of a group: from then on they may send", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return groupEnable(cmd, load, args[0]) },
	}
	cmd.AddCommand(list, show, create, groupImportCommand(load), enable)
	return cmd
}

func groupList(cmd *cobra.Command, load loader) error {
	return load.call(cmd.Context(), func(c control.Caller) error {
		w := table(cmd.OutOrStdout())
		fmt.Fprintln(w, "GROUP\tCREATED\tENABLED\tWAITING\tSENT\tNOT SENT")
		var req groupRequest
		for {
			var page admin.GroupPage
			if err := c.Call(cmd.Context(), "group.list", req, &page); err != nil {
				return err
			}
			for _, g := range page.Rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\n", g.Name, when(g.Created), when(g.Enabled), g.Waiting, g.Sent, g.Unsent)
			}
			if req.Cursor = page.Next; req.Cursor == "" {
				return w.Flush()
			}
		}
	})
}

func groupShow(cmd *cobra.Command, load loader, group string) error {
	return load.call(cmd.Context(), func(c control.Caller) error {
		w := table(cmd.OutOrStdout())
		fmt.Fprintln(w, "ADDRESS\tCLASS\tINVITATION\tSTATUS\tNAME")
		req := groupRequest{Group: group}
		for {
			var page admin.GroupPeople
			if err := c.Call(cmd.Context(), "group.people", req, &page); err != nil {
				return err
			}
			for _, p := range page.Rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.Address, p.Class, p.Outcome, p.Status, p.Name)
			}
			if req.Cursor = page.Next; req.Cursor == "" {
				return w.Flush()
			}
		}
	})
}

func groupImportCommand(load loader) *cobra.Command {
	add := &cobra.Command{
		Use: "import GROUP FILE", Short: "Put the people of a CSV file or list into a group; - reads standard input", Args: cobra.ExactArgs(2),
		Long: "Put the people of a CSV file or list into a group.\n\nEach row has an address, and if you like a name and the word member or guest; a first row may name the\ncolumns (address, name, class). Without --yes the rows are only checked.",
	}
	class := add.Flags().String("class", string(store.ClassMember), "of rows that say none: member or guest")
	yes := add.Flags().Bool("yes", false, "really do it")
	add.RunE = func(cmd *cobra.Command, args []string) error {
		list, err := readList(cmd, args[1])
		if err != nil {
			return err
		}
		return load.call(cmd.Context(), func(c control.Caller) error {
			var p admin.Preview
			if err := c.Call(cmd.Context(), "invite.preview", previewRequest{List: list, Class: store.Class(*class)}, &p); err != nil {
				return err
			}
			if err := printPreview(cmd.OutOrStdout(), p); err != nil {
				return err
			}
			if !*yes {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "Nothing was changed: add --yes to take the good rows.")
				return err
			}
			var added int
			if err := c.Call(cmd.Context(), "group.fill", fillRequest{Group: args[0], Draft: p.Draft}, &added); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d people were added to the group %q.\n", added, args[0])
			return err
		})
	}
	return add
}

func readList(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(name)
}

func printPreview(out io.Writer, p admin.Preview) error {
	for _, b := range p.Bad {
		fmt.Fprintf(out, "row %d: %s\n", b.Row, b.Reason)
	}
	if more := p.AllBad - len(p.Bad); more > 0 {
		fmt.Fprintf(out, "and %d more rows that cannot be taken\n", more)
	}
	_, err := fmt.Fprintf(out, "%d good rows (%d members, %d with an account already), %d bad ones.\n", p.Good, p.Members, p.Known, p.AllBad)
	return err
}

func groupEnable(cmd *cobra.Command, load loader, group string) error {
	return load.call(cmd.Context(), func(c control.Caller) error {
		var g admin.GroupRow
		if err := c.Call(cmd.Context(), "group.enable", groupRequest{Group: group}, &g); err != nil {
			return err
		}
		for sent := 1; sent > 0; { // a server does so by itself as well
			if err := c.Call(cmd.Context(), "group.work", struct{}{}, &sent); err != nil {
				return err
			}
		}
		if err := c.Call(cmd.Context(), "group.show", groupRequest{Group: group}, &g); err != nil {
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "The group %q is enabled. Invitations sent: %d, people who got no mail: %d, still waiting: %d.\n", g.Name, g.Sent, g.Unsent, g.Waiting)
		return err
	})
}
