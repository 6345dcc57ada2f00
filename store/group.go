package store

import "time"

type groupKind struct{}

// GroupID names a group.
type GroupID = ID[groupKind]

// Group is a list of people who are enabled for secure mail together (B2).
type Group struct {
	ID      GroupID   `json:"-"`
	Version uint64    `json:"v"`
	Name    string    `json:"name"` // unique, without regard to case
	Created time.Time `json:"created"`
	By      string    `json:"by,omitempty"` // who made it
	// Enabled is when the group was enabled; zero: its people are listed and nothing more.
	Enabled   time.Time `json:"enabled,omitzero"`
	EnabledBy string    `json:"enabled_by,omitempty"`
}

// GroupPerson is one person of a group.
type GroupPerson struct {
	Group   GroupID   `json:"-"`
	Address Address   `json:"addr"`
	Name    string    `json:"name,omitempty"`
	Class   Class     `json:"class"`
	Added   time.Time `json:"added"`
	// Outcome is what became of the invitation, in the words of package account; empty: none yet.
	Outcome string    `json:"outcome,omitempty"`
	Unsent  bool      `json:"unsent,omitempty"` // there is an outcome, and no mail went out
	Done    time.Time `json:"done,omitzero"`    // when there was an outcome
}

// GroupCount counts the people of a group by what became of their invitations.
type GroupCount struct {
	Waiting int64 // without an outcome
	Sent    int64
	Unsent  int64
}
