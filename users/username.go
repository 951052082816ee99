package users

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/safeconduct/safeconduct/store"
)

const (
	usernameMax      = 64  // characters, in the compared form
	usernameRawBytes = 256 // four bytes a character: more cannot become a name
)

// Canonical returns the one form in which a username is kept and compared: compatibility forms and case are folded, so
// that "Ａlice" and "ALICE" are the account "alice". It returns an *InvalidError for what cannot be a username.
func Canonical(username string) (string, error) {
	refuse := func(problem, fix string) (string, error) {
		return "", &InvalidError{Field: "username", Problem: problem, Fix: fix}
	}
	switch {
	case username == "":
		return refuse("is empty", "give one")
	case len(username) > usernameRawBytes:
		return refuse("is longer than 64 characters", "choose a shorter one")
	case !utf8.ValidString(username):
		return refuse("is not valid UTF-8", "send it in UTF-8")
	}
	folded := fold(username)
	if utf8.RuneCountInString(folded) > usernameMax {
		return refuse("is longer than 64 characters", "choose a shorter one")
	}
	if fold(folded) != folded {
		return refuse("has no stable form", "leave out unusual characters")
	}
	for i, c := range folded {
		switch {
		case unicode.IsSpace(c) || unicode.Is(unicode.Z, c):
			return refuse("contains a blank", "leave it out")
		case invisible(c):
			return refuse("contains a character that cannot be seen", "leave it out")
		case i == 0 && unicode.IsMark(c):
			return refuse("starts with a combining mark", "start with a letter or digit")
		}
	}
	if _, err := uuid.Parse(folded); err == nil {
		return refuse("looks like an id", "choose another")
	}
	if mixesScripts(folded) {
		return refuse("mixes letters of scripts that look alike", "use letters of one of Latin, Greek and Cyrillic")
	}
	return folded, nil
}

func fold(s string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
}

// invisible reports control, format, unassigned and private characters, and those that show as nothing.
func invisible(c rune) bool {
	return !unicode.IsGraphic(c) ||
		unicode.In(c, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Bidi_Control)
}

// mixesScripts reports letters of more than one of the scripts whose letters look like each other's: a Cyrillic а
// among Latin letters makes another account that reads the same.
func mixesScripts(s string) bool {
	lookAlike := []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic}
	var seen *unicode.RangeTable
	for _, c := range s {
		for _, script := range lookAlike {
			if !unicode.Is(script, c) {
				continue
			}
			if seen != nil && seen != script {
				return true
			}
			seen = script
		}
	}
	return false
}

// validate brings a user's fields into the form in which they are kept, or refuses them.
func validate(u *User) error {
	canonical, err := Canonical(u.Username)
	if err != nil {
		return err
	}
	u.Username = canonical
	u.Name = norm.NFC.String(u.Name)
	if problem := textProblem(u.Name, nameLimit); problem != "" {
		return &InvalidError{Field: "name", Problem: problem, Fix: "write plain text of at most 200 characters"}
	}
	if u.Email != "" && !plausibleEmail(u.Email) {
		return &InvalidError{Field: "email", Problem: "is not an e-mail address", Fix: "write it as name@example.org, or leave it empty"}
	}
	if u.Email == "" && u.EmailVerified {
		return &InvalidError{Field: "email_verified", Problem: "is said of no e-mail address", Fix: "give the address, or leave it out"}
	}
	return nil
}

// textProblem says what keeps s from being shown on a page beside other text.
func textProblem(s string, limit int) string {
	switch {
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case utf8.RuneCountInString(s) > limit:
		return "is too long"
	case strings.TrimSpace(s) != s:
		return "starts or ends with a blank"
	case strings.ContainsFunc(s, store.Unseen):
		return "contains a character that cannot be seen"
	}
	return ""
}

func plausibleEmail(email string) bool {
	address, err := mail.ParseAddress(email)
	return err == nil && address.Address == email && len(email) <= emailLimit && textProblem(email, emailLimit) == ""
}
