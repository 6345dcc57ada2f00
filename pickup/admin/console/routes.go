package console

import (
	"context"
	"net/http"
	"net/url"

	"postern/pickup/admin"
)

// handler is a route that leaves errors to failureOf. who is zero on open routes without a session.
type handler func(w http.ResponseWriter, r *http.Request, who admin.Signed) error

// route is one line of the route table.
type route struct {
	pattern string
	needs   admin.Method // what the route is for; empty: everybody who is signed in
	open    bool         // answers without a session
	limit   int64        // octets of the body; 0: as web.DefaultBody
	do      handler
}

// routes is the route table.
func (c *Console) routes() []route {
	return []route{
		{pattern: "GET /sign-in", open: true, do: c.signInPage},
		{pattern: "POST /sign-in", open: true, do: c.signIn},
		{pattern: "POST /sign-out", open: true, do: c.signOut},
		{pattern: "GET /n/{token}", open: true, do: c.setUpPage},
		{pattern: "POST /n/{token}", open: true, do: c.setUp},

		{pattern: "GET /password", do: c.passwordPage},
		{pattern: "POST /password", do: c.changePassword},
		{pattern: "GET /sessions", do: c.sessions},
		{pattern: "POST /sessions", do: c.endSessions},

		{pattern: "GET /{$}", needs: "OverviewShow", do: c.dashboard},
		{pattern: "GET /users", needs: "UserList", do: c.users},
		{pattern: "GET /users/{id}", needs: "UserShow", do: c.user},
		{pattern: "POST /users/{id}", needs: "UserSwitch", do: c.saveUser},
		{pattern: "GET /users/{id}/alias", needs: "UserAliasRemove", do: c.aliasPage},
		{pattern: "POST /users/{id}/alias", needs: "UserAliasRemove", do: c.removeAlias},
		{pattern: "GET /groups", needs: "GroupList", do: c.groups},
		{pattern: "POST /groups", needs: "GroupCreate", do: c.makeGroup},
		{pattern: "GET /groups/{id}", needs: "GroupShow", do: c.group},
		{pattern: "GET /groups/{id}/enable", needs: "GroupEnable", do: c.enablePage},
		{pattern: "POST /groups/{id}/enable", needs: "GroupEnable", do: c.enable},
		{pattern: "GET /invitations", needs: "UserInvite", do: c.invitations},
		{pattern: "POST /invitations", needs: "UserInvite", do: c.inviteOne},
		{pattern: "POST /invitations/list", needs: "InvitePreview", limit: maxList, do: c.preview},
		{pattern: "POST /invitations/fill", needs: "GroupFill", do: c.fill},
		{pattern: "GET /audit", needs: "AuditList", do: c.audit},
		{pattern: "GET /audit/export", needs: "AuditExport", do: c.exportAudit},
		{pattern: "GET /messages", needs: "MessageList", do: c.messages},
		{pattern: "GET /messages/{id}", needs: "MessageShow", do: c.showMessage},
		{pattern: "GET /messages/{id}/recall", needs: "MessageRecall", do: c.recallPage},
		{pattern: "POST /messages/{id}/recall", needs: "MessageRecall", do: c.recall},
		{pattern: "GET /messages/{id}/extend", needs: "MessageExtend", do: c.extendPage},
		{pattern: "POST /messages/{id}/extend", needs: "MessageExtend", do: c.extend},
		{pattern: "POST /messages/{id}/notify", needs: "MessageRenotify", do: c.renotify},
		{pattern: "GET /notifications", needs: "InviterShow", do: c.notifications},
		{pattern: "POST /notifications", needs: "InviterSet", do: c.saveNotifications},
		{pattern: "GET /administrators", needs: "AdminList", do: c.administrators},
		{pattern: "POST /administrators", needs: "AdminCreate", do: c.createAdministrator},
		{pattern: "GET /administrators/{id}", needs: "AdminShow", do: c.administratorAs("administrator")},
		{pattern: "POST /administrators/{id}/role", needs: "AdminRole", do: c.changeRole},
		{pattern: "POST /administrators/{id}/status", needs: "AdminSwitch", do: c.switchAdministrator},
		{pattern: "GET /administrators/{id}/reset", needs: "AdminReset", do: c.administratorAs("reset")},
		{pattern: "POST /administrators/{id}/reset", needs: "AdminReset", do: c.resetAdministrator},
		{pattern: "GET /settings", needs: "SettingsShow", do: c.settings},
		{pattern: "GET /settings/keys", needs: "KeyList", do: c.keys},

		{pattern: "GET /queue", needs: "QueueList", do: c.queue},
		{pattern: "GET /queue/{item}", needs: "QueueShow", do: c.queueItem},
		{pattern: "POST /queue/{item}/retry", needs: "QueueRetry", do: c.retry},
		{pattern: "GET /queue/{item}/drop", needs: "QueueDrop", do: c.dropPage},
		{pattern: "POST /queue/{item}/drop", needs: "QueueDrop", do: c.drop},
		{pattern: "GET /policy", needs: "PolicyExplain", do: c.policy},
		{pattern: "POST /policy", needs: "PolicyExplain", limit: maxEML, do: c.dryRun},
	}
}

type whoKey struct{}

// whoOf is who is signed in, once guarded has looked.
func whoOf(r *http.Request) admin.Signed {
	who, _ := r.Context().Value(whoKey{}).(admin.Signed)
	return who
}

// guarded lets only those to a route who may go there.
func (c *Console) guarded(rt route) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		who := whoOf(r)
		switch {
		case rt.open:
		case !signed(who):
			return redirect(w, signInFor(r))
		case rt.needs != "" && !admin.May(who.Actor.Role, rt.needs):
			return admin.ErrForbidden
		}
		return rt.do(w, r, who)
	}
}

// handle resumes the session of a request and answers for errors.
func (c *Console) handle(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := c.who(r)
		if err == nil {
			r = r.WithContext(context.WithValue(r.Context(), whoKey{}, who))
			err = h(w, r)
		}
		if err != nil {
			c.failWith(w, r, err)
		}
	}
}

// redirect leads to a path of this site by GET.
func redirect(w http.ResponseWriter, target string) error {
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// done leads to a page that says what was done.
func done(w http.ResponseWriter, path, what string) error {
	return redirect(w, path+"?"+url.Values{"done": {what}}.Encode())
}
