package templates

import (
	"slices"
	"strconv"
	"strings"
)

// rangesMax is how many languages of a header are looked at; browsers send a handful.
const rangesMax = 32

// Language is the language to talk to somebody in. preferred are the languages that were asked for by name, best first,
// such as the parts of ui_locales; then what the browser says counts (RFC 9110 §12.5.4). A language is found by its
// first part: de-CH finds de.
func (s *Set) Language(acceptLanguage string, preferred ...string) string {
	for _, list := range preferred {
		for tag := range strings.FieldsSeq(list) {
			if known := s.speaks(tag); known != "" {
				return known
			}
		}
	}
	best, weight, looked := s.languages[0], 0.0, 0
	for item := range strings.SplitSeq(acceptLanguage, ",") {
		if looked++; looked > rangesMax {
			break
		}
		tag, parameter, _ := strings.Cut(item, ";")
		known := s.speaks(strings.TrimSpace(tag))
		if q := quality(parameter); known != "" && q > weight {
			best, weight = known, q
		}
	}
	return best
}

// speaks is the language that a tag finds; "" if none does.
func (s *Set) speaks(tag string) string {
	primary, _, _ := strings.Cut(tag, "-")
	for _, known := range s.languages {
		if strings.EqualFold(primary, known) {
			return known
		}
	}
	if tag == "*" {
		return s.languages[0]
	}
	return ""
}

// quality reads "q=0.8" (RFC 9110 §12.4.2). What cannot be read counts for nothing.
func quality(parameter string) float64 {
	parameter = strings.TrimSpace(parameter)
	if parameter == "" {
		return 1
	}
	name, value, _ := strings.Cut(parameter, "=")
	q, err := strconv.ParseFloat(value, 64)
	if err != nil || !strings.EqualFold(name, "q") || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// Languages are the languages of the pages (RFC 5646), the first for whoever speaks none of them.
func (s *Set) Languages() []string { return slices.Clone(s.languages) }
