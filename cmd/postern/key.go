package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"postern/cmd/internal/control"
	"postern/pickup/admin"
	"postern/store"
)

func keyCommand(c console) *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "See, rotate and retire server keys"}
	load := loader(configFlag(cmd, c))
	list := &cobra.Command{
		Use: "list", Short: "List server keys and how many rows name each", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return keyList(cmd, load) },
	}
	rotate := &cobra.Command{
		Use: "rotate", Short: "Add a new server key and seal everything anew under it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return load.call(cmd.Context(), func(c control.Caller) error {
				var row admin.KeyRow
				if err := c.Call(cmd.Context(), "key.rotate", struct{}{}, &row); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "Key %s seals from now on, and every row was sealed anew under it. Back the key file up, then retire the old key.\n", row.ID)
				return err
			})
		},
	}
	retire := &cobra.Command{
		Use: "retire KEY", Short: "Remove a key that no row names; older copies of the store are then dead", Args: cobra.ExactArgs(1),
	}
	now := retire.Flags().Bool("now", false, "within 15 minutes of a rotation, too: mail that is being sealed or read may fail")
	retire.RunE = func(cmd *cobra.Command, args []string) error {
		return load.do(cmd, "key.retire", keyRequest{store.KeyID(args[0]), *now}, "The key was removed.")
	}
	cmd.AddCommand(list, rotate, retire)
	return cmd
}

func keyList(cmd *cobra.Command, load loader) error {
	return load.call(cmd.Context(), func(c control.Caller) error {
		var rows []admin.KeyRow
		if err := c.Call(cmd.Context(), "key.list", struct{}{}, &rows); err != nil {
			return err
		}
		w := table(cmd.OutOrStdout())
		fmt.Fprintln(w, "KEY\tROWS\tSEALS NEW ROWS")
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%d\t%t\n", r.ID, r.Rows, r.Current)
		}
		return w.Flush()
	})
}
