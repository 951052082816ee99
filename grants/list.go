package grants

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Cursor is the grant's place in its user's list, for ParseCursor.
func (g Grant) Cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(memberName(g.Client, g.ID)))
}

// Cursor is a place in a user's list of grants. The zero value is the beginning.
type Cursor struct{ member string }

// ParseCursor reads what Grant.Cursor wrote; an empty text is the beginning. A cursor is no secret and opens nothing.
func ParseCursor(text string) (Cursor, error) {
	member, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return Cursor{}, fmt.Errorf("not a cursor: %w", err)
	}
	if _, _, ok := splitMember(string(member)); !ok && text != "" {
		return Cursor{}, errors.New("not a cursor: wrong size")
	}
	return Cursor{string(member)}, nil
}

// List returns up to limit live grants of a user after a place in the list, by client and then by age: API keys of the
// user's own come first. Names whose grants are gone are withdrawn on the way.
func (e Ender) List(ctx context.Context, user uuid.UUID, after Cursor, limit int) ([]Grant, error) {
	var found []Grant
	err := e.walk(ctx, user, after.member, func(client uint32, id uuid.UUID) (bool, error) {
		r, _, err := e.load(ctx, user, client, id)
		if r != nil {
			found = append(found, grant{id, r}.seen())
		}
		return len(found) < limit, err
	})
	return found, err
}
