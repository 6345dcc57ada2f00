package web

import (
	"net/http"
	"strconv"
	"time"
)

// Failure is how an error appears to a visitor.
type Failure struct {
	Status int
	Kind   string        // which of the texts of error.html
	Wait   time.Duration // after which to come back; 0: nothing is said of it
}

// crowdedWait is what somebody is told to wait who came when too many connections were open.
const crowdedWait = 10 * time.Second

// FailureOf is the failure of a status that the middleware or the table of routes answers. kinds are the texts that a
// site has for statuses.
func FailureOf(status int, kinds map[int]string) Failure {
	f := Failure{Status: status, Kind: kinds[status]}
	switch f.Kind {
	case "":
		f.Kind = "fault"
	case "crowded":
		f.Wait = crowdedWait
	}
	return f
}

// Announce sets Retry-After where there is something to wait for, and answers the seconds for the page.
func (f Failure) Announce(w http.ResponseWriter) (seconds int) {
	seconds = int((f.Wait + time.Second - 1) / time.Second)
	if seconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	return seconds
}
