package pickup

import (
	"context"

	"postern/pickup/account"
	"postern/pickup/message"
	"postern/store"
	"postern/store/seal"
)

// Accounts is what the site needs of package account.
type Accounts interface {
	Register(context.Context, account.Registration) (account.Signed, error)
	SignIn(context.Context, account.Login) (account.Signed, error)
	Resume(ctx context.Context, cookie string) (account.Signed, error)
	SignOut(ctx context.Context, cookie string) error
	SendCode(context.Context, account.CodeRequest) (account.CodeWaiting, error)
	Code(ctx context.Context, secret seal.LinkSecret, flow string) (account.CodeWaiting, error)
	OpenByCode(context.Context, account.TypedCode) (account.Signed, error)
	SendFirst(context.Context, account.FirstRequest) error
	Visit(ctx context.Context, cookie string) (account.Signed, error)
	Carry(context.Context, account.Signed, seal.LinkSecret) (account.Signed, error)
	Welcome(ctx context.Context, token string) (account.MailedLink, error)
	InvitationLink(ctx context.Context, token string) (account.MailedLink, error)
	Accept(ctx context.Context, token string, in account.Acceptance) (account.Signed, error)
	ConfirmWelcome(ctx context.Context, who account.Signed, token string) error
	DisownWelcome(ctx context.Context, token string, c account.Client) error
	Prove(ctx context.Context, who account.Signed, password string, c account.Client) error
	ChangePassword(context.Context, account.Signed, account.Change) (account.Signed, error)
	ChangeReminder(context.Context, account.Signed, account.Change) error
	Aliases(context.Context, account.Signed) ([]account.OtherAddress, error)
	AddAlias(context.Context, account.Signed, account.AliasForm) error
	RemoveAlias(context.Context, account.Signed, account.AliasForm) error
	AliasLink(ctx context.Context, token string) (account.AliasInfo, error)
	ConfirmAlias(context.Context, account.Signed, account.AliasAnswer) error
	Sessions(context.Context, account.Signed) ([]store.Session, error)
	EndSession(context.Context, account.Signed, store.SessionID) error
	EndOthers(context.Context, account.Signed) error
	Record(context.Context, account.Signed, store.Cursor, int) ([]store.Event, store.Cursor, error)
	Criteria(password string, about []string) []account.Criterion
	OwnWords(about []string) []string
	Remind(ctx context.Context, address string, c account.Client) error
	Recover(ctx context.Context, address string, c account.Client) error
	AskChange(context.Context, account.ChangeRequest) error
	ChangeLink(ctx context.Context, token string) (account.MailedLink, error)
	Activate(ctx context.Context, token string, in account.NewPassword) (account.Signed, error)
	DeclineChange(ctx context.Context, token string) error
	ResetLink(ctx context.Context, token string) (account.MailedLink, error)
	Reset(ctx context.Context, token string, in account.NewPassword) (account.Signed, error)
	Changing(ctx context.Context, cookie string) (store.Account, error)
	ChoosePassword(ctx context.Context, cookie string, in account.NewPassword) (account.Signed, error)
	UseEarlier(context.Context, account.Signed, account.Earlier) error
	SetLanguage(ctx context.Context, who account.Signed, lang string) error
}

// Messages is what the site needs of package message.
type Messages interface {
	Link(context.Context, seal.LinkSecret) (message.Cover, error)
	OpenLink(context.Context, seal.LinkSecret, account.Signed) (store.RcptKey, error)
	NotForMe(context.Context, seal.LinkSecret) error
	Fetched(store.LinkID)
	Open(context.Context, account.Signed, store.RcptKey) error
	View(context.Context, account.Signed, store.RcptKey) (*message.Opened, error)
	Downloaded(who account.Signed, k store.RcptKey, part string)
	Inbox(context.Context, account.Signed, message.InboxQuery) (message.Page, error)
	Carried(context.Context, account.Signed) ([]message.Item, error)
	Sent(context.Context, account.Signed, store.Cursor) (message.SentPage, error)
	SentView(context.Context, account.Signed, store.MessageID) (*message.Opened, error)
	Reply(context.Context, account.Signed, store.RcptKey, message.Draft) (store.Receipt, error)
	Forget(store.SessionID)
}

var (
	_ Accounts = (*account.Service)(nil)
	_ Messages = (*message.Service)(nil)
)
