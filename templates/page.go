// Package templates holds the pages that people see: their HTML, style, script and words, all of it in the binary. Each
// page is one struct of what it shows. The server fills it and says where its forms go; everything else, the language
// and the looks included, is decided here. A page works without JavaScript, asks no other host for anything, and shows
// whatever it is given as text.
package templates

import "time"

// Page is one of the structs of this package that ends in Page.
type Page interface{ page() string }

// Form is what every form of a page carries.
type Form struct {
	// Action is the path that the form is sent to.
	Action string
	// Token proves that the form is ours and was made for this browser.
	Token string
}

// App is a client as people see it.
type App struct {
	Name string
	// Host is where the app lives, as its registration says (the host of its client_uri); it may be empty.
	Host string
	// Target is where the browser will be sent to: scheme and host of the redirect URI, such as https://app.example.com
	// or com.example.app:
	Target string
	// Own says that the app is the operator's own.
	Own bool
	// Unproven says that the app cannot prove who it is: it runs on a device, and others can pass for it.
	Unproven bool
}

// Person is who is logged in.
type Person struct{ Username, Name string }

// LoginPage asks who somebody is.
type LoginPage struct {
	Form
	// App is who sent the person here; nil for the account pages.
	App *App
	// Username is already known or was typed before.
	Username string
	// Remember is the state of the box, RememberFor what it says.
	Remember    bool
	RememberFor time.Duration
	Problem     LoginProblem
	RetryAfter  time.Duration // for LoginLimited and LoginBusy
	// Again says that somebody who is logged in must show it once more.
	Again bool
	// Cancel is the path of the form that goes back to the app with nothing; empty if there is no app. It is sent with
	// the same token.
	Cancel string
}

// LoginProblem is why a login page is shown again.
type LoginProblem string

// The problems of a login.
const (
	LoginWrong   LoginProblem = "wrong"   // username or password; which of the two is never said
	LoginLimited LoginProblem = "limited" // too many attempts; wait
	LoginBusy    LoginProblem = "busy"    // too many people; try again
	LoginEmpty   LoginProblem = "empty"   // a field was left empty
	LoginStale   LoginProblem = "stale"   // the form was too old or from another window; send it again
)

// SelectPage asks with which account to go on.
type SelectPage struct {
	Form   // decision=continue or decision=other
	App    App
	Person Person
}

// ConsentPage asks whether an app may do what it wants.
type ConsentPage struct {
	Form   // scope (several), remember, decision=allow or decision=deny
	App    App
	Person Person
	// Switch is the path of the page to log in as somebody else.
	Switch string
	Groups []ConsentGroup
	// Returning says that the app was allowed something before; the scopes marked New are what is new.
	Returning bool
	// MayRemember offers not to be asked again.
	MayRemember bool
	// NothingTicked says that the form came back without a single scope.
	NothingTicked bool
}

// ConsentGroup is the scopes of one API.
type ConsentGroup struct {
	Resource string
	Scopes   []ConsentScope
}

// ConsentScope is one line of a consent page.
type ConsentScope struct {
	Name, Title, Description         string
	Required, Ticked, Sensitive, New bool
	// Includes are the titles of what comes with it.
	Includes []string
}

// FormPostPage sends an answer to an app in a form (OAuth 2.0 Form Post Response Mode).
type FormPostPage struct {
	App    App
	Action string // the app's redirect URI
	Fields []Field
}

// Field is one hidden field.
type Field struct{ Name, Value string }

// ProblemPage says what went wrong, whose fault it is and what to do.
type ProblemPage struct {
	Kind Problem
	// Detail is the technical reason, one sentence in English for the developer; it repeats nothing that was sent.
	Detail    string
	RequestID string
	Time      time.Time
	// Back is where to begin anew: a path of ours or the registered page of the app; empty if there is none.
	Back       string
	RetryAfter time.Duration
}

// Problem is what went wrong.
type Problem string

// The problems that have a page.
const (
	ProblemApp         Problem = "app"         // the app sent nonsense: the app's fault
	ProblemExpired     Problem = "expired"     // the link or form is too old or was used already; start again from the app
	ProblemBrowser     Problem = "browser"     // another browser began this, or cookies are off
	ProblemForged      Problem = "forged"      // the form did not come from our page
	ProblemHost        Problem = "host"        // the server does not go by this name
	ProblemNotFound    Problem = "not_found"   // there is no such page
	ProblemRequest     Problem = "request"     // the browser sent what no page of ours sends
	ProblemUnavailable Problem = "unavailable" // ours, and it will pass: try again
	ProblemServer      Problem = "server"      // ours
)

// LogoutPage asks whether to log out here.
type LogoutPage struct {
	Form // decision=logout or decision=stay
	// App is who asks for it, nil if nobody or somebody unknown does.
	App    *App
	Person Person
	// Hidden are fields that the form carries along.
	Hidden []Field
}

