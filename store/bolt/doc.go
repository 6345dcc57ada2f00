// Package bolt is the embedded storage engine: one bbolt file in the data folder, used by one process.
//
// Flow: View runs a function on a snapshot. Update queues its function; the committer, one goroutine, lets all
// functions that wait run one after the other in one transaction and commits once for all of them (commit.go). There
// is no timer: what arrives while a commit is synced forms the next one.
//
// Layout (file.go lists the buckets): a value is one octet of version, then JSON. Every index entry of a record is
// computed from the record alone (the functions named …Entries), and writing a record applies the difference between
// the entries of the old and the new one. So no index can be forgotten by a caller, and a test recomputes them all.
// Lists walk indexes from a cursor; nothing scans on a hot path.
//
// Duty: nil from Update means durable (I2). After a failed commit the engine reads the number of the last commit back:
// if the failed one is not there, nothing was written; if it is there, or cannot be told, the answer is ErrUncertain
// and the engine refuses to write until it is opened anew, because bbolt would carry the doubtful pages into the next
// commit. A value that does not read back is store.ErrCorrupt, named by its key and never by its content; in a list it
// is logged and passed over.
//
// Secrets are sealed before they get here. bbolt keeps deleted values in free pages, which is why queue items are
// sealed under keys of their own that are destroyed (KEYS K4).
package bolt
