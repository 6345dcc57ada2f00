package admin_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/pickup/account"
	"postern/pickup/admin"
	"postern/store"
)

const (
	password = "Blue lantern 42"
	other    = "Green lantern 43"
)

var (
	ann     = store.Address{Local: "Ann", Domain: "example.org"}
	browser = account.Client{IP: netip.MustParseAddr("192.0.2.7"), Browser: "Firefox 151 on Windows", Ref: "K7QF2M9D"}
)

// app is an authenticator app.
type app struct{ secret []byte }

func appOf(t *testing.T, key string) app {
	t.Helper()
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(key, " ", ""))
	must(t, err)
	return app{secret}
}

func (a app) code(at time.Time) string {
	mac := hmac.New(sha1.New, a.secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30)))
	sum := mac.Sum(nil)
	o := sum[19] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[o:])&0x7fffffff%1_000_000)
}

// tokenOf cuts the token out of a set-up link.
func tokenOf(t *testing.T, link string) string {
	t.Helper()
	token, ok := strings.CutPrefix(link, "https://console.example.org/n/")
	if !ok {
		t.Fatalf("link %q", link)
	}
	return token
}

// enrol makes an administrator and sets him up.
func (d *desk) enrol(t *testing.T, address store.Address, role admin.Role) (admin.Signed, app) {
	t.Helper()
	link, err := d.AdminCreate(t.Context(), admin.Socket(), admin.Proof{}, address.String(), role)
	must(t, err)
	token := tokenOf(t, link.Link)
	e, err := d.Enrolment(t.Context(), token)
	must(t, err)
	phone := appOf(t, e.Key)
	in, err := d.Setup(t.Context(), admin.SetupForm{Token: token, Password: password, Code: phone.code(d.Now()), Client: browser})
	must(t, err)
	return in, phone
}

// later moves the clock on, so that the next code of the app is a new one.
func (d *desk) later(by time.Duration) {
	if !d.began.IsZero() {
		time.Sleep(by)
		return
	}
	d.clock = d.Now().Add(by)
}

func TestAdministratorSetsHimselfUpOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		link, err := d.AdminCreate(t.Context(), admin.Socket(), admin.Proof{}, "Ann@Example.org", admin.RoleHelpDesk)
		must(t, err)
		token := tokenOf(t, link.Link)
		if link.Ends != start.Add(24*time.Hour) {
			t.Errorf("ends %s", link.Ends)
		}
		if _, err := d.SignIn(t.Context(), admin.Login{Address: ann.String(), Password: "", Client: browser}); !errors.Is(err, admin.ErrSignIn) {
			t.Errorf("before set-up: %v", err)
		}
		e, err := d.Enrolment(t.Context(), token)
		must(t, err)
		if e.Address.String() != "Ann@Example.org" || e.Role != admin.RoleHelpDesk || !strings.HasPrefix(e.URI, "otpauth://totp/") {
			t.Errorf("enrolment %+v", e)
		}
		phone := appOf(t, e.Key)
		weak := new(account.CriteriaError)
		if _, err := d.Setup(t.Context(), admin.SetupForm{Token: token, Password: "short", Code: phone.code(start), Client: browser}); !errors.As(err, &weak) {
			t.Errorf("weak password: %v", err)
		}
		if _, err := d.Setup(t.Context(), admin.SetupForm{Token: token, Password: password, Code: "000000", Client: browser}); !errors.Is(err, admin.ErrCode) {
			t.Errorf("wrong code: %v", err)
		}
		in, err := d.Setup(t.Context(), admin.SetupForm{Token: token, Password: password, Code: phone.code(start), Client: browser})
		must(t, err)
		if in.Actor.Role != admin.RoleHelpDesk || in.Actor.Name != "Ann@Example.org" || in.Actor.Account.IsZero() {
			t.Errorf("actor %+v", in.Actor)
		}
		again, err := d.Resume(t.Context(), in.Token)
		if err != nil || again.Actor != in.Actor || again.Session.Kind != store.SessionConsole {
			t.Errorf("resumed %+v, %v", again, err)
		}
		if _, err := d.Enrolment(t.Context(), token); !errors.Is(err, store.ErrUsed) {
			t.Errorf("the link again: %v", err)
		}
		if _, err := d.Setup(t.Context(), admin.SetupForm{Token: token, Password: other, Code: phone.code(start.Add(30 * time.Second)), Client: browser}); !errors.Is(err, store.ErrUsed) {
			t.Errorf("set up twice: %v", err)
		}
		if _, err := d.AdminCreate(t.Context(), admin.Socket(), admin.Proof{}, ann.String(), admin.RoleAdmin); !errors.Is(err, store.ErrExists) {
			t.Errorf("made twice: %v", err)
		}
		if _, err := d.AdminCreate(t.Context(), admin.Socket(), admin.Proof{}, "zoe@example.org", "king"); err == nil {
			t.Error("a role that does not exist")
		}
		d.clock = start.Add(25 * time.Hour)
		late, err := d.AdminCreate(t.Context(), admin.Socket(), admin.Proof{}, "zoe@example.org", admin.RoleAdmin)
		must(t, err)
		d.later(24 * time.Hour)
		if _, err := d.Enrolment(t.Context(), tokenOf(t, late.Link)); !errors.Is(err, store.ErrExpired) {
			t.Errorf("a day later: %v", err)
		}
	})
}

