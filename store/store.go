package store

import (
	"context"
	"io"
	"time"
)

// Store is an open engine.
type Store interface {
	// View runs f on a consistent snapshot.
	View(ctx context.Context, f func(Tx) error) error
	// Update runs f in a transaction. nil: it is durable. An error of f: nothing was written. ErrFull: nothing was
	// written. ErrUncertain: it may have been. ctx is looked at before the commit is queued, never after.
	Update(ctx context.Context, f func(Tx) error) error
	// Wake tells of destinations that a commit made due.
	Wake() Wake
	Blobs() Blobs
	// Check answers an error while storing is impossible.
	Check(ctx context.Context) error
	Close() error
}

// Wake is how a commit wakes the queue runner.
type Wake interface {
	// C receives when Take has something; it holds one signal.
	C() <-chan struct{}
	// Take returns the domains that became due since the last call.
	Take() []string
}

// Tx hands out the roles of one transaction. Roles are valid until its function returns.
type Tx interface {
	Messages() Messages
	Bodies() Bodies
	Threads() Threads
	Accounts() Accounts
	Administrators() Administrators
	Groups() Groups
	Sessions() Sessions
	Tokens() Tokens
	Queue() Queue
	Audit() Audit
	Settings() Settings
}

// RefusedRoom bounds what is kept of messages that were refused as a whole.
type RefusedRoom struct {
	// Recipients is how many recipients the newest of them may have together. Older messages make room, and leave their
	// events behind. The newest is always kept.
	Recipients int
	// Hourly is how many are kept of an hour. What comes beyond is in Tally alone; the first of it adds one
	// EventRefusedMany.
	Hourly int
}

// Messages keeps messages and their recipients with all their indexes.
type Messages interface {
	// Create adds a message and its recipients, whose Version becomes 1. ErrExists when the id is taken.
	Create(Message, []Recipient) error
	// Refuse keeps the metadata of a message that was refused as a whole, whose Refused it sets, with the EventRefused
	// that tells of it. A flood of refused mail neither fills the store nor pushes earlier events out of the audit log:
	// see RefusedRoom.
	Refuse(Message, []Recipient, Event, RefusedRoom) error
	Get(MessageID) (Message, error)
	// SetMessage rewrites the message's own record (grants, card, expiry). It must exist. Refs and Blob stay as they
	// are stored: only Bodies moves them.
	SetMessage(Message) error
	Recipient(RcptKey) (Recipient, error)
	Recipients(MessageID, Cursor, int) ([]Recipient, Cursor, error)
	// ByLink finds the recipient whom a link was sent to, also after its end.
	ByLink(LinkID) (Recipient, error)
	// Set rewrites a recipient, raises its Version and moves every index entry. ErrConflict unless Version is the
	// stored one.
	Set(Recipient) error
	// Inbox lists sealed recipients of an account, newest first.
	Inbox(AccountID, Cursor, int) ([]Recipient, Cursor, error)
	// Sent lists the messages that an account wrote, newest first.
	Sent(AccountID, Cursor, int) ([]Message, Cursor, error)
	// Replies lists what was written on the site in answer to a recipient's share of a message, newest first.
	Replies(to RcptKey, c Cursor, n int) ([]Message, Cursor, error)
	// ByMsgID lists messages by the keyed hash of their Message-ID, newest first.
	ByMsgID(ThreadID, int) ([]MessageID, error)
	// ByEnd lists messages whose id ends so, newest first. It looks at the newest 500,000 recipients of each state only, and
	// so takes some tens of milliseconds at most.
	ByEnd(IDEnd) ([]MessageID, error)
	// Unclaimed lists sealed live recipients of an address that are in nobody's inbox, oldest first.
	Unclaimed(AddressKey, int) ([]RcptKey, error)
	// Expired lists sealed recipients whose Expires is at or before t and whose share has not ended, earliest first.
	Expired(t time.Time, c Cursor, n int) ([]RcptKey, Cursor, error)
	// NextExpiry is the earliest Expires among them; ErrNotFound when there is none.
	NextExpiry() (time.Time, error)
	// List pages through recipients by metadata, newest message first. A page may be short of n, even empty, while a
	// cursor says that there is more: a filter that matches little is searched in portions.
	List(Filter, Cursor, int) ([]Recipient, Cursor, error)
	// CountState counts recipients in a state; those whose share is sealed, where sealed says so.
	CountState(s State, sealed bool) (int64, error)
	// CountExpiring counts sealed live recipients whose Expires is at or before t, and stops at most.
	CountExpiring(t time.Time, most int) (int, error)
}

