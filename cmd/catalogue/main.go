// Command catalogue writes the template of the message catalogue: every English text that the sites and mails say, as
// pickup/web/locale/postern.pot. With languages it brings their translations (pickup/web/locale/de.po) up to date with
// the template and says what is missing or wrong; a language without a file gets one. xgettext and msgmerge do the same
// for other programs; they read neither Go templates nor this Go. docs/translating.md is the translator's side.
//
// Texts are found where they are said: "t", "tn" and "tc" in templates; Text, T, say, Plural, N and C with literal texts
// in Go; and constants whose names begin with phrase. A test compares the file with what is found.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Where the catalogue is, from the repository's root.
const (
	folder  = "pickup/web/locale"
	potFile = folder + "/postern.pot"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, out io.Writer) int {
	if len(args) == 0 {
		fmt.Fprintln(out, "usage: go run ./cmd/catalogue ROOT [LANGUAGE…]")
		return 2
	}
	texts, err := extract(args[0])
	if err == nil {
		err = os.WriteFile(filepath.Join(args[0], potFile), format(texts), 0o644)
	}
	for _, lang := range args[1:] {
		if err == nil {
			err = update(filepath.Join(args[0], folder, lang+".po"), texts, out)
		}
	}
	if err != nil {
		fmt.Fprintln(out, "catalogue:", err)
		return 1
	}
	return 0
}

// update merges the texts into one translation and reports on it.
func update(name string, texts []text, out io.Writer) error {
	f, err := readPO(name)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = readPO(filepath.Join(filepath.Dir(name), filepath.Base(potFile)))
	}
	if err != nil {
		return err
	}
	f = f.merge(texts)
	if err := os.WriteFile(name, f.bytes(), 0o644); err != nil {
		return err
	}
	gaps, problems := f.gaps(texts), f.check()
	fmt.Fprintf(out, "%s: %d texts, %d to translate, %d wrong\n", filepath.Base(name), len(texts), len(gaps), len(problems))
	for _, p := range problems {
		fmt.Fprintln(out, "  "+p)
	}
	return nil
}
