package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/viper"
)

// Problems is everything that is wrong with a configuration, one sentence each.
type Problems []string

func (p Problems) Error() string {
	return fmt.Sprintf("the configuration has %d problem(s):\n  - %s", len(p), strings.Join(p, "\n  - "))
}

// Load reads the file at path, or only defaults and environment when path is empty. The error is a Problems when the
// file could be read.
func Load(path string, environ []string) (Config, error) {
	if path == "" {
		return read(strings.NewReader(""), environ)
	}
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	return read(f, environ)
}

func read(r io.Reader, environ []string) (Config, error) {
	v := viper.NewWithOptions(viper.KeyDelimiter("::"), viper.ExperimentalBindStruct())
	v.SetConfigType("yaml")
	if err := v.ReadConfig(r); err != nil {
		return Config{}, Problems{"not valid YAML: " + oneLine(err.Error())}
	}
	problems := bindEnvironment(v, environ)
	c := Defaults()
	err := v.UnmarshalExact(&c, viper.DecodeHook(decodeText))
	problems = append(problems, decodeProblems(err)...)
	c.fill()
	problems = append(problems, c.validate()...)
	if len(problems) > 0 {
		return c, Problems(problems)
	}
	return c, nil
}

// bindEnvironment applies POSTERN_SECTION_KEY. A variable that names no key is a problem, because it was meant to do
// something.
func bindEnvironment(v *viper.Viper, environ []string) (problems []string) {
	known := map[string]string{}
	for _, key := range keys() {
		known["POSTERN_"+strings.ToUpper(strings.ReplaceAll(key, "::", "_"))] = key
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "POSTERN_") || strings.HasPrefix(name, "POSTERN_TEST_") {
			continue
		}
		key, ok := known[name]
		if !ok {
			problems = append(problems, name+": the environment variable names no key")
			continue
		}
		v.Set(key, value)
	}
	return problems
}

func decodeProblems(err error) (problems []string) {
	if err == nil {
		return nil
	}
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, e := range many.Unwrap() {
			problems = append(problems, decodeProblems(e)...)
		}
		return problems
	}
	return readable(oneLine(strings.ReplaceAll(err.Error(), "::", ".")))
}

var (
	unusedKeys = regexp.MustCompile(`^'(.*)' has invalid keys: (.*)$`)
	quotedKey  = regexp.MustCompile(`^'([^']*)':? ?`)
)

// readable puts the decoder's sentence into the form "key: what is wrong".
func readable(text string) (problems []string) {
	m := unusedKeys.FindStringSubmatch(text)
	if m == nil {
		return []string{quotedKey.ReplaceAllString(text, "$1: ")}
	}
	for _, key := range strings.Split(m[2], ", ") {
		problems = append(problems, strings.TrimPrefix(m[1]+"."+key, ".")+": there is no such key")
	}
	return problems
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// fill sets the values that depend on others.
func (c *Config) fill() {
	first := ""
	if len(c.Organization.Domains) > 0 {
		first = strings.TrimPrefix(c.Organization.Domains[0], ".")
	}
	fillText(&c.Notify.From, "securemail@"+first, first != "")
	fillText(&c.Organization.Postmaster, "postmaster@"+first, first != "")
	fillText(&c.Organization.ShortName, c.Organization.Name, true)
	fillText(&c.Relay.Ehlo, c.Hostname, true)
	fillText(&c.ServerKey, c.DataDir+"/keys/server.key", c.DataDir != "")
	fillText(&c.Admin.URL, "http://"+c.Admin.Listen, c.Admin.Listen != "")
	c.Pickup.URL, c.Admin.URL = strings.TrimRight(c.Pickup.URL, "/"), strings.TrimRight(c.Admin.URL, "/")
	for i := range c.Relay.Routes {
		fillText(&c.Relay.Routes[i].TLS, "opportunistic", true)
		fillText(&c.Relay.Routes[i].EightBit, "bounce", true)
	}
}

func fillText(field *string, value string, ok bool) {
	if *field == "" && ok {
		*field = value
	}
}
