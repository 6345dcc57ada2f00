package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// maxSocketPath is what fits into a sockaddr_un, less its closing NUL.
const maxSocketPath = 107

// maxBody bounds a request: a list of people to be invited has up to 16 MiB, in base64.
const maxBody = 24 << 20

// pointerName is the file in a data folder that names a socket elsewhere.
const pointerName = "control.path"

// Listen opens the socket of a data folder. The folder's store must be locked by this process, so a socket that is
// already there is a dead one. When the path is too long for a socket, it lies in a folder of its own whose path is
// written to control.path; the folder goes when the listener is closed, or with the next start.
func Listen(dataDir string) (net.Listener, error) {
	path, err := newSocketPath(dataDir)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l, err := listenAlone(path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if dir := filepath.Dir(path); dir != filepath.Clean(dataDir) {
		return &apart{l, dir, filepath.Join(dataDir, pointerName)}, nil
	}
	return l, nil
}

// apart is a listener whose socket has a folder of its own.
type apart struct {
	net.Listener
	dir     string
	pointer string // the file that names the socket
}

// Close removes the folder with the socket, and what names it.
func (a *apart) Close() error {
	err := errors.Join(a.Listener.Close(), removed(a.pointer))
	removeFolder(a.dir)
	return err
}

// removed removes a file that may not be there.
func removed(path string) error {
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// removeFolder leaves a folder that holds anything. What cannot be removed is a few octets in a folder for such things.
func removeFolder(dir string) { _ = os.Remove(dir) }

// tidy removes the socket of a server that was killed, with its folder. Somebody who still listens keeps it: a copy of the
// data folder names the socket of the server that it was copied from.
func tidy(dead string) {
	conn, err := net.Dial("unix", dead)
	if err == nil {
		conn.Close()
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
		_ = os.Remove(dead)
		removeFolder(filepath.Dir(dead))
	}
}

// listenAlone makes a socket that nobody but this user can open, from the moment when it is there: whoever connected
// before a later change of its mode would stay connected. The mask holds for the whole process, but only for so long
// and only to narrow what is made meanwhile.
func listenAlone(path string) (net.Listener, error) {
	defer syscall.Umask(syscall.Umask(0o077))
	return net.Listen("unix", path)
}

func newSocketPath(dataDir string) (string, error) {
	path := filepath.Join(dataDir, "control.sock")
	pointer := filepath.Join(dataDir, pointerName)
	if dead := findSocket(dataDir); dead != path {
		tidy(dead)
	}
	if len(path) <= maxSocketPath {
		return path, removed(pointer)
	}
	dir, err := os.MkdirTemp("", "postern-control-") // 0700
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "control.sock")
	return path, os.WriteFile(pointer, []byte(path+"\n"), 0o600)
}

func findSocket(dataDir string) string {
	if text, err := os.ReadFile(filepath.Join(dataDir, pointerName)); err == nil {
		return strings.TrimSpace(string(text))
	}
	return filepath.Join(dataDir, "control.sock")
}

// Serve answers methods on l until ctx ends; it closes l.
func Serve(ctx context.Context, l net.Listener, m Methods) error {
	srv := &http.Server{
		Handler:           handler(m),
		ReadHeaderTimeout: 5 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	err := srv.Serve(l)
	if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("control socket: %w", err)
}

type answer struct {
	Error  string          `json:"error,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

func handler(m Methods) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := strings.TrimPrefix(r.URL.Path, "/v1/")
		if r.Method != http.MethodPost || method == r.URL.Path {
			http.Error(w, "post to /v1/METHOD; methods: "+strings.Join(m.Names(), " "), http.StatusNotFound)
			return
		}
		in, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
			return
		}
		var a answer
		if err := m.Call(r.Context(), method, json.RawMessage(in), &a.Result); err != nil {
			a = answer{Error: err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(a) // a client that went away has nobody to tell
	})
}

// Client calls a running server.
type Client struct{ http *http.Client }

// Dial finds the server of a data folder. ErrNoServer when none answers.
func Dial(ctx context.Context, dataDir string) (*Client, error) {
	path := findSocket(dataDir)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	conn, err := dial(ctx, "", "")
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("the running server's socket: %w", err)
		}
		return nil, ErrNoServer
	}
	conn.Close()
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

// Call implements Caller.
func (c *Client) Call(ctx context.Context, method string, in, out any) error {
	data, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://postern/v1/"+method, bytes.NewReader(data))
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the running server: %w", err)
	}
	defer res.Body.Close()
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return fmt.Errorf("the running server's answer does not parse; is it of the same version? (%w)", err)
	}
	switch {
	case a.Error != "":
		return errors.New(a.Error)
	case out == nil:
		return nil
	}
	return json.Unmarshal(a.Result, out)
}