// SignedOutPage says that it is done.
type SignedOutPage struct {
	// Everywhere says that all other browsers and apps were logged out too.
	Everywhere bool
}

// Account is what all pages of the account share.
type Account struct {
	Person Person
	Token  string // for the form that logs out, POST /account/logout
	// Done is what was just done, shown once; empty for nothing.
	Done Done
	// Problem is why a form came back.
	Problem AccountProblem
}

// Done is what was just done.
type Done string

// What can be done on the account pages.
const (
	DoneProfile  Done = "profile"
	DonePassword Done = "password"
	DoneSession  Done = "session"  // a session was ended
	DoneSessions Done = "sessions" // all other sessions were ended
	DoneNamed    Done = "named"    // a session was named
	DoneApp      Done = "app"      // an app's access was ended
	DoneKey      Done = "key"      // a personal access token was ended
)

// AccountProblem is why a form of the account came back.
type AccountProblem string

// The problems of the account's forms.
const (
	AccountStale         AccountProblem = "stale"          // the form was too old; send it again
	AccountWrongPassword AccountProblem = "wrong_password" // the current password is wrong
	AccountLimited       AccountProblem = "limited"
	AccountBusy          AccountProblem = "busy"
	AccountBadPassword   AccountProblem = "bad_password" // the new password breaks the rules
	AccountMismatch      AccountProblem = "mismatch"     // the two new passwords differ
	AccountBadName       AccountProblem = "bad_name"     // a name is too long or has characters that cannot be seen
	AccountNoName        AccountProblem = "no_name"
	AccountNoScope       AccountProblem = "no_scope"
	AccountBadExpiry     AccountProblem = "bad_expiry"
	AccountTooMany       AccountProblem = "too_many" // personal access tokens
	AccountTwice         AccountProblem = "twice"    // the form made a token the first time that it was sent
)

// AccountPage is the account's front page: who one is, and where to go. Its form changes the name: POST /account, name.
type AccountPage struct {
	Account
	Email                string
	Created              time.Time
	PasswordChanged      time.Time // zero if there is none
	Sessions, Apps, Keys int
}

// PasswordPage changes the password: POST /account/password, current_password, new_password, repeat_password.
type PasswordPage struct {
	Account
	MinLength int
}

// SessionsPage lists where one is logged in. POST /account/sessions/end (session), POST /account/sessions/name
// (session, name), POST /account/sessions/end-others, POST /account/logout-everywhere.
type SessionsPage struct {
	Account
	Sessions []SessionRow
}

// SessionRow is one browser that is logged in.
type SessionRow struct {
	ID, Name, Device, Network string
	This                      bool
	Started, LastSeen, Ends   time.Time
	Apps                      []string // names of the apps that were used from it
}

// AppsPage lists which apps have access. POST /account/apps/revoke (client).
type AppsPage struct {
	Account
	Apps []AppRow
}

// AppRow is one app with everything that it was allowed.
type AppRow struct {
	ClientID string
	App      App
	Groups   []ConsentGroup // Title and Description of each scope; the other members are not used
	Since    time.Time
	LastUsed time.Time // zero if not known
	// Offline says that it has access while the person is away.
	Offline bool
	// Remembered says that it is not asked for again.
	Remembered bool
}

// KeysPage lists personal access tokens. POST /account/tokens (name, scope (several), days), POST /account/tokens/revoke
// (token).
type KeysPage struct {
	Account
	Keys []KeyRow
	// Groups are the scopes to choose from; Ticked ones were ticked before.
	Groups []ConsentGroup
	// Name and Days are what was typed before. Choices are the days offered.
	Name    string
	Days    int
	Choices []int
	// Once is the hidden field once, beside the token: this form makes one token.
	Once string
	// New is the token that was just made. It is shown this once.
	New     string
	NewName string
}

// KeyRow is one personal access token, by everything but itself.
type KeyRow struct {
	ID, Name         string
	Scopes           []string
	Created, Expires time.Time
	LastUsed         time.Time // zero if never
}

func (LoginPage) page() string     { return "login" }
func (SelectPage) page() string    { return "select" }
func (ConsentPage) page() string   { return "consent" }
func (FormPostPage) page() string  { return "form_post" }
func (ProblemPage) page() string   { return "problem" }
func (LogoutPage) page() string    { return "logout" }
func (SignedOutPage) page() string { return "signed_out" }
func (AccountPage) page() string   { return "account" }
func (PasswordPage) page() string  { return "password" }
func (SessionsPage) page() string  { return "sessions" }
func (AppsPage) page() string      { return "apps" }
func (KeysPage) page() string      { return "tokens" }
