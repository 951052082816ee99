package config_test

import (
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
)

// A parser that goes down as deep as it is led could end the process with an overflow that nothing catches.
func TestDeepNestingIsRefused(t *testing.T) {
	const size = 16 << 10
	for _, piece := range []string{"[", "- ", "a: {", "&a "} {
		if _, err := config.Parse("c.yaml", []byte(strings.Repeat(piece, size/len(piece)))); err == nil {
			t.Errorf("%q was accepted", piece)
		}
	}
}
