package house

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed says which packages of ours each package may import. cmd is not listed: it imports everything, and nothing
// imports it.
var allowed = map[string][]string{
	"store":                {},
	"store/mail":           {"store"},
	"store/seal":           {"store"},
	"store/outbox":         {"store", "store/seal"},
	"store/blob":           {"store"},
	"store/bolt":           {"store"},
	"store/sweep":          {"store", "store/seal"},
	"store/storetest":      {"store"},
	"smtpd/guard":          {},
	"smtpd":                {"smtpd/guard", "smtpd/watch", "store"},
	"smtpd/policy":         {"store", "store/mail"},
	"smtpd/intake":         {"smtpd/policy", "store", "store/mail", "store/seal", "store/outbox"},
	"smtpd/dkim":           {"smtpd/watch", "store"},
	"smtpd/watch":          {},
	"smtpd/dsn":            {"store", "store/mail"},
	"smtpd/relay":          {"smtpd/dsn", "store", "store/mail", "store/seal", "store/outbox"},
	"pickup/notify":        {"store", "store/mail"},
	"pickup/account":       {"pickup/notify", "store", "store/mail", "store/seal", "store/outbox"},
	"pickup/message":       {"pickup/account", "pickup/notify", "store", "store/mail", "store/seal", "store/outbox"},
	"pickup/mime":          {"store/mail", "store/seal"},
	"pickup/web":           {},
	"pickup":               {"pickup/account", "pickup/message", "pickup/mime", "pickup/web", "store", "store/mail", "store/seal"},
	"pickup/admin":         {"pickup/account", "pickup/message", "pickup/notify", "store", "store/mail", "store/seal", "store/outbox"},
	"pickup/admin/console": {"pickup/admin", "pickup/web", "store"},
}

// onlyIn names packages that may import a driver or library that must not spread.
var onlyIn = map[string][]string{
	"go.etcd.io/bbolt":               {"store/bolt"},
	"github.com/spf13/viper":         {"cmd/internal/config"},
	"github.com/spf13/cobra":         {"cmd/postern"},
	"filippo.io/age":                 {"store/seal"},
	"crypto/hpke":                    {"store/seal"},
	"github.com/prometheus":          {"cmd/postern", "cmd/internal/ops"},
	"golang.org/x/crypto/argon2":     {"store/seal"},
	"github.com/emersion/go-msgauth": {"smtpd/dkim"},
}

type pkg struct {
	ImportPath string
	Doc        string
	GoFiles    []string
	Imports    []string
}

const module = "postern"

func TestImportsPointTheRightWay(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imported := range p.Imports {
			checkOwn(t, name, imported)
			checkOnlyIn(t, name, imported)
		}
	}
}

func checkOwn(t *testing.T, name, imported string) {
	own, ok := strings.CutPrefix(imported, module+"/")
	if !ok || strings.HasPrefix(name, "cmd/") {
		return
	}
	may, listed := allowed[name]
	if !listed {
		t.Errorf("package %s is not in the import table: add it with what it may import", name)
	}
	if !slices.Contains(may, own) {
		t.Errorf("%s imports %s, which the table does not allow", name, own)
	}
}

func checkOnlyIn(t *testing.T, name, imported string) {
	for library, homes := range onlyIn {
		if (imported == library || strings.HasPrefix(imported, library+"/")) && !slices.Contains(homes, name) {
			t.Errorf("%s imports %s, which belongs into %s only", name, imported, strings.Join(homes, ", "))
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

func packages(t *testing.T) (all []pkg) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Doc,GoFiles,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
