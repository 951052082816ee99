package demo

import "strings"

// session is what the dev command prints: the main job, step by step, for a shell. The variables come from the file, so
// no secret is on the screen or in the shell's history.
const session = `# The demo's secrets become variables.
. {file}

# 1. Get a token by password, good for reading orders only.
ANSWER=$(curl -sS -u "$DEMO_CLIENT_ID:$DEMO_CLIENT_SECRET" {issuer}/oauth/token -d grant_type=password -d scope=orders:read --data-urlencode "username=$DEMO_USER" --data-urlencode "password=$DEMO_PASSWORD")
TOKEN=$(echo "$ANSWER" | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p')
REFRESH=$(echo "$ANSWER" | sed -n 's/.*"refresh_token":"\([^"]*\)".*/\1/p')

# 2. Read the orders: 200.
curl -sS -i -w '\n' -H "Authorization: Bearer $TOKEN" {issuer}/demo/orders

# 3. Place an order: 403 insufficient_scope, the token is not good for orders:write.
curl -sS -i -w '\n' -X POST -H "Authorization: Bearer $TOKEN" {issuer}/demo/orders

# 4. Refresh: an access token with its full life again.
ANSWER=$(curl -sS -u "$DEMO_CLIENT_ID:$DEMO_CLIENT_SECRET" {issuer}/oauth/token -d grant_type=refresh_token --data-urlencode "refresh_token=$REFRESH")
TOKEN=$(echo "$ANSWER" | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p')

# 5. Introspect it, as the demo API may: active, for whom, and what for.
curl -sS -i -w '\n' -u "$DEMO_API_ID:$DEMO_API_SECRET" {issuer}/oauth/introspect --data-urlencode "token=$TOKEN"

# 6. Revoke it, and with it the whole grant: 200.
curl -sS -i -w '\n' -u "$DEMO_CLIENT_ID:$DEMO_CLIENT_SECRET" {issuer}/oauth/revoke --data-urlencode "token=$TOKEN"

# 7. Read the orders again: 401 invalid_token.
curl -sS -i -w '\n' -H "Authorization: Bearer $TOKEN" {issuer}/demo/orders
`

// Lines are the lines to copy, for a server at issuer and the file at path.
func Lines(issuer, path string) string {
	return strings.NewReplacer("{issuer}", issuer, "{file}", shellWord(path)).Replace(session)
}

// shellWord writes a path as one word of a shell, with a slash in it: without one the shell would search its PATH.
func shellWord(path string) string {
	if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "./") && !strings.HasPrefix(path, "../") {
		path = "./" + path
	}
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./+,:@%"
	if strings.Trim(path, plain) == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
