package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

type duration = time.Duration

const (
	minute      = time.Minute
	hour        = time.Hour
	day         = 24 * hour
	week        = 7 * day
	fiveMinutes = 5 * minute
)

// ParseDuration reads Go's durations with days and weeks: 300s, 15m, 1d12h, 2w. A number without a unit is refused:
// nobody remembers whether it counts seconds or minutes.
func ParseDuration(text string) (time.Duration, error) {
	d, wrong := parseDuration(text)
	if wrong != nil {
		return 0, fmt.Errorf("%s. %s", wrong.reason, wrong.fix)
	}
	return d, nil
}

func parseDuration(text string) (duration, *fault) {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		if whole, err := strconv.ParseUint(text, 10, 32); err == nil {
			return 0, &fault{text + " has no unit", fmt.Sprintf("Write %ds for seconds, or use m, h, d or w", whole)}
		}
		return 0, &fault{quote(text) + " is not a duration", "Write a number with a unit, such as 300s, 15m, 12h, 14d or 2w"}
	}
	not := &fault{quote(text) + " is not a duration", "Write a number with a unit, such as 300s, 15m, 12h, 14d or 2w"}
	var total duration
	rest := text
	for _, unit := range []struct {
		letter string
		length duration
	}{{"w", week}, {"d", day}} {
		number, behind, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n > uint64(100*365*day/unit.length) {
			return 0, not
		}
		total += duration(n) * unit.length
		rest = behind
	}
	if rest == "" && rest != text {
		return total, nil
	}
	fine, err := time.ParseDuration(rest)
	if err != nil || rest[0] == '+' || rest[0] == '-' || total+fine < total {
		return 0, not
	}
	return total + fine, nil
}

// between makes a parser of durations from least to most.
func between(least, most duration) func(string) (duration, *fault) {
	return func(text string) (duration, *fault) {
		d, wrong := parseDuration(text)
		if wrong == nil && (d < least || d > most) {
			return 0, &fault{quote(text) + " is out of range", fmt.Sprintf("Use %s to %s", FormatDuration(least), FormatDuration(most))}
		}
		return d, wrong
	}
}

// FormatDuration writes a duration as one would write it: 90d, 12h, 15m.
func FormatDuration(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
