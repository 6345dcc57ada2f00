// Package control lets the command line reach a running server: HTTP with JSON over a UNIX socket inside the data
// folder, or, when no server runs, the same methods in the command's own process.
//
// Flow: Methods names every admin method once. Serve answers them on the socket; Dial finds the socket; both a Client
// and Methods itself are a Caller, so that a command does not know which one it speaks to. Access is the socket's file
// mode: whoever may open it is the operator.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Caller calls an admin method by name.
type Caller interface {
	// Call sends in and fills out; both are plain structs. out may be nil.
	Call(ctx context.Context, method string, in, out any) error
}

// Handler answers one method.
type Handler func(ctx context.Context, in json.RawMessage) (any, error)

// Methods are the handlers by name. As a Caller they run in this process.
type Methods map[string]Handler

// Names lists the methods.
func (m Methods) Names() []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Call implements Caller.
func (m Methods) Call(ctx context.Context, method string, in, out any) error {
	h, ok := m[method]
	if !ok {
		return fmt.Errorf("there is no method %s", method)
	}
	data, err := json.Marshal(in)
	if err != nil {
		return err
	}
	result, err := h(ctx, data)
	if err != nil || out == nil {
		return err
	}
	data, err = json.Marshal(result)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, out)
}

// Handle makes a Handler of a function with typed input and result.
func Handle[In, Out any](f func(context.Context, In) (Out, error)) Handler {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		return f(ctx, in)
	}
}

// Do makes a Handler of a function without a result.
func Do[In any](f func(context.Context, In) error) Handler {
	return Handle(func(ctx context.Context, in In) (struct{}, error) { return struct{}{}, f(ctx, in) })
}

// ErrNoServer: no server listens on the socket.
var ErrNoServer = errors.New("no server is running on this data folder")