// Bodies keeps inline bodies and counts who still needs a body.
type Bodies interface {
	// Put stores an inline body. A message whose Blob is set has none.
	Put(MessageID, []byte) error
	// Get returns an inline body; ErrNotFound when it is gone or in a blob.
	Get(MessageID) ([]byte, error)
	// Unref takes one off Message.Refs; at zero the inline body is deleted, or the blob listed as released.
	// ErrNotFound when nobody needed the body any more.
	Unref(MessageID) error
	// Released lists blobs that no message needs, in the order of their ids, behind a given one; the zero id begins.
	Released(after BlobID, n int) ([]BlobID, error)
	// Forget takes a deleted blob off that list. One that is not on it is no error.
	Forget(BlobID) error
	// Known reports whether a message needs the blob or it is listed as released.
	Known(BlobID) (bool, error)
}

// Threads remembers the Message-IDs of sealed conversations (MAIL 3.6).
type Threads interface {
	Put(id ThreadID, m MessageID, ends time.Time) error
	// Sealed reports whether any of ids is remembered.
	Sealed(ids []ThreadID) (bool, error)
	// Sweep deletes up to n entries that ended by t and says how many.
	Sweep(t time.Time, n int) (int, error)
}

// Accounts keeps people who pick up mail.
type Accounts interface {
	// Create adds an account with Version 1. ErrExists when id or address is taken.
	Create(Account) error
	Get(AccountID) (Account, error)
	// ByAddress finds an account by its address or one of its confirmed aliases.
	ByAddress(AddressKey) (Account, error)
	// Set rewrites an account and raises its Version. ErrConflict unless Version is the stored one.
	Set(Account) error
	// List pages through accounts, by address unless the filter says otherwise. A page may be short of n while a
	// cursor says that there is more.
	List(AccountFilter, Cursor, int) ([]Account, Cursor, error)
	// Count counts the accounts of a status and class; empty ones count all.
	Count(Status, Class) (int64, error)
}

// Administrators keeps the people of the console.
type Administrators interface {
	// Create adds one with Version 1. ErrExists when id or address is taken.
	Create(Administrator) error
	Get(AccountID) (Administrator, error)
	ByAddress(AddressKey) (Administrator, error)
	// Set rewrites one and raises its Version. ErrConflict unless Version is the stored one.
	Set(Administrator) error
	// List pages through them by address.
	List(Cursor, int) ([]Administrator, Cursor, error)
}

// Groups keeps lists of people who are enabled together.
type Groups interface {
	// Create adds a group with Version 1. ErrExists when id or name is taken.
	Create(Group) error
	Get(GroupID) (Group, error)
	ByName(string) (Group, error)
	// Set rewrites a group and raises its Version. ErrConflict unless Version is the stored one.
	Set(Group) error
	// List pages through groups by name.
	List(Cursor, int) ([]Group, Cursor, error)
	// Put adds a person to a group, or rewrites one; ErrNotFound when there is no such group.
	Put(GroupPerson) error
	Person(GroupID, AddressKey) (GroupPerson, error)
	// People pages through the people of a group by address.
	People(GroupID, Cursor, int) ([]GroupPerson, Cursor, error)
	// Waiting lists people without an outcome.
	Waiting(GroupID, int) ([]GroupPerson, error)
	Count(GroupID) (GroupCount, error)
}

// Sessions keeps log-ons.
type Sessions interface {
	Put(Session) error
	Get(SessionID) (Session, error)
	// Delete ends a session. One that is not there is no error.
	Delete(SessionID) error
	// DeleteAll ends all sessions of an account but one; zero spares none.
	DeleteAll(a AccountID, except SessionID) error
	// DeleteAt ends all sessions of an address that are no account's.
	DeleteAt(AddressKey) error
	// Of lists the sessions of an account.
	Of(AccountID) ([]Session, error)
	// Visits pages through the sessions that are no account's.
	Visits(Cursor, int) ([]Session, Cursor, error)
	// Expired lists sessions whose Until is at or before t.
	Expired(t time.Time, n int) ([]SessionID, error)
}

