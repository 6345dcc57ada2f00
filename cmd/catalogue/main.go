// Command catalogue writes the template of the message catalogue: every English text that the sites and mails say, as
// pickup/web/locale/postern.pot. A translation begins as a copy of it, named by its language (de.po), and is then part
// of the program. xgettext does the same for other languages; it reads neither Go templates nor this Go.
//
// Texts are found where they are said: "t" and "tn" in templates; Text, T, say, Plural and N with literal texts in Go;
// and constants whose names begin with phrase. A test compares the file with what is found.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// potFile is the catalogue's template, from the repository's root.
const potFile = "pickup/web/locale/postern.pot"

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "usage: go run ./cmd/catalogue ROOT")
		return 2
	}
	texts, err := extract(args[0])
	if err == nil {
		err = os.WriteFile(filepath.Join(args[0], potFile), format(texts), 0o644)
	}
	if err != nil {
		fmt.Fprintln(stderr, "catalogue:", err)
		return 1
	}
	return 0
}
