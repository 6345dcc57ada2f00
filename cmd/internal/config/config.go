// Package config reads Postern's configuration file and environment into one typed struct and checks it. It is the
// only place that sees viper; everything else gets plain structs of its own.
//
// Flow: Load fills Defaults from the file and from POSTERN_SECTION_KEY, refuses keys that do not exist, and runs every
// check of Validate; the error names all problems at once, each with its key.
package config

import (
	"time"

	"postern/smtpd/policy"
)

// Config is the whole configuration; the names of its keys are a contract (config.example.yaml explains each).
type Config struct {
	Hostname     string        `mapstructure:"hostname"`
	DataDir      string        `mapstructure:"data_dir"`
	ServerKey    string        `mapstructure:"server_key_file"`
	DrainTimeout time.Duration `mapstructure:"drain_timeout"`
	Organization Organization  `mapstructure:"organization"`
	SMTP         SMTP          `mapstructure:"smtp"`
	Relay        Relay         `mapstructure:"relay"`
	Notify       Notify        `mapstructure:"notify"`
	DKIM         []DKIM        `mapstructure:"dkim"`
	Policy       Policy        `mapstructure:"policy"`
	Pickup       Pickup        `mapstructure:"pickup"`
	Admin        Admin         `mapstructure:"admin"`
	Ops          Ops           `mapstructure:"ops"`
	Store        Store         `mapstructure:"store"`
	Log          Log           `mapstructure:"log"`
}

// Organization is who runs the gateway, as recipients read it.
type Organization struct {
	Name          string   `mapstructure:"name"`
	ShortName     string   `mapstructure:"short_name"`
	Domains       []string `mapstructure:"domains"`
	Support       Support  `mapstructure:"support"`
	PostalAddress string   `mapstructure:"postal_address"`
	Postmaster    string   `mapstructure:"postmaster"`
	Timezone      string   `mapstructure:"timezone"`
}

// Support is the help desk that pages and mails name.
type Support struct {
	Desk  string `mapstructure:"desk"`
	Phone string `mapstructure:"phone"`
	Email string `mapstructure:"email"`
	URL   string `mapstructure:"url"`
	Hours string `mapstructure:"hours"`
}

// TLS names a certificate (full chain) and its key, both PEM.
type TLS struct {
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
}

// Set reports whether a certificate is configured.
func (t TLS) Set() bool { return t.CertFile != "" || t.KeyFile != "" }

// SMTP is the relay listener.
type SMTP struct {
	Listen          []string `mapstructure:"listen"`
	TrustedNetworks []string `mapstructure:"trusted_networks"`
	TLS             TLS      `mapstructure:"tls"`
	MaxMessageSize  Size     `mapstructure:"max_message_size"`
}

// Relay is where mail goes.
type Relay struct {
	Routes []Route         `mapstructure:"routes"`
	Ehlo   string          `mapstructure:"ehlo"`
	Retry  []time.Duration `mapstructure:"retry"`
	GiveUp time.Duration   `mapstructure:"give_up"`
}

// Route is one next hop; the first whose domains match is taken.
type Route struct {
	Domains    []string `mapstructure:"domains"`
	Host       string   `mapstructure:"host"`
	Hosts      []string `mapstructure:"hosts"`
	MX         bool     `mapstructure:"mx"`
	TLS        string   `mapstructure:"tls"`
	Auth       Auth     `mapstructure:"auth"`
	ClientCert TLS      `mapstructure:"client_cert"`
	Stamp      string   `mapstructure:"stamp"`
	EightBit   string   `mapstructure:"eight_bit"`
	DKIMSign   bool     `mapstructure:"dkim_sign"`
}

// Auth is a log-on at a next hop.
type Auth struct {
	User         string `mapstructure:"user"`
	PasswordFile string `mapstructure:"password_file"`
}

// Notify is how Postern's own mails look.
type Notify struct {
	From          string        `mapstructure:"from"`
	ConfirmSender bool          `mapstructure:"confirm_sender"`
	DelayNotice   time.Duration `mapstructure:"delay_notice"`
}

// DKIM is a key that signs mail of a domain (MAIL 6.9).
type DKIM struct {
	Domain   string `mapstructure:"domain"`
	Selector string `mapstructure:"selector"`
	KeyFile  string `mapstructure:"key_file"`
}

// Policy is what is sealed (MAIL §3).
type Policy struct {
	Tags           []string           `mapstructure:"tags"`
	TriggerHeaders []policy.NameValue `mapstructure:"trigger_headers"`
	NearMiss       string             `mapstructure:"near_miss"`
	ThreadMemory   time.Duration      `mapstructure:"thread_memory"`
	Senders        string             `mapstructure:"senders"`
	Rules          []policy.Rule      `mapstructure:"rules"`
}

// Pickup is the recipients' site.
type Pickup struct {
	Listen         string        `mapstructure:"listen"`
	URL            string        `mapstructure:"url"`
	ExpireAfter    time.Duration `mapstructure:"expire_after"`
	FirstAccess    string        `mapstructure:"first_access"`
	Recovery       string        `mapstructure:"recovery"`
	Language       string        `mapstructure:"language"`
	KeepLoggedIn   bool          `mapstructure:"keep_logged_in"`
	ReplyKeepTag   bool          `mapstructure:"reply_keep_tag"`
	Aliases        []string      `mapstructure:"aliases"`
	TrustedProxies []string      `mapstructure:"trusted_proxies"`
	TLS            TLS           `mapstructure:"tls"`
}

// Admin is the console's listener.
type Admin struct {
	Listen string `mapstructure:"listen"`
	URL    string `mapstructure:"url"`
	TLS    TLS    `mapstructure:"tls"`
}

// Ops is the listener for metrics and health.
type Ops struct {
	Listen string `mapstructure:"listen"`
}

// Store is the storage engine.
type Store struct {
	Engine  string `mapstructure:"engine"`
	MinFree Size   `mapstructure:"min_free"`
}

// Log is how the engineers' log is written.
type Log struct {
	Level     string `mapstructure:"level"`
	Format    string `mapstructure:"format"`
	Addresses string `mapstructure:"addresses"`
}

// Defaults is the configuration before a file is read. Three values that depend on others are filled in after it.
func Defaults() Config {
	return Config{
		DataDir:      "./data",
		DrainTimeout: 8 * time.Second,
		Organization: Organization{Timezone: "UTC"},
		SMTP: SMTP{
			Listen: []string{"127.0.0.1:2525"}, TrustedNetworks: []string{"127.0.0.0/8", "::1/128"}, MaxMessageSize: 50 << 20,
		},
		Relay:  Relay{GiveUp: 5 * day},
		Notify: Notify{DelayNotice: time.Hour},
		Policy: Policy{
			Tags: []string{"secure", "encrypt"}, NearMiss: "seal", ThreadMemory: 400 * day, Senders: "everyone",
		},
		Pickup: Pickup{
			Listen: "127.0.0.1:8080", URL: "http://127.0.0.1:8080", ExpireAfter: 30 * day,
			FirstAccess: "password", Recovery: "activate", Language: "en", KeepLoggedIn: true,
		},
		Admin: Admin{Listen: "127.0.0.1:8081"},
		Ops:   Ops{Listen: "127.0.0.1:8082"},
		Store: Store{Engine: "bolt"},
		Log:   Log{Level: "info", Format: "text", Addresses: "plain"},
	}
}
