// Package house holds the project's house rules as tests: which package may import which, how long functions and files
// may be, that every package says what it is for. A rule that a test holds needs no reviewer.
package house
