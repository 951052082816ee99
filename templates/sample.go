package templates

import (
	"reflect"
	"time"
)

// pageKinds is one empty page of each kind.
func pageKinds() []Page {
	return []Page{
		LoginPage{}, SelectPage{}, ConsentPage{}, FormPostPage{}, ProblemPage{}, LogoutPage{}, SignedOutPage{},
		AccountPage{}, PasswordPage{}, SessionsPage{}, AppsPage{}, KeysPage{},
	}
}

// samples are pages to try the templates with: every kind of page empty, and filled in so many ways that every branch is
// taken.
func samples() []Page {
	pages := pageKinds()
	enumerated := map[reflect.Type][]string{
		reflect.TypeFor[LoginProblem]():   values(LoginWrong, LoginLimited, LoginBusy, LoginEmpty, LoginStale),
		reflect.TypeFor[Problem]():        values(ProblemApp, ProblemExpired, ProblemBrowser, ProblemForged, ProblemHost, ProblemNotFound, ProblemRequest, ProblemUnavailable, ProblemServer),
		reflect.TypeFor[Done]():           values(DoneProfile, DonePassword, DoneSession, DoneSessions, DoneNamed, DoneApp, DoneKey),
		reflect.TypeFor[AccountProblem](): values(AccountStale, AccountWrongPassword, AccountLimited, AccountBusy, AccountBadPassword, AccountMismatch, AccountBadName, AccountNoName, AccountNoScope, AccountBadExpiry, AccountTooMany, AccountTwice),
	}
	longest := 0
	for _, list := range enumerated {
		longest = max(longest, len(list))
	}
	for _, kind := range pageKinds() {
		for turn := range 2 * longest { // each value once with every box ticked and once with none
			page := reflect.New(reflect.TypeOf(kind)).Elem()
			fill(page, enumerated, turn/2, turn%2 == 0)
			pages = append(pages, page.Interface().(Page))
		}
	}
	return pages
}

func values[T ~string](list ...T) []string {
	var out []string
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}

// fill gives every field something to show.
func fill(v reflect.Value, enumerated map[reflect.Type][]string, turn int, ticked bool) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("sample")
		if list := enumerated[v.Type()]; list != nil {
			v.SetString(list[turn%len(list)])
		}
	case reflect.Bool:
		v.SetBool(ticked)
	case reflect.Int:
		v.SetInt(2)
	case reflect.Int64: // a duration
		v.SetInt(int64(2 * time.Minute))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), enumerated, turn, ticked)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), enumerated, turn+i, ticked)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1_000_000_000, 0)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), enumerated, turn, ticked)
		}
	}
}