// TestI9EveryFailedConsoleSignInLooksLikeAnyOther: one error, at a multiple of half a second.
func TestI9EveryFailedConsoleSignInLooksLikeAnyOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.began = time.Now()
		_, phone := d.enrol(t, ann, admin.RoleAdmin)
		d.enrol(t, store.Address{Local: "off", Domain: "example.org"}, admin.RoleAdmin)
		must(t, d.AdminSwitch(t.Context(), admin.Socket(), admin.Proof{}, "off@example.org", store.StatusDisabled))
		d.bed.Person(bob, store.Confirmed)
		used := phone.code(d.Now())
		d.later(time.Minute)
		for name, in := range map[string]admin.Login{
			"unknown":            {Address: "nobody@example.org", Password: password, Code: phone.code(d.Now())},
			"a recipient":        {Address: bob.String(), Password: password, Code: phone.code(d.Now())},
			"no address":         {Address: "ann", Password: password, Code: phone.code(d.Now())},
			"wrong password":     {Address: ann.String(), Password: other, Code: phone.code(d.Now())},
			"wrong code":         {Address: ann.String(), Password: password, Code: "123"},
			"no code":            {Address: ann.String(), Password: password},
			"code of the set-up": {Address: ann.String(), Password: password, Code: used},
			"disabled":           {Address: "off@example.org", Password: password, Code: phone.code(d.Now())},
			"overlong":           {Address: strings.Repeat("x", 5000), Password: strings.Repeat("y", 5000)},
		} {
			in.Client, in.Client.Ref = browser, name
			time.Sleep(time.Hour)
			if in.Code != "" && in.Code != "123" && in.Code != used {
				in.Code = phone.code(d.Now())
			}
			began := time.Now()
			out, err := d.SignIn(t.Context(), in)
			if !errors.Is(err, admin.ErrSignIn) || err.Error() != admin.ErrSignIn.Error() || out.Token != "" {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took%(500*time.Millisecond) != 0 || took == 0 {
				t.Errorf("%s: answered after %s", name, took)
			}
		}
		time.Sleep(time.Hour)
		in := admin.Login{Address: "ANN@example.org ", Password: password, Code: phone.code(d.Now()), Client: browser}
		out, err := d.SignIn(t.Context(), in)
		must(t, err)
		if out.Actor.Name != ann.String() || out.Session.Ends != d.Now().Add(12*time.Hour) {
			t.Errorf("signed in as %+v", out)
		}
		if _, err := d.SignIn(t.Context(), in); !errors.Is(err, admin.ErrSignIn) {
			t.Errorf("the same code twice: %v", err)
		}
		if n := len(d.noted); n != 6 { // those that named an administrator
			t.Errorf("%d failures are recorded", n)
		}
		for _, e := range d.noted {
			if e.Actor == ann.String() || e.Account.IsZero() {
				t.Errorf("a stranger's guess is recorded as %+v", e)
			}
		}
		if strings.Contains(d.bed.Log.String(), password) || strings.Contains(d.bed.Log.String(), other) {
			t.Error("a password is in the log")
		}
	})
}

