package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	bbolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"postern/store"
)

// bucket is a bucket's place in buckets.
type bucket int

// The buckets. In their keys M is a MessageID, R is M and a number of 4 octets, ^M is M with its octets inverted (the
// newest sorts first: ids begin with their time), ^R is ^M and the number, A is an address key and a zero octet, ms is
// 8 octets of Unix time in milliseconds. Numbers are big-endian.
const (
	metaB         bucket = iota // "version", "commit" -> 8 octets
	messagesB                   // M -> message
	bodiesB                     // M -> inline body
	recipientsB                 // R -> recipient
	linkB                       // LinkID -> R
	inboxB                      // AccountID ^R
	sentB                       // AccountID ^M
	replyB                      // R ^M: the share that is answered, the reply
	unclaimedB                  // A R
	expiryB                     // ms R
	senderB                     // A ^R
	rcptB                       // A ^R
	stateB                      // state 0 ^R
	ruleB                       // 'r' rule 0 ^R, 'a' action 0 ^R
	msgidB                      // ThreadID ^M
	refusedB                    // M, of messages that were refused as a whole
	blobsB                      // BlobID -> M
	releasedB                   // BlobID
	threadsB                    // ThreadID -> M ms
	threadEndB                  // ms ThreadID
	settingsB                   // name -> value
	countersB                   // name -> 8 octets
	accountsB                   // AccountID -> account
	addressB                    // address key -> AccountID and 'p' (its address) or 'a' (an alias)
	peopleB                     // group 0 A -> AccountID; groupsOf lists the groups of an account
	wordB                       // group 0 word 0 A -> AccountID
	recentB                     // group 0 ^ms of the last sign-in, AccountID
	adminsB                     // AccountID -> administrator
	adminAddressB               // address key -> AccountID of an administrator
	groupsB                     // GroupID -> group
	groupNameB                  // name in small letters -> GroupID
	groupPersonB                // GroupID address key -> person
	groupWaitB                  // GroupID address key: people without an outcome
	sessionsB                   // SessionID -> session
	sessionOfB                  // AccountID SessionID
	visitsB                     // A SessionID: sessions without account
	sessionEndB                 // ms SessionID
	tokensB                     // TokenID -> token
	tokenOfB                    // purpose 0 owner 0 ms TokenID: unspent ones
	tokenEndB                   // ms TokenID
	tokenHoldB                  // ms TokenID: when those end that are unspent and hold something sealed
	queueB                      // R -> item
	dueB                        // domain 0 ms R
	ownerB                      // Owner R
	queueKeyB                   // KeyID 0 R
	firstB                      // ms R
	auditB                      // EventID -> event
	auditMessageB               // M EventID
	auditAccountB               // AccountID ^EventID
	auditWhatB                  // what 0 ^EventID
	auditActorB                 // actor 0 ^EventID, of actors that are people
	tallyB                      // ms of the hour, what -> 8 octets
	bucketCount                 // how many there are
)

// buckets names them in the file.
var buckets = [bucketCount]string{
	"meta", "messages", "bodies", "recipients", "i_link", "i_inbox", "i_sent", "i_reply", "i_unclaimed", "i_expiry", "i_sender",
	"i_rcpt", "i_state", "i_rule", "i_msgid", "i_refused", "blobs", "blobs_released", "threads", "i_thread_end", "settings", "counters",
	"accounts", "i_address", "i_people", "i_word", "i_recent", "admins", "i_admin", "groups", "i_group", "group_people", "i_waiting", "sessions", "i_session_of", "i_visits", "i_session_end", "tokens", "i_token_of",
	"i_token_end", "i_token_hold", "queue", "q_due", "q_owner", "q_key", "q_first", "audit", "a_message", "a_account", "a_what", "a_actor", "tally",
}

// growing holds the buckets whose keys come in order: their pages are packed, not left half empty for what comes
// between.
var growing = map[bucket]bool{messagesB: true, recipientsB: true, bodiesB: true, auditB: true, auditMessageB: true}

const (
	fileName = "postern.db"
	// format is the version of the data layout that this program writes and reads.
	format = 1
	// lockWait is how long an earlier process may take to let go of the file.
	lockWait = 500 * time.Millisecond
	// mapSize is reserved of the address space, not of memory: as long as the file is smaller, it grows without
	// waiting for readers.
	mapSize = 1 << 30
)

var (
	keyVersion = []byte("version")
	keyCommit  = []byte("commit")
)

// InUseError: another process has the data folder open.
type InUseError struct{ Dir string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("data folder %s is used by another running Postern", e.Dir)
}

// FormatError: the data folder was written by a newer Postern.
type FormatError struct {
	Dir          string
	Found, Known uint64
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("data folder %s has format %d, this Postern reads up to %d: use the newer version that wrote it",
		e.Dir, e.Found, e.Known)
}

// openFile opens, locks and, when it is new, lays out the file, and answers the number of its last commit.
func openFile(dir string) (*bbolt.DB, uint64, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, fmt.Errorf("make data folder: %w", full(err))
	}
	db, err := bbolt.Open(filepath.Join(dir, fileName), 0o600, options())
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, 0, &InUseError{Dir: dir}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open %s: %w", filepath.Join(dir, fileName), full(err))
	}
	last, err := layout(db, dir)
	if err != nil {
		db.Close()
		return nil, 0, err
	}
	return db, last, nil
}

func options() *bbolt.Options {
	o := &bbolt.Options{
		Timeout:        lockWait,
		FreelistType:   bbolt.FreelistMapType,
		NoFreelistSync: true,
		NoStatistics:   true,
	}
	if strconv.IntSize == 64 {
		o.InitialMmapSize = mapSize
	}
	return o
}

// layout reads format and commit number; a new file gets its buckets, and its folder entry is made durable.
func layout(db *bbolt.DB, dir string) (last uint64, err error) {
	fresh := false
	err = db.View(func(b *bbolt.Tx) error {
		meta := b.Bucket([]byte(buckets[metaB]))
		if fresh = meta == nil; fresh {
			return nil
		}
		if v := number(meta.Get(keyVersion)); v != format {
			return &FormatError{Dir: dir, Found: v, Known: format}
		}
		last = number(meta.Get(keyCommit))
		return complete(b)
	})
	if err != nil || !fresh {
		return last, err
	}
	if err := db.Update(create); err != nil {
		return 0, fmt.Errorf("lay out data file: %w", full(err))
	}
	for _, d := range []string{filepath.Dir(filepath.Clean(dir)), dir} {
		if err := syncFolder(d); err != nil {
			return 0, fmt.Errorf("sync data folder: %w", full(err))
		}
	}
	return 0, nil
}

// complete checks that no bucket is missing: a list that is not there must not look like an empty one.
func complete(b *bbolt.Tx) error {
	for _, name := range buckets {
		if b.Bucket([]byte(name)) == nil {
			return fmt.Errorf("data file lacks the list %s: either it is damaged, or a Postern from before the first release made it, whose data cannot be taken over: start with an empty data folder: %w", name, store.ErrCorrupt)
		}
	}
	return nil
}

func create(b *bbolt.Tx) error {
	for _, name := range buckets {
		if _, err := b.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	return b.Bucket([]byte(buckets[metaB])).Put(keyVersion, binary.BigEndian.AppendUint64(nil, format))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

// number reads 8 octets; anything else is 0.
func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// corrupt names a value that does not read back.
func corrupt(what string, key fmt.Stringer) error {
	return fmt.Errorf("%s %s: %w", what, key, store.ErrCorrupt)
}
