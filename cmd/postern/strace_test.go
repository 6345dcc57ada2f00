package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/cmd/testneed"
)

// watched are the system calls by which a process can put octets into a file, or a name into a folder.
const watched = "write,pwrite64,writev,pwritev,pwritev2,sendfile,splice,tee,vmsplice,copy_file_range,mmap," +
	"open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,setxattr,fsetxattr,io_uring_setup"

// underStrace lets the gateway run with every write of it on record. The record is complete when the process has
// ended: strace holds its standard output until then.
func (tr *trial) underStrace() *record {
	tr.t.Helper()
	r := &record{path: filepath.Join(tr.t.TempDir(), "strace")}
	tr.wrap = []string{testneed.Program(tr.t, "strace"), "-D", "-f", "--seccomp-bpf", "-qq", "-y", "-xx", "-s", "16777216",
		"-e", "trace=" + watched, "-e", "signal=none", "-o", r.path}
	return r
}

// record is what strace wrote.
type record struct{ path string }

// written is one thing that the process put somewhere.
type written struct {
	call, to string // to: path of the file; of calls about names the call itself
	octets   []byte
}

// each goes through the record. What went to sockets and pipes between threads is left out; standard output is a pipe
// of ours and stays in.
func (r *record) each(t testing.TB, f func(written)) {
	t.Helper()
	file, err := os.Open(r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	br := bufio.NewReaderSize(file, 1<<20)
	for {
		line, err := br.ReadBytes('\n')
		if w, ok := parseCall(line); ok {
			f(w)
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// parseCall reads one line such as: 17 pwrite64(5</data/postern.db>, "octets", 4096, 0) = 4096.
func parseCall(line []byte) (w written, ok bool) {
	_, line, ok = bytes.Cut(line, []byte(" "))
	if !ok || bytes.HasPrefix(bytes.TrimSpace(line), []byte("<...")) { // the rest of a call whose beginning we have
		return w, false
	}
	call, args, ok := bytes.Cut(bytes.TrimSpace(line), []byte("("))
	if !ok {
		return w, false
	}
	w.call, w.octets, w.to = string(call), unescape(args), string(call)
	fd, rest, named := bytes.Cut(args, []byte("<"))
	if !named || len(bytes.Trim(fd, "0123456789")) > 0 {
		return w, true
	}
	path, _, _ := bytes.Cut(rest, []byte(">"))
	w.to = string(unescape(path))
	return w, !private(w.call, string(fd), w.to)
}

// private reports whether octets went where no file is.
func private(call, fd, to string) bool {
	switch {
	case hidden(call):
		return false
	case strings.HasPrefix(to, "pipe:"):
		return fd != "1" && fd != "2"
	}
	return strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, "anon_inode:")
}

// hidden reports whether a call moves octets that strace does not show.
func hidden(call string) bool {
	switch call {
	case "io_uring_setup", "splice", "tee", "vmsplice", "copy_file_range", "sendfile":
		return true
	}
	return false
}

// unescape turns \xHH into octets; everything else stays.
//
//go:norace
func unescape(text []byte) []byte {
	out := make([]byte, 0, len(text)/4+16)
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) && text[i+1] == 'x' {
			out = append(out, nibble(text[i+2])<<4|nibble(text[i+3]))
			i += 3
			continue
		}
		out = append(out, text[i])
	}
	return out
}

//go:norace
func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'a' + 10
}

// tally is what a search of a record went through.
type tally struct {
	octets int64
	files  map[string]int64
	found  []finding
}

// search looks for needles in everything that was written, and for ways of writing that it could not see.
func (r *record) search(t testing.TB, n *needles) tally {
	t.Helper()
	sum := tally{files: map[string]int64{}}
	told := map[string]bool{}
	r.each(t, func(w written) {
		switch {
		case w.call == "mmap":
			if bytes.Contains(w.octets, []byte("PROT_WRITE")) && bytes.Contains(w.octets, []byte("MAP_SHARED")) && !bytes.Contains(w.octets, []byte("MAP_ANONYMOUS")) {
				t.Errorf("the process maps a file for writing, which no system call shows: %s", w.octets)
			}
			return
		case hidden(w.call):
			t.Errorf("the process moves octets without showing them: %s(%.200s", w.call, w.octets)
			return
		}
		sum.octets += int64(len(w.octets))
		sum.files[w.to] += int64(len(w.octets))
		for _, found := range n.find(fmt.Sprintf("a %s to %s", w.call, w.to), w.octets) {
			if key := found.what + w.to; !told[key] {
				told[key] = true
				sum.found = append(sum.found, found)
			}
		}
	})
	return sum
}