// TestI9ConsoleGuessesDoNotShutOutTheSite: the series of the two sites are counted apart.
func TestI9ConsoleGuessesDoNotShutOutTheSite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		in, phone := d.enrol(t, ann, admin.RoleAdmin)
		d.later(time.Minute)
		busy := new(account.BusyError)
		guess := admin.Login{Address: ann.String(), Password: other, Client: browser}
		var err error
		for range 20 {
			if _, err = d.SignIn(t.Context(), guess); errors.As(err, &busy) {
				break
			}
		}
		if !errors.As(err, &busy) {
			t.Fatalf("guesses are never held up: %v", err)
		}
		if _, err := d.logOns.SignIn(t.Context(), account.Login{Address: ann.String(), Password: other, Client: browser}); !errors.Is(err, account.ErrSignIn) {
			t.Errorf("on the recipients' site: %v", err)
		}
		known := browser
		known.Known = in.Known
		if _, err := d.SignIn(t.Context(), admin.Login{Address: ann.String(), Password: password, Code: phone.code(d.Now()), Client: known}); err != nil {
			t.Errorf("from the browser that signed in before: %v", err)
		}
	})
}

// TestB01ChangePasswordOfAnAdministrator: a wrong old one is refused; afterwards only the new one works; other sessions end.
func TestB01ChangePasswordOfAnAdministrator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.began = time.Now()
		first, phone := d.enrol(t, ann, admin.RoleAdmin)
		signIn := func(password string) (admin.Signed, error) {
			d.later(15 * time.Minute)
			return d.SignIn(t.Context(), admin.Login{Address: ann.String(), Password: password, Code: phone.code(d.Now()), Client: browser})
		}
		second, err := signIn(password)
		must(t, err)
		if err := d.ChangePassword(t.Context(), second, admin.PasswordChange{Old: other, New: other, Client: browser}); !errors.Is(err, admin.ErrOldPassword) {
			t.Errorf("wrong old password: %v", err)
		}
		weak := new(account.CriteriaError)
		if err := d.ChangePassword(t.Context(), second, admin.PasswordChange{Old: password, New: "short", Client: browser}); !errors.As(err, &weak) {
			t.Errorf("weak new password: %v", err)
		}
		must(t, d.ChangePassword(t.Context(), second, admin.PasswordChange{Old: password, New: other, Client: browser}))
		if _, err := d.Resume(t.Context(), first.Token); !errors.Is(err, admin.ErrNoSession) {
			t.Errorf("the other session: %v", err)
		}
		if _, err := d.Resume(t.Context(), second.Token); err != nil {
			t.Errorf("this session: %v", err)
		}
		if _, err := signIn(password); !errors.Is(err, admin.ErrSignIn) {
			t.Errorf("the old password: %v", err)
		}
		if _, err := signIn(other); err != nil {
			t.Errorf("the new password: %v", err)
		}
	})
}

// delayed is log-ons during which something else happens.
type delayed struct {
	admin.LogOns
	meanwhile func()
}

func (l delayed) Attempt(ctx context.Context, a account.Attempt, try func(context.Context) error) error {
	l.meanwhile()
	return l.LogOns.Attempt(ctx, a, try)
}

// TestB01PasswordReplacedDuringASignIn: who typed the old one, and waited for a place, does not get in by it.
func TestB01PasswordReplacedDuringASignIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.began = time.Now()
		in, phone := d.enrol(t, ann, admin.RoleAdmin)
		d.later(time.Minute)
		real := d.LogOns
		d.LogOns = delayed{real, func() {
			d.LogOns = real
			must(t, d.ChangePassword(t.Context(), in, admin.PasswordChange{Old: password, New: other, Client: browser}))
		}}
		try := admin.Login{Address: ann.String(), Password: password, Code: phone.code(d.Now()), Client: browser}
		if _, err := d.SignIn(t.Context(), try); !errors.Is(err, admin.ErrSignIn) {
			t.Errorf("with the old password: %v", err)
		}
	})
}

