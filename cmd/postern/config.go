package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func configCommand(c console) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check or show the configuration"}
	load := configFlag(cmd, c)
	cmd.AddCommand(
		&cobra.Command{
			Use: "check", Short: "Name everything that is wrong with the configuration, then what it means in words", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				cfg, err := load()
				if err != nil {
					return err
				}
				fmt.Fprint(cmd.OutOrStdout(), cfg.InWords())
				return nil
			},
		},
		&cobra.Command{
			Use: "show", Short: "Print the configuration in force, secrets left out", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				cfg, err := load()
				if err != nil {
					return err
				}
				fmt.Fprint(cmd.OutOrStdout(), cfg.YAML())
				return nil
			},
		},
	)
	return cmd
}
