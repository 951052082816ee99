package cli

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// djangoUser is a record of Django's auth_user. What else a record has is not looked at.
type djangoUser struct {
	Username    *string `json:"username"`
	Password    *string `json:"password"`
	Email       string  `json:"email"`
	FirstName   string  `json:"first_name"`
	LastName    string  `json:"last_name"`
	IsActive    *truth  `json:"is_active"`
	IsSuperuser truth   `json:"is_superuser"`
}

// truth is true or false, or 1 or 0 as some databases write it.
type truth bool

var errNoTruth = errors.New("is_active and is_superuser must be true or false")

// UnmarshalJSON reads it.
func (t *truth) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "true", "1":
		*t = true
	case "false", "0":
		*t = false
	case "null":
	default:
		return errNoTruth
	}
	return nil
}

// readDjango reads a user in JSON: as dumpdata writes him, {"model": …, "fields": {…}}, or the fields alone. What is wrong
// with him is told without showing anything of him.
func readDjango(text []byte) foreigner {
	var dumped struct {
		Model  string          `json:"model"`
		Fields json.RawMessage `json:"fields"`
	}
	var in djangoUser
	err := json.Unmarshal(text, &dumped)
	if err == nil && len(dumped.Fields) > 0 {
		text = dumped.Fields
	}
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.Is(err, errNoTruth):
		return foreigner{problem: errNoTruth.Error()}
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return foreigner{problem: wrongType.Field + " has the wrong type"}
	case errors.As(err, &wrongType):
		return foreigner{problem: "is no JSON object"}
	case err != nil:
		return foreigner{problem: "is not well-formed JSON"}
	}
	return in.foreigner(dumped.Model != "")
}

// foreigner is the user as he is sent.
func (in djangoUser) foreigner(dumped bool) foreigner {
	switch {
	case in.Password == nil && in.Username == nil && dumped:
		return foreigner{other: true}
	case in.Username == nil:
		return foreigner{problem: "has no username"}
	case in.Password == nil:
		return foreigner{problem: "has no password"}
	}
	return foreigner{superuser: bool(in.IsSuperuser), User: importedUser{
		Username: *in.Username, Name: nameOf(in.FirstName, in.LastName), Email: in.Email,
		PasswordHash: *in.Password, Disabled: in.IsActive != nil && !bool(*in.IsActive),
	}}
}

// The columns that are taken, and those of auth_user that have no meaning here.
var (
	djangoColumns  = []string{"username", "password", "email", "first_name", "last_name", "is_active", "is_superuser"}
	ignoredColumns = []string{"id", "last_login", "is_staff", "date_joined"}
)

// table reads CSV. A column that nobody knows is refused: is_activ would let in whom it should keep out.
func (p *people) table(in *csv.Reader) (func() (foreigner, error), error) {
	header, err := in.Read()
	if err != nil {
		return nil, usage("the first line of the file must name its columns: %v", err)
	}
	at := make(map[string]int)
	for i, name := range header {
		name = strings.TrimSpace(name)
		known := slices.Contains(djangoColumns, name) || slices.Contains(ignoredColumns, name)
		if _, twice := at[name]; twice || !known {
			// What stands there may be somebody's hash, in a file without a header.
			return nil, usage("column %d of the first line is not known, or there twice: it must name the columns, out of %s, %s",
				i+1, strings.Join(djangoColumns, ", "), strings.Join(ignoredColumns, ", "))
		}
		at[name] = i
	}
	for _, needed := range djangoColumns[:2] {
		if _, there := at[needed]; !there {
			return nil, usage("the column %s is missing", needed)
		}
	}
	return func() (foreigner, error) {
		row, err := in.Read()
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return foreigner{}, io.EOF
		case errors.As(err, &wrong):
			return foreigner{line: wrong.StartLine, problem: wrong.Err.Error()}, nil
		case err != nil:
			return foreigner{}, fmt.Errorf("after record %d: %w", p.record, err)
		}
		who := readRow(row, at)
		who.line, _ = in.FieldPos(0)
		return who, nil
	}, nil
}

func readRow(row []string, at map[string]int) foreigner {
	cell := func(name string) string {
		if i, there := at[name]; there {
			return row[i]
		}
		return ""
	}
	username, password := cell("username"), cell("password")
	in := djangoUser{Username: &username, Password: &password, Email: cell("email"), FirstName: cell("first_name"), LastName: cell("last_name")}
	active := truth(true)
	for name, into := range map[string]*truth{"is_active": &active, "is_superuser": &in.IsSuperuser} {
		if _, there := at[name]; !there {
			continue
		}
		switch strings.ToLower(cell(name)) {
		case "true", "t", "1":
			*into = true
		case "false", "f", "0":
			*into = false
		default:
			return foreigner{problem: name + " must be true or false"}
		}
	}
	in.IsActive = &active
	return in.foreigner(false)
}
