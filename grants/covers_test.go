package grants_test

import (
	"slices"
	"testing"

	"github.com/safeconduct/safeconduct/grants"
)

// RFC 9700 §4.11, OWASP ASVS 10.7.2: a remembered consent covers what was asked for then, and of that what was granted; never
// anything new, and nothing at all where something that is required now was refused.
func TestConsentCoversNothingNew(t *testing.T) {
	partly := grants.Consent{Asked: []uint32{1, 2, 3}, Granted: []uint32{1, 2}, Remember: true}
	once := partly
	once.Remember = false
	for name, one := range map[string]struct {
		consent               *grants.Consent
		asked, required, want []uint32
	}{
		"the same":                      {&partly, []uint32{1, 2, 3}, nil, []uint32{1, 2}},
		"less":                          {&partly, []uint32{2}, nil, []uint32{2}},
		"with what is required":         {&partly, []uint32{1, 2}, []uint32{1}, []uint32{1, 2}},
		"something new":                 {&partly, []uint32{1, 4}, nil, nil},
		"only what was refused":         {&partly, []uint32{3}, nil, nil},
		"what was refused, is required": {&partly, []uint32{1, 3}, []uint32{3}, nil},
		"not to be remembered":          {&once, []uint32{1}, nil, nil},
		"no consent":                    {nil, []uint32{1}, nil, nil},
		"nothing":                       {&partly, nil, nil, nil},
	} {
		if got := one.consent.Covers(one.asked, one.required); !slices.Equal(got, one.want) {
			t.Errorf("%s: got %v, want %v", name, got, one.want)
		}
	}
}
