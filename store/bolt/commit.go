package bolt

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"

	bbolt "go.etcd.io/bbolt"

	"postern/store"
)

// committer groups Updates into commits. One goroutine owns the write transaction. It gives each waiting function its
// turn in the goroutine of its caller, so that a panic, or a test that ends itself, stays with who caused it.
type committer struct {
	db    *bbolt.DB
	store *Store
	last  uint64        // number of the last commit; the goroutine's own
	ended chan struct{} // closed when the goroutine is gone

	mu      sync.Mutex
	arrived sync.Cond
	waiting []*job
	closing bool
	latched error // ErrUncertain once a commit is in doubt
	stuck   bool  // bbolt panicked while it committed and holds its locks
	failed  bool  // the last commit failed
}

// maxBatch bounds how many functions share a commit.
const maxBatch = 1000

// job is one Update.
type job struct {
	turn chan *tx     // gives the function its turn; closed when err is final
	ran  chan outcome // answers each turn
	err  error
	own  error // what the function answered in its last turn
	gone bool  // its goroutine panicked or ended: it takes no more turns
}

// outcome is how a turn ended.
type outcome struct {
	err  error
	gone bool
}

func startCommitter(db *bbolt.DB, last uint64, s *Store) *committer {
	c := &committer{db: db, store: s, last: last, ended: make(chan struct{})}
	c.arrived.L = &c.mu
	go c.loop()
	return c
}

// do queues a function, runs it at each of its turns and answers once it is durable or has failed.
func (c *committer) do(f func(store.Tx) error) error {
	j := &job{turn: make(chan *tx), ran: make(chan outcome)}
	if err := c.add(j); err != nil {
		return err
	}
	for t := range j.turn {
		j.run(t, f)
	}
	return j.err
}

// run takes one turn. The outcome is sent whichever way f ends.
func (j *job) run(t *tx, f func(store.Tx) error) {
	out := outcome{gone: true}
	defer func() {
		t.done = true
		j.ran <- out
	}()
	out.err = f(t)
	out.gone = false
}

func (c *committer) add(j *job) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
		return store.ErrClosed
	case c.latched != nil:
		return c.latched
	}
	c.waiting = append(c.waiting, j)
	c.arrived.Signal()
	return nil
}

func (c *committer) loop() {
	defer close(c.ended)
	for batch := c.take(); batch != nil; batch = c.take() {
		c.commit(batch)
		// Those who were just answered come back with their next Update: let them join the next commit.
		runtime.Gosched()
	}
}

// take waits for work; nil: the engine closes and all work is done.
func (c *committer) take() []*job {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) == 0 && !c.closing {
		c.arrived.Wait()
	}
	n := min(len(c.waiting), maxBatch)
	if n == 0 {
		return nil
	}
	batch := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	return batch
}

// commit answers every job of a batch. A function that failed after it had written spoils the transaction: the others
// begin again without it, and it runs again alone, because it may have seen what the others had not yet committed.
func (c *committer) commit(batch []*job) {
	var alone []*job
	for len(batch) > 0 {
		spoilt := c.attempt(batch)
		if spoilt < 0 {
			break
		}
		if spoilt == 0 { // it saw nothing but what is committed
			batch[0].answer(batch[0].own)
		} else {
			alone = append(alone, batch[spoilt])
		}
		batch = present(append(batch[:spoilt:spoilt], batch[spoilt+1:]...))
	}
	for _, j := range present(alone) {
		if c.attempt([]*job{j}) == 0 {
			j.answer(j.own)
		}
	}
}

// present leaves out jobs whose goroutine is gone.
func present(jobs []*job) (left []*job) {
	for _, j := range jobs {
		if !j.gone {
			left = append(left, j)
		}
	}
	return left
}

// attempt runs a batch in one transaction and answers its jobs, or says which of them spoilt it.
func (c *committer) attempt(batch []*job) (spoilt int) {
	if err := c.blocked(); err != nil {
		answerAll(batch, err)
		return -1
	}
	b, err := c.db.Begin(true)
	if err != nil {
		answerAll(batch, closed(err))
		return -1
	}
	t := newTx(c.store, b)
	for i, j := range batch {
		if !j.take(t.fork()) {
			b.Rollback()
			return i
		}
	}
	if !t.written.any {
		b.Rollback()
		answerOwn(batch)
		return -1
	}
	if err := c.finish(t); err != nil {
		answerAll(batch, err)
		return -1
	}
	c.store.wake.tell(t.written.due)
	answerOwn(batch)
	return -1
}

// take gives a job its turn and reports whether the transaction is still good.
func (j *job) take(t *tx) bool {
	j.turn <- t
	out := <-j.ran
	if out.err == nil {
		out.err = t.broken
	}
	j.own, j.gone = out.err, out.gone
	t.written.any = t.written.any || t.dirty
	return !t.dirty || out.err == nil && !out.gone
}

func (j *job) answer(err error) {
	if j.gone {
		return
	}
	j.err = err
	close(j.turn)
}

func answerAll(batch []*job, err error) {
	for _, j := range batch {
		j.answer(err)
	}
}

func answerOwn(batch []*job) {
	for _, j := range batch {
		j.answer(j.own)
	}
}

// finish numbers and commits a transaction.
func (c *committer) finish(t *tx) error {
	n := c.last + 1
	err := t.bucket(metaB).Put(keyCommit, be64(n))
	if err != nil {
		t.b.Rollback()
		return fmt.Errorf("commit: %w", err)
	}
	if err, c.stuck = commitTx(t.b); err != nil {
		return c.judge(n, err)
	}
	c.last = n
	c.mu.Lock()
	c.failed = false
	c.mu.Unlock()
	return nil
}

// commitTx commits. A panic of bbolt (a page that contradicts itself) leaves its locks held.
func commitTx(b *bbolt.Tx) (err error, stuck bool) {
	defer func() {
		if p := recover(); p != nil {
			err, stuck = fmt.Errorf("panic: %v", p), true
		}
	}()
	return b.Commit(), false
}

// judge finds out what a commit that failed left behind. With an error from the second sync it is in the file and would
// go out with the next commit; then nobody may write until the file is opened anew.
func (c *committer) judge(n uint64, cause error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = true
	if !c.stuck {
		if found, err := c.readBack(); err == nil && found < n {
			return fmt.Errorf("commit: %w", full(cause))
		}
	}
	c.latched = fmt.Errorf("%w: %w", store.ErrUncertain, cause)
	c.store.log.Error("commit in doubt: writing stops until restart", "err", cause)
	return c.latched
}

func (c *committer) readBack() (n uint64, err error) {
	err = c.db.View(func(b *bbolt.Tx) error {
		n = number(b.Bucket([]byte(buckets[metaB])).Get(keyCommit))
		return nil
	})
	return n, err
}

func (c *committer) blocked() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latched
}

// doubtful reports whether there is a reason to ask whether commits work.
func (c *committer) doubtful() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed || c.closing || c.latched != nil
}

// close answers what is queued and ends the goroutine. The error says that the file cannot be closed any more.
func (c *committer) close() error {
	c.mu.Lock()
	again := c.closing
	c.closing = true
	c.arrived.Broadcast()
	c.mu.Unlock()
	<-c.ended
	if again {
		return store.ErrClosed
	}
	if c.stuck {
		return errors.New("close data file: it is damaged and stays open until the process ends")
	}
	return nil
}

// full marks what means "no room". bbolt flattens some errors to text.
func full(err error) error {
	none := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		err != nil && strings.Contains(err.Error(), syscall.ENOSPC.Error())
	if none {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}
