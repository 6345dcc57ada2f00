package mail

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var tagWords = []string{"secure", "encrypt", "secure mail", "sicher"}

// TestTags is the table testdata/tags.txt.
func TestTags(t *testing.T) {
	t.Parallel()
	const path = "testdata/tags.txt"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, `"`):
			subject, err := strconv.Unquote(strings.TrimSpace(line))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			out.WriteString(line)
			out.WriteString(describeTags(subject))
		case !strings.HasPrefix(line, "    "):
			out.WriteString(line)
		}
	}
	golden(t, path, out.String())
}

func describeTags(subject string) string {
	var out strings.Builder
	found := false
	h := ParseHeader([]byte("Subject: " + subject + "\r\n\r\n"))
	for _, reading := range h.SubjectReadings() {
		for _, tag := range FindTags(reading, tagWords, true) {
			found = true
			near := ""
			if tag.Near {
				near = " near"
			}
			fmt.Fprintf(&out, "    %q%s %q = %q\n", tag.Word, near, tag.Options, reading[tag.Start:tag.End])
		}
		if found {
			break
		}
	}
	if !found {
		out.WriteString("    none\n")
	}
	fmt.Fprintf(&out, "    shown %q\n", CutTag(Decode(subject), tagWords))
	return out.String()
}

func TestNearMissOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	if tags := FindTags("[secrue] x", tagWords, false); len(tags) != 0 {
		t.Errorf("found %v", tags)
	}
	if tags := FindTags("[secure] x", nil, true); len(tags) != 0 {
		t.Errorf("without words found %v", tags)
	}
}

// TestEveryEditIsNear tries all single edits of a word with a foreign letter.
func TestEveryEditIsNear(t *testing.T) {
	t.Parallel()
	const w = "encrypt"
	var edited []string
	for i := range len(w) + 1 {
		edited = append(edited, w[:i]+"x"+w[i:])
		if i < len(w) {
			edited = append(edited, w[:i]+"x"+w[i+1:], w[:i]+w[i+1:])
		}
		if i+1 < len(w) {
			edited = append(edited, w[:i]+w[i+1:i+2]+w[i:i+1]+w[i+2:])
		}
	}
	for _, e := range edited {
		tags := FindTags("Re: ["+e+"] x", []string{w}, true)
		if len(tags) != 1 || !tags[0].Near || tags[0].Word != w {
			t.Errorf("[%s]: %v", e, tags)
		}
	}
}

// TestSubjectFields: every Subject field counts, however it is written (MAIL 3.3).
func TestSubjectFields(t *testing.T) {
	t.Parallel()
	h := header("Subject: one", "SUBJECT : two", "X-Subject: three", "subject:", "Subject: =?utf-8?q?f=C3=BCnf?=")
	if want := []string{"one", "two", "", "fünf"}; !slices.Equal(h.Subjects(), want) {
		t.Errorf("got %q", h.Subjects())
	}
}