// Tokens keeps the rows of use-once tokens.
type Tokens interface {
	// Put adds a token within Keep: ErrLimit, or the oldest live one goes. Live is what is neither used nor ended when
	// the new one is made; a Max of 0 does not bound. ErrExists when the id is taken.
	Put(Token, Keep) error
	// Peek reads a live token: ErrNotFound (also for another purpose), ErrUsed, ErrExpired. The row comes with the
	// last two.
	Peek(TokenID, Purpose, time.Time) (Token, error)
	// Use is Peek, and marks the token used. What it answers still holds Sealed and Key; the spent row does not.
	Use(TokenID, Purpose, time.Time) (Token, error)
	// Set rewrites what a token holds: Sealed, Key and Misses. The rest stays as it is stored. ErrNotFound.
	Set(Token) error
	// List pages through all tokens by id, spent ones too.
	List(Cursor, int) ([]Token, Cursor, error)
	// Of lists the live tokens of a purpose and owner, oldest first.
	Of(Purpose, string, time.Time) ([]Token, error)
	// Delete drops a token, spent or not. One that is not there is no error.
	Delete(TokenID) error
	// DeleteAll deletes the unspent tokens of an owner, of one purpose or ("") of all. Spent rows stay, to say so.
	DeleteAll(Purpose, string) error
	// Empty takes Sealed and Key out of up to n tokens that ended unused at or before t, and says of how many.
	Empty(t time.Time, n int) (int, error)
	// Expired lists tokens that were used, or else ended, at or before t.
	Expired(t time.Time, n int) ([]TokenID, error)
}

// Queue keeps what is to be delivered (ARCHITECTURE 1.9).
type Queue interface {
	// Put adds an item. ErrExists when its key is taken.
	Put(QueueItem) error
	Get(RcptKey) (QueueItem, error)
	// Destinations lists domains after a name in order, each with its earliest Due.
	Destinations(after string, n int) ([]Destination, error)
	// Claim takes due items of one domain: Attempts+1, Owner set, Due at the end of the lease.
	Claim(Claim) ([]QueueItem, error)
	// Extend moves the end of a lease. ErrConflict unless owner holds it.
	Extend(k RcptKey, owner Owner, until time.Time) error
	// Retry gives a claimed item back with all its fields, Owner cleared. ErrConflict unless item.Owner holds it.
	Retry(QueueItem) error
	// Finish deletes a claimed item. ErrConflict unless owner holds it.
	Finish(k RcptKey, owner Owner) error
	// Remove deletes an item whoever holds it; ErrNotFound when there is none.
	Remove(RcptKey) error
	// Recover takes the items of every other owner back, makes them due at t and says how many.
	Recover(owner Owner, t time.Time) (int, error)
	// KeyIDs lists the queue keys that items name.
	KeyIDs() ([]KeyID, error)
	// ByKey lists unclaimed items sealed under a key, for sealing anew.
	ByKey(KeyID, int) ([]QueueItem, error)
	// Replace rewrites an unclaimed item in place; ErrConflict when it was claimed meanwhile. What was read before the
	// transaction is to be compared with Get first: an item may have been claimed and given back.
	Replace(QueueItem) error
	// List pages through items of a domain by Due; an empty domain lists all by domain.
	List(domain string, c Cursor, n int) ([]QueueItem, Cursor, error)
	Count() (int64, error)
	// Oldest is the Arrived of the oldest item; ErrNotFound when the queue is empty.
	Oldest() (time.Time, error)
}

// Audit keeps events.
type Audit interface {
	Add(Event) error
	// OfMessage pages through the story of a message, oldest first.
	OfMessage(MessageID, Cursor, int) ([]Event, Cursor, error)
	// OfAccount pages through the events of an account, newest first.
	OfAccount(AccountID, Cursor, int) ([]Event, Cursor, error)
	// List pages through events, newest first. A page may be short of n, even empty, while a cursor says that there is
	// more: a filter that matches little is searched in portions.
	List(EventFilter, Cursor, int) ([]Event, Cursor, error)
	// Tally counts what happened from a time on and before another, by the hour; oldest first. Beside events it counts
	// TallySealed and TallySealedFailed.
	Tally(from, to time.Time) ([]Tally, error)
}

// Settings keeps small named values: sealed random keys, check values of server keys.
type Settings interface {
	// Get answers ErrNotFound for a name that was never set.
	Get(name string) ([]byte, error)
	Set(name string, value []byte) error
	// Delete drops a name. One that was never set is no error.
	Delete(name string) error
	// Names lists names with a prefix.
	Names(prefix string) ([]string, error)
}

// Blobs keeps large sealed bodies outside the engine.
type Blobs interface {
	Create(ctx context.Context) (BlobWriter, error)
	Open(ctx context.Context, id BlobID) (Blob, error)
	// Delete removes a blob. One that is not there is no error: a sweep that was cut off begins again.
	Delete(ctx context.Context, id BlobID) error
	// List pages through blobs by id with the time of their folder entry.
	List(ctx context.Context, after BlobID, n int) ([]BlobInfo, error)
}

// BlobWriter is a blob being written.
type BlobWriter interface {
	io.Writer
	// Commit makes the blob durable (file and folder synced) and names it.
	Commit() (BlobID, error)
	// Abort drops it; after Commit it does nothing.
	Abort()
}

// Blob is an open blob.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// BlobInfo is one entry of Blobs.List.
type BlobInfo struct {
	ID   BlobID
	Time time.Time
}
