package admin

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"postern/pickup/account"
	"postern/store"
)

// MaxInvitees is how many people and rows a list may have, and maxList how many octets.
const (
	MaxInvitees = 50_000
	maxList     = 16 << 20
)

// BadRow is a row of a list that cannot be taken. What stands in the row is not repeated: the number leads to it.
type BadRow struct {
	Row    int    `json:"row"` // as a spreadsheet counts, from 1
	Reason string `json:"reason"`
}

// inviteeRow is a row that was read.
type inviteeRow struct {
	row int
	account.Invitee
}

// errManyRows refuses a list as a whole.
var errManyRows = fmt.Errorf("the list has more than %d rows, or addresses in them: split it", MaxInvitees)

// readInvitees reads a pasted list or a CSV file of people: one a row, "address", "Name <address>" or columns. A first row
// that names its columns (address, name, class) says where they are; otherwise the column with the address is found, and
// the first other one that is not a class is the name. Rows without a class get one. The two lists are of good and of
// bad rows; the error is about the list as a whole.
func readInvitees(r io.Reader, class store.Class) (good []inviteeRow, bad []BadRow, err error) {
	in := &inviteeReader{class: class, seen: map[store.AddressKey]int{}}
	lines := bufio.NewReader(&listLimit{r: r, left: maxList})
	for row := 1; ; row++ {
		cells, err := in.cells(lines)
		if errors.Is(err, io.EOF) {
			return in.good, in.bad, nil
		}
		if err != nil {
			return nil, nil, err
		}
		in.row = row
		in.take(cells)
		if row > MaxInvitees+1 || len(in.good)+len(in.bad) > MaxInvitees { // one row may name the columns, or many people
			return nil, nil, errManyRows
		}
		row += in.extra
		in.extra = 0
	}
}

// listLimit ends a list that is too long with an error that says so.
type listLimit struct {
	r    io.Reader
	left int64
}

func (l *listLimit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("the list is larger than %d MiB: split it", maxList>>20)
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// inviteeReader reads rows.
type inviteeReader struct {
	class   store.Class
	comma   rune           // of the list; 0: not known yet
	columns map[string]int // by the first row; nil: none
	started bool
	row     int
	extra   int // further lines of the row just read: a quoted field may have line ends
	seen    map[store.AddressKey]int
	good    []inviteeRow
	bad     []BadRow
}

// maxLine is the longest row; a longer one cannot be a person.
const maxLine = 64 << 10

// cells reads one row and splits it.
func (in *inviteeReader) cells(r *bufio.Reader) ([]string, error) {
	line, err := readRow(r)
	if err != nil {
		return nil, err
	}
	for bytes.Count(line, []byte{'"'})%2 == 1 && in.extra < 10 && len(line) < maxLine { // a quoted line end
		next, err := readRow(r)
		if err != nil {
			break
		}
		in.extra++
		line = append(append(line, ' '), next...)
	}
	text := decodeRow(line)
	if in.comma == 0 && strings.TrimSpace(text) != "" {
		in.comma = commaOf(text)
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	c := csv.NewReader(strings.NewReader(text))
	c.Comma, c.LazyQuotes, c.FieldsPerRecord, c.TrimLeadingSpace = in.comma, true, -1, true
	cells, err := c.Read()
	if err != nil {
		return []string{text}, nil
	}
	return cells, nil
}

// readRow reads a line without its end; what is over maxLine of it is passed over.
func readRow(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line) < maxLine {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)):
			return nil, err
		}
		return bytes.TrimRight(line, "\r\n"), nil
	}
}

// decodeRow is the text of a row: UTF-8, or else what Windows calls "ANSI", as spreadsheets write it.
func decodeRow(line []byte) string {
	line = bytes.TrimPrefix(line, []byte("\ufeff"))
	if !utf8.Valid(line) {
		if text, err := charmap.Windows1252.NewDecoder().Bytes(line); err == nil {
			line = text
		}
	}
	return strings.ReplaceAll(string(line), "\x00", "")
}

