package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/store"
)

var stamp = time.Date(2021, 3, 1, 12, 0, 0, 0, time.UTC)

// faultyDisk is the real one, which notes its calls and fails those that fault names: "sync file", "rename".
type faultyDisk struct {
	osDisk
	mu    sync.Mutex
	fault string
	err   error
	calls []string
}

func (d *faultyDisk) step(name, path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, name+" "+filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path))
	if d.fault == name {
		return &os.PathError{Op: name, Path: path, Err: d.err}
	}
	return nil
}

func (d *faultyDisk) Create(path string) (file, error) {
	if err := d.step("create", path); err != nil {
		return nil, err
	}
	f, err := d.osDisk.Create(path)
	return faultyFile{f, d, path}, err
}

func (d *faultyDisk) Open(path string) (*os.File, error) {
	if err := d.step("open", path); err != nil {
		return nil, err
	}
	return d.osDisk.Open(path)
}

func (d *faultyDisk) Mkdir(path string) error {
	return cmpErr(d.step("mkdir", path), func() error { return d.osDisk.Mkdir(path) })
}

func (d *faultyDisk) Rename(from, to string) error {
	return cmpErr(d.step("rename", to), func() error { return d.osDisk.Rename(from, to) })
}

func (d *faultyDisk) Remove(path string) error {
	return cmpErr(d.step("remove", path), func() error { return d.osDisk.Remove(path) })
}

func (d *faultyDisk) Sync(path string) error {
	return cmpErr(d.step("sync", path), func() error { return d.osDisk.Sync(path) })
}

func cmpErr(err error, f func() error) error {
	if err != nil {
		return err
	}
	return f()
}

type faultyFile struct {
	file
	disk *faultyDisk
	path string
}

func (f faultyFile) Write(p []byte) (int, error) {
	if err := f.disk.step("write", f.path); err != nil {
		return 0, err
	}
	return f.file.Write(p)
}

func (f faultyFile) Sync() error {
	return cmpErr(f.disk.step("sync file", f.path), f.file.Sync)
}

func (f faultyFile) Stamp(t time.Time) error {
	return cmpErr(f.disk.step("stamp", f.path), func() error { return f.file.Stamp(t) })
}

func (f faultyFile) Close() error {
	err := f.disk.step("close", f.path)
	return errors.Join(err, f.file.Close())
}

func newFolder(t *testing.T) (*Folder, *faultyDisk, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "blobs")
	d := &faultyDisk{}
	f, err := open(Config{Dir: dir, Now: func() time.Time { return stamp }}, d)
	if err != nil {
		t.Fatal(err)
	}
	return f, d, dir
}

func write(f *Folder, content string) (store.BlobID, error) {
	w, err := f.Create(context.Background())
	if err != nil {
		return store.BlobID{}, err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, content); err != nil {
		return store.BlobID{}, err
	}
	return w.Commit()
}

// files are all regular files below a folder.
func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestI2CommitOrder: content is synced before the file gets its name, and both folders before the id is handed out.
func TestI2CommitOrder(t *testing.T) {
	t.Parallel()
	f, d, _ := newFolder(t)
	d.calls = nil
	id, err := write(f, "sealed")
	if err != nil {
		t.Fatal(err)
	}
	name := id.String()
	shard := name[:2]
	want := []string{
		"create incoming/" + name, "write incoming/" + name, "stamp incoming/" + name, "sync file incoming/" + name,
		"close incoming/" + name, "mkdir blobs/" + shard, "sync " + filepath.Base(filepath.Dir(f.dir)) + "/blobs",
		"rename " + shard + "/" + name, "sync blobs/" + shard, "sync blobs/incoming",
	}
	if got := fmt.Sprint(d.calls); got != fmt.Sprint(want) {
		t.Errorf("steps\n got %s\nwant %s", got, want)
	}
}

func TestEveryStepMayFail(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"create", "write", "stamp", "sync file", "close", "mkdir", "rename", "sync"} {
		for _, cause := range []struct{ err, want error }{
			{syscall.ENOSPC, store.ErrFull}, {syscall.EDQUOT, store.ErrFull}, {syscall.EIO, syscall.EIO},
		} {
			t.Run(step+"/"+cause.err.Error(), func(t *testing.T) {
				t.Parallel()
				f, d, dir := newFolder(t)
				d.fault, d.err = step, cause.err
				id, err := write(f, "sealed")
				if !errors.Is(err, cause.want) || errors.Is(err, store.ErrFull) != (cause.want == store.ErrFull) {
					t.Fatalf("answer %v, want %v", err, cause.want)
				}
				if !id.IsZero() {
					t.Errorf("a blob that failed was named %s", id)
				}
				if left := files(t, dir); len(left) != 0 {
					t.Errorf("left behind: %v", left)
				}
				d.fault = ""
				if _, err := write(f, "sealed"); err != nil {
					t.Errorf("the next blob: %v", err)
				}
			})
		}
	}
}

