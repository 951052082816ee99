package server

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
)

// Whatever a name, a scope or an issuer holds, an appended answer is the one that encoding/json would give.
func TestAppendedJSONIsThatOfTheLibrary(t *testing.T) {
	for _, text := range []string{"", "plain", `a "quoted" \ back`, "Zürich 東京", "<script>&", "a\x00\n\t\x7f", "broken \xff", "line separator", "\x1b[31m"} {
		got := newObject(0).text("text", text).textIfAny("maybe", text).number("number", -42).truth("truth", true).end()
		want, err := json.Marshal(struct {
			Text   string `json:"text"`
			Maybe  string `json:"maybe,omitempty"`
			Number int64  `json:"number"`
			Truth  bool   `json:"truth"`
		}{text, text, -42, true})
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := string(newObject(0).end()); got != "{}" {
		t.Errorf("an empty object is %s", got)
	}
}

// The ids in tokens are compared as texts.
func TestAppendedIDsAreThoseOfTheLibrary(t *testing.T) {
	id := uuid.New()
	if got := string(appendUUID(nil, id)); got != id.String() {
		t.Errorf("got %s, want %s", got, id)
	}
}