// TestConsoleSessionsEnd: by sign-out, idling, time, being disabled, another role, a reset; and a recipient's cookie is
// none.
func TestConsoleSessionsEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, d *desk, in admin.Signed){
		"sign-out": func(t *testing.T, d *desk, in admin.Signed) { must(t, d.SignOut(t.Context(), in.Token)) },
		"idle":     func(_ *testing.T, d *desk, _ admin.Signed) { d.later(31 * time.Minute) },
		"twelve h": func(_ *testing.T, d *desk, _ admin.Signed) { d.later(13 * time.Hour) },
		"disabled": func(t *testing.T, d *desk, _ admin.Signed) {
			must(t, d.AdminSwitch(t.Context(), admin.Socket(), admin.Proof{}, ann.String(), store.StatusDisabled))
		},
		"role": func(t *testing.T, d *desk, _ admin.Signed) {
			must(t, d.AdminRole(t.Context(), admin.Socket(), admin.Proof{}, ann.String(), admin.RoleAuditor))
		},
		"reset": func(t *testing.T, d *desk, _ admin.Signed) {
			_, err := d.AdminReset(t.Context(), admin.Socket(), admin.Proof{}, ann.String())
			must(t, err)
		},
		"on and on": func(t *testing.T, d *desk, _ admin.Signed) { d.later(20 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			in, _ := d.enrol(t, ann, admin.RoleHelpDesk)
			end(t, d, in)
			if _, err := d.Resume(t.Context(), in.Token); errors.Is(err, admin.ErrNoSession) != (name != "on and on") {
				t.Errorf("afterwards: %v", err)
			}
			if err := d.SignOut(t.Context(), in.Token); err != nil {
				t.Errorf("signing out afterwards: %v", err)
			}
		})
	}
	d := newDesk(t)
	for _, cookie := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 5000)} {
		if _, err := d.Resume(t.Context(), cookie); !errors.Is(err, admin.ErrNoSession) {
			t.Errorf("cookie %.20q: %v", cookie, err)
		}
	}
}

// TestAdministratorsAreChangedWithAProof: whoever acts in the console types password and code again, and of two changes
// with one code at the same time one is made. What was wrong goes on record, and not in the actor's name.
func TestAdministratorsAreChangedWithAProof(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		in, phone := d.enrol(t, ann, admin.RoleAdmin)
		d.began = time.Now()
		d.later(time.Minute)
		proof := admin.Proof{Password: password, Code: phone.code(d.Now()), Client: browser}
		errs := make(chan error, 2)
		for _, address := range []string{"zoe@example.org", "yan@example.org"} {
			go func() {
				_, err := d.AdminCreate(t.Context(), in.Actor, proof, address, admin.RoleAdmin)
				errs <- err
			}()
		}
		one, two := <-errs, <-errs
		if (one == nil) == (two == nil) || !errors.Is(errors.Join(one, two), admin.ErrProof) {
			t.Errorf("one code, two changes: %v and %v", one, two)
		}
		if len(d.noted) != 1 || d.noted[0].What != store.EventAdminProof || d.noted[0].Account != in.Actor.Account {
			t.Errorf("on record of the change that was not made: %+v", d.noted)
		}
		d.later(time.Minute)
		proof.Code = phone.code(d.Now())
		for name, p := range map[string]admin.Proof{"none": {Client: browser}, "a wrong password": {Password: other, Code: proof.Code, Client: browser},
			"a wrong code": {Password: password, Code: "000000", Client: browser}, "an old code": {Password: password, Code: phone.code(start), Client: browser}} {
			d.noted = nil
			if _, err := d.AdminCreate(t.Context(), in.Actor, p, "xie@example.org", admin.RoleAdmin); !errors.Is(err, admin.ErrProof) {
				t.Errorf("%s: %v", name, err)
			}
			if len(d.noted) != 1 || d.noted[0].What != store.EventAdminProof || d.noted[0].Account != in.Actor.Account || d.noted[0].Actor != "unknown" {
				t.Errorf("%s: on record %+v", name, d.noted)
			}
			d.later(time.Minute)
		}
		if list, err := d.AdminList(t.Context(), admin.Socket(), ""); err != nil || len(list.Rows) != 2 {
			t.Errorf("in the end: %+v, %v", list, err)
		}
		list, err := d.AdminList(t.Context(), admin.Socket(), "")
		must(t, err)
		made := list.Rows[slices.IndexFunc(list.Rows, func(r admin.AdminRow) bool { return r.ID != in.Actor.Account.String() })]
		d.later(time.Minute)
		proof.Code = phone.code(d.Now())
		must(t, d.AdminRole(t.Context(), in.Actor, proof, made.ID, made.Role)) // changes nothing, and takes the code
		if err := d.AdminRole(t.Context(), in.Actor, proof, made.ID, admin.RoleAuditor); !errors.Is(err, admin.ErrProof) {
			t.Errorf("one code, twice in turn: %v", err)
		}
		must(t, d.AdminSwitch(t.Context(), admin.Socket(), admin.Proof{}, made.ID, store.StatusDisabled))
		for _, mail := range d.bed.Mails(store.KindAccount) {
			if strings.Contains(mail, "To: "+made.Address) {
				t.Errorf("an address that nobody has proved is told:\n%s", mail)
			}
		}
		stranger := admin.Actor{Role: admin.RoleAdmin, Name: admin.Socket().Name}
		stranger.Account[0] = 1
		if _, err := d.AdminCreate(t.Context(), stranger, admin.Proof{}, "xie@example.org", admin.RoleAdmin); err == nil {
			t.Error("an actor who is nobody made an administrator")
		}
	})
}