// commaOf guesses what stands between the columns of a list from its first row.
func commaOf(text string) rune {
	for _, c := range []rune{'\t', ';', ','} {
		if strings.ContainsRune(text, c) {
			return c
		}
	}
	return ','
}

// take judges one row.
func (in *inviteeReader) take(cells []string) {
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	if strings.Join(cells, "") == "" {
		return
	}
	if !in.started {
		in.started = true
		if in.columns = columnsOf(cells); in.columns != nil {
			in.unknown(cells)
			return
		}
	}
	if list := addressesOf(cells); in.columns == nil && list != nil {
		for _, a := range list {
			in.add(a, "", "")
		}
		return
	}
	address, name, class := in.pick(cells)
	in.add(address, name, class)
}

// columnOf is the column that a word of a first row names; "" for a word that says nothing to us.
func columnOf(heading string) string {
	switch strings.ToLower(heading) {
	case "address", "email", "e-mail", "mail", "email address", "e-mail address":
		return "address"
	case "name", "full name", "display name", "displayname":
		return "name"
	case "class", "type", "role", "kind":
		return "class"
	}
	return ""
}

// columnsOf reads a first row; nil: it is no heading.
func columnsOf(cells []string) map[string]int {
	columns := map[string]int{}
	for i, c := range cells {
		if what := columnOf(c); what != "" {
			if _, twice := columns[what]; !twice {
				columns[what] = i
			}
		}
	}
	if _, ok := columns["address"]; !ok {
		return nil
	}
	return columns
}

// unknown tells of columns whose heading says nothing to us: who meant them as the kind of a person must know.
func (in *inviteeReader) unknown(heading []string) {
	for _, c := range heading {
		if c != "" && columnOf(c) == "" {
			in.bad = append(in.bad, BadRow{Row: in.row, Reason: fmt.Sprintf("column %q is not read: the columns are address, name and class (member or guest)", c)})
		}
	}
}

// addressesOf takes a row as a list of addresses, whatever stands between them; nil: it is none.
func addressesOf(cells []string) (list []string) {
	for _, c := range cells {
		for _, a := range strings.FieldsFunc(c, func(r rune) bool { return strings.ContainsRune(",; \t", r) }) {
			if _, err := store.ParseAddress(a); err != nil {
				return nil
			}
			list = append(list, a)
		}
	}
	return list
}

// pick finds address, name and class among the cells of a row.
func (in *inviteeReader) pick(cells []string) (address, name, class string) {
	if in.columns != nil {
		get := func(what string) string {
			if i, ok := in.columns[what]; ok && i < len(cells) {
				return cells[i]
			}
			return ""
		}
		return get("address"), get("name"), get("class")
	}
	for _, c := range cells {
		switch low := strings.ToLower(c); {
		case address == "" && strings.Contains(c, "@"):
			address = c
		case class == "" && (low == string(store.ClassMember) || low == string(store.ClassGuest)):
			class = c
		case name == "":
			name = c
		}
	}
	if address == "" {
		address = cells[0]
	}
	return address, name, class
}

// add judges one person.
func (in *inviteeReader) add(address, name, class string) {
	refuse := func(format string, args ...any) {
		in.bad = append(in.bad, BadRow{Row: in.row, Reason: fmt.Sprintf(format, args...)})
	}
	if before, inside, ok := strings.Cut(strings.TrimSuffix(address, ">"), "<"); ok && strings.HasSuffix(address, ">") {
		if address = strings.TrimSpace(inside); name == "" {
			name = strings.Trim(before, "\" ")
		}
	}
	addr, err := store.ParseAddress(address)
	if err != nil {
		refuse("there is no e-mail address in it")
		return
	}
	c := in.class
	if class != "" {
		c = store.Class(strings.ToLower(class))
	}
	if c != store.ClassMember && c != store.ClassGuest {
		refuse("the class is neither member nor guest")
		return
	}
	if first, ok := in.seen[addr.Key()]; ok {
		refuse("the address stands in row %d already", first)
		return
	}
	in.seen[addr.Key()] = in.row
	in.good = append(in.good, inviteeRow{row: in.row, Invitee: account.Invitee{Address: addr, Name: cleanName(name), Class: c}})
}
