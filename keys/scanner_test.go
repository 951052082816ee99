package keys_test

import (
	"fmt"
	"hash/crc32"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/keys"
)

// sizes are the sizes of what is spelled under each prefix.
var sizes = map[string]int{
	keys.AccessPrefix: 51, keys.RefreshPrefix: 51, keys.CodePrefix: 51, keys.KeyPrefix: 51, keys.ClientSecretPrefix: 32, keys.ResourceSecretPrefix: 32,
}

// Secret scanners are built after the document: its patterns find everything that is spelled here and nothing that was cut
// or lengthened, and its example adds up.
func TestTheDocumentForSecretScannersIsTrue(t *testing.T) {
	document, err := os.ReadFile("../docs/api-keys.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(document)
	block := func(language string) []string {
		var found []string
		for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)\n```").FindAllStringSubmatch(text, -1) {
			found = append(found, match[1])
		}
		return found
	}
	all := regexp.MustCompile(block("regex")[0])
	patterns := map[string]*regexp.Regexp{}
	for _, match := range regexp.MustCompile("\\| `(\\\\b(sc._).*)` \\|").FindAllStringSubmatch(text, -1) {
		patterns[match[2]] = regexp.MustCompile(match[1])
	}
	examples := block("example")
	worked, samples := examples[0], strings.Split(examples[1], "\n")
	if len(patterns) != len(sizes) || len(samples) != len(sizes) {
		t.Fatalf("the document has %d patterns and %d examples of %d kinds", len(patterns), len(samples), len(sizes))
	}

	for prefix, size := range sizes {
		at := slices.IndexFunc(samples, func(s string) bool { return strings.HasPrefix(s, prefix) })
		if at < 0 {
			t.Fatalf("there is no example of %s", prefix)
		}
		if _, ok := keys.Unspell(prefix, samples[at], size); !ok {
			t.Errorf("the example %s is not spelled as ours are", samples[at])
		}
		for i := range 64 {
			payload := make([]byte, size)
			for j := range payload {
				payload[j] = byte(i*size*7 + j*31)
			}
			for _, secret := range []string{keys.Spell(prefix, payload), samples[at]} {
				for _, pattern := range []*regexp.Regexp{patterns[prefix], all} {
					if got := pattern.FindString(`KEY="` + secret + `"` + "\n"); got != secret {
						t.Errorf("%v finds %q in %s", pattern, got, secret)
					}
					if pattern.MatchString(secret[:len(secret)-1]) || pattern.MatchString(secret+"A") || pattern.MatchString("x"+secret) {
						t.Errorf("%v finds what is none in %s", pattern, secret)
					}
				}
			}
		}
	}

	// The worked example, by the numbers that stand there.
	sum := crc32.ChecksumIEEE([]byte(worked[:len(worked)-6]))
	var digits []string
	for rest := sum; len(digits) < 6; rest /= 62 {
		digits = slices.Insert(digits, 0, strconv.Itoa(int(rest%62)))
	}
	for _, wanted := range []string{
		"`" + worked[len(worked)-6:] + "`; before them", fmt.Sprintf("is `%08x`, in decimal `%d`", sum, sum), "base 62 that is " + strings.Join(digits, ", ") + ":",
	} {
		if !strings.Contains(text, wanted) {
			t.Errorf("the document does not say %q", wanted)
		}
	}
	if _, ok := keys.Unspell(keys.KeyPrefix, worked, sizes[keys.KeyPrefix]); !ok {
		t.Error("the worked example is not spelled as ours are")
	}
}