func TestAdministratorsAreManaged(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	in, phone := d.enrol(t, ann, admin.RoleAdmin)
	for name, err := range map[string]error{
		"own status": d.AdminSwitch(t.Context(), in.Actor, admin.Proof{}, ann.String(), store.StatusDisabled),
		"own role":   d.AdminRole(t.Context(), in.Actor, admin.Proof{}, ann.String(), admin.RoleAuditor),
	} {
		if err == nil || !strings.Contains(err.Error(), "another administrator") {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, d.AdminSwitch(t.Context(), admin.Socket(), admin.Proof{}, ann.String(), store.StatusDisabled))
	if _, err := d.AdminReset(t.Context(), admin.Socket(), admin.Proof{}, ann.String()); err == nil {
		t.Error("a disabled administrator was reset")
	}
	must(t, d.AdminSwitch(t.Context(), admin.Socket(), admin.Proof{}, ann.String(), store.StatusActive))
	d.later(time.Minute)
	if _, err := d.SignIn(t.Context(), admin.Login{Address: ann.String(), Password: password, Code: phone.code(d.Now()), Client: browser}); err != nil {
		t.Errorf("enabled again: %v", err)
	}
	link, err := d.AdminReset(t.Context(), admin.Socket(), admin.Proof{}, ann.String())
	must(t, err)
	e, err := d.Enrolment(t.Context(), tokenOf(t, link.Link))
	must(t, err)
	if string(appOf(t, e.Key).secret) == string(phone.secret) {
		t.Error("the second factor is the old one")
	}
	p, err := d.AdminList(t.Context(), admin.Socket(), "")
	must(t, err)
	if len(p.Rows) != 1 || p.Rows[0].Status != "invited" || p.Rows[0].Role != admin.RoleAdmin || p.Next != "" {
		t.Errorf("list %+v", p)
	}
	if _, err := d.AdminReset(t.Context(), admin.Socket(), admin.Proof{}, "nobody@example.org"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	var whats []string
	d.bed.View(func(tx store.Tx) error {
		events, _, err := tx.Audit().OfAccount(in.Actor.Account, "", 100)
		for _, e := range events {
			whats = append(whats, string(e.What)+" by "+e.Actor)
		}
		return err
	})
	for _, want := range []string{"admin.created by socket", "admin.set-up by Ann@example.org", "admin.disabled by socket", "admin.enabled by socket", "admin.signed-in by Ann@example.org", "admin.reset by socket"} {
		if !strings.Contains(strings.Join(whats, "\n"), want) {
			t.Errorf("no event %q in %v", want, whats)
		}
	}
}
