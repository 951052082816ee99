package cli

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/keys"
)

// inspection is what a token says about itself. Nothing of it is proven: that takes the server's secrets.
type inspection struct {
	Kind     string     `json:"kind"`
	Checksum string     `json:"checksum"` // ok or wrong
	Version  int        `json:"version,omitempty"`
	Key      string     `json:"key,omitempty"`
	Grant    string     `json:"grant,omitempty"`
	Number   *uint32    `json:"number,omitempty"`
	Narrowed bool       `json:"narrowed,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Expired  bool       `json:"expired,omitempty"`
}

// The layout of a token's payload, version 1: version, key id, grant id, number, expiry, flags, and two MACs.
const (
	tokenSize    = 51
	tokenVersion = 1
	secretSize   = 32
	narrowedFlag = 1
	kindUnknown  = "unknown"
)

// spellings are the kinds of what Safeconduct hands out, by prefix, with the size of their payload.
var spellings = []struct {
	prefix, kind string
	size         int
}{
	{keys.AccessPrefix, "access token", tokenSize},
	{keys.RefreshPrefix, "refresh token", tokenSize},
	{keys.CodePrefix, "authorization code", tokenSize},
	{keys.KeyPrefix, "API key", tokenSize},
	{keys.ClientSecretPrefix, "client secret", secretSize},
	{keys.ResourceSecretPrefix, "resource secret", secretSize},
}

func inspect(text string, now time.Time) inspection {
	for _, s := range spellings {
		if !strings.HasPrefix(text, s.prefix) {
			continue
		}
		payload, ok := keys.Unspell(s.prefix, text, s.size)
		if !ok {
			return inspection{Kind: s.kind, Checksum: "wrong"}
		}
		i := inspection{Kind: s.kind, Checksum: "ok"}
		if s.size == tokenSize {
			i.read(payload, now)
		}
		return i
	}
	return inspection{Kind: kindUnknown, Checksum: "wrong"}
}

func (i *inspection) read(payload []byte, now time.Time) {
	i.Version = int(payload[0])
	if i.Version != tokenVersion {
		return
	}
	i.Key = fmt.Sprintf("%02x", payload[1])
	i.Grant = uuid.UUID(payload[2:18]).String()
	number := binary.BigEndian.Uint32(payload[18:22])
	expires := time.Unix(int64(binary.BigEndian.Uint32(payload[22:26])), 0).UTC()
	i.Number, i.Expires = &number, &expires
	i.Expired = !now.Before(expires)
	i.Narrowed = payload[26]&narrowedFlag != 0
}

func (a *app) inspectTokenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "inspect [-]", Short: "Tell offline what a token says about itself (exit 8 if it is damaged or expired)", Args: noToken,
		Long: "Tell offline what a token says about itself. The token is read from the standard input. Whether it is genuine and was\n" +
			"not revoked, only the server knows: see safeconduct token introspect. The exit code is 8 if it is damaged or expired.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := a.readSecret(cmd.Context(), "Token")
			if err != nil {
				return err
			}
			i := inspect(text, time.Now())
			if err := a.show(inspected(i)); err != nil {
				return err
			}
			if i.Checksum != "ok" || i.Expired {
				return errFindings
			}
			return nil
		},
	}
}

func inspected(i inspection) result {
	r := result{json: encode(i), bare: []string{i.Kind}}
	if i.Kind == kindUnknown {
		r.human = func(p *page) {
			p.row("not a token of Safeconduct: those begin with sca_, scr_, scc_ or sck_, and are copied as a whole")
		}
		return r
	}
	r.human = func(p *page) {
		p.row(i.Kind)
		if i.Checksum == "ok" {
			p.field("checksum", "ok")
		} else {
			p.field("checksum", "wrong: a character is missing or changed")
		}
		if i.Expires == nil {
			return
		}
		p.field("grant", i.Grant)
		p.field("number", strconv.FormatUint(uint64(*i.Number), 10))
		p.field("narrowed", yes(i.Narrowed))
		p.field("key", i.Key)
		p.field("expires", date(*i.Expires)+expiry(i))
	}
	if i.Kind == "access token" && i.Checksum == "ok" && !i.Expired {
		r.words = []string{"Next: safeconduct token introspect, which asks the server whether it is genuine and not revoked"}
	}
	return r
}

func expiry(i inspection) string {
	if i.Expired {
		return "  (expired)"
	}
	return ""
}