// TestSyncThatFailsAfterTheRename leaves an orphan and names nothing.
func TestSyncThatFailsAfterTheRename(t *testing.T) {
	t.Parallel()
	f, d, dir := newFolder(t)
	for n := range 40 { // until a folder is used again: then the first sync comes after the rename
		if _, err := write(f, fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	before := len(files(t, dir))
	f.mu.Lock()
	for a := range 32 {
		for b := range 32 {
			const digits = "0123456789abcdefghjkmnpqrstvwxyz"
			shard := filepath.Join(dir, string(digits[a])+string(digits[b]))
			if err := os.MkdirAll(shard, 0o700); err != nil {
				t.Fatal(err)
			}
			f.shards[shard] = true
		}
	}
	f.mu.Unlock()
	d.fault, d.err = "sync", syscall.EIO
	id, err := write(f, "sealed")
	if !errors.Is(err, syscall.EIO) || !id.IsZero() {
		t.Fatalf("answer %s, %v", id, err)
	}
	if got := len(files(t, dir)); got != before+1 {
		t.Errorf("%d files, want one orphan beside %d", got, before)
	}
}

func TestWriteErrorsStick(t *testing.T) {
	t.Parallel()
	f, d, _ := newFolder(t)
	w, err := f.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.fault, d.err = "write", syscall.ENOSPC
	if _, err := w.Write([]byte("lost")); !errors.Is(err, store.ErrFull) {
		t.Fatalf("write: %v", err)
	}
	d.fault = ""
	if _, err := w.Write([]byte("behind a hole")); !errors.Is(err, store.ErrFull) {
		t.Errorf("write after a failed one: %v", err)
	}
	if id, err := w.Commit(); !errors.Is(err, store.ErrFull) {
		t.Errorf("a blob with a hole was committed as %s, %v", id, err)
	}
}

func TestStartEmptiesIncoming(t *testing.T) {
	t.Parallel()
	f, d, dir := newFolder(t)
	done, err := write(f, "whole")
	if err != nil {
		t.Fatal(err)
	}
	w, err := f.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); len(got) != 2 {
		t.Fatalf("files %v", got)
	}
	if _, err := open(Config{Dir: dir}, d); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); len(got) != 1 || filepath.Base(got[0]) != done.String() {
		t.Errorf("files after the start: %v", got)
	}
	if _, err := w.Commit(); err == nil {
		t.Error("a blob that was removed was committed")
	}
	d.fault, d.err = "remove", syscall.EIO
	if err := os.WriteFile(filepath.Join(dir, incoming, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(Config{Dir: dir}, d); !errors.Is(err, syscall.EIO) {
		t.Errorf("start with a file that stays: %v", err)
	}
	if _, err := Open(Config{}); err == nil {
		t.Error("opened without a path")
	}
}

func TestBlobsAreForTheOwnerOnly(t *testing.T) {
	t.Parallel()
	f, _, dir := newFolder(t)
	id, err := write(f, "sealed")
	if err != nil {
		t.Fatal(err)
	}
	path, _ := f.path(id)
	for p, want := range map[string]os.FileMode{
		path: 0o600, filepath.Dir(path): 0o700, dir: 0o700, filepath.Join(dir, incoming): 0o700,
	} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
}

// TestListTellsTheTimeOfCommit and passes over what is not ours.
func TestListTellsTheTimeOfCommit(t *testing.T) {
	t.Parallel()
	f, _, dir := newFolder(t)
	id, err := write(f, "sealed")
	if err != nil {
		t.Fatal(err)
	}
	path, _ := f.path(id)
	shard := filepath.Dir(path)
	other := store.BlobID{0xff, 1}.String() // belongs elsewhere
	odd := strings.Repeat("0", 25) + "1"    // a second spelling of an id: the last bit does not count
	for _, p := range []string{
		filepath.Join(shard, "note.txt"), filepath.Join(shard, strings.ToUpper(id.String())), filepath.Join(dir, "lost+found"),
		filepath.Join(shard, other), filepath.Join(dir, incoming, id.String()), filepath.Join(shard, "x"),
	} {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "00"), 0o700), os.WriteFile(filepath.Join(dir, "00", odd), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	infos, err := f.List(t.Context(), store.BlobID{}, 100)
	if err != nil || len(infos) != 1 || infos[0].ID != id || !infos[0].Time.Equal(stamp) {
		t.Errorf("listed %+v, %v", infos, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.List(cancelled, store.BlobID{}, 100); !errors.Is(err, context.Canceled) {
		t.Errorf("list with a cancelled context: %v", err)
	}
}

func TestOpenServesRegularFilesOnly(t *testing.T) {
	t.Parallel()
	f, d, dir := newFolder(t)
	secret := filepath.Join(dir, "..", "server.key")
	if err := os.WriteFile(secret, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for n, plant := range []func(path string) error{
		func(path string) error { return os.Symlink(secret, path) },
		func(path string) error { return os.Mkdir(path, 0o700) },
		func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		id := store.BlobID{byte(n + 1)}
		path, _ := f.path(id)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), plant(path)); err != nil {
			t.Fatal(err)
		}
		if b, err := f.Open(t.Context(), id); err == nil {
			t.Errorf("case %d was opened with %d octets", n, b.Size())
			b.Close()
		}
	}
	id, err := write(f, "sealed")
	if err != nil {
		t.Fatal(err)
	}
	d.fault, d.err = "open", syscall.EIO
	if _, err := f.Open(t.Context(), id); !errors.Is(err, syscall.EIO) || errors.Is(err, store.ErrNotFound) {
		t.Errorf("open with a bad disk: %v", err)
	}
	d.fault = "remove"
	if err := f.Delete(t.Context(), id); !errors.Is(err, syscall.EIO) {
		t.Errorf("delete with a bad disk: %v", err)
	}
	if err := f.Delete(t.Context(), store.BlobID{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("delete without id: %v", err)
	}
}

func TestManyBlobsAtOnce(t *testing.T) {
	t.Parallel()
	f, _, _ := newFolder(t)
	var wg sync.WaitGroup
	for n := range 60 {
		wg.Go(func() {
			content := strings.Repeat(fmt.Sprint(n), 3000)
			id, err := write(f, content)
			if err != nil {
				t.Error(err)
				return
			}
			b, err := f.Open(context.Background(), id)
			if err != nil {
				t.Error(err)
				return
			}
			defer b.Close()
			got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
			if err != nil || !bytes.Equal(got, []byte(content)) {
				t.Errorf("blob %d: %d octets, %v", n, len(got), err)
			}
		})
	}
	wg.Wait()
}
