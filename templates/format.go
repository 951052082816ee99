package templates

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// when is a point in time: for machines, and in UTC for people. The script shows it in the reader's own time.
func (l *language) when(t time.Time) template.HTML {
	if t.IsZero() || len(l.months) != 12 {
		return "–"
	}
	t = t.UTC()
	words := strings.NewReplacer(
		"{day}", strconv.Itoa(t.Day()),
		"{month}", l.months[t.Month()-1],
		"{year}", strconv.Itoa(t.Year()),
		"{time}", t.Format("15:04"),
	).Replace(l.words["date"])
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.Format("2006-01-02T15:04:05Z"), template.HTMLEscapeString(words)))
}

// duration is a span of time in the largest unit that says it well, rounded up: who waits as long as it says has waited
// long enough.
func (l *language) duration(d time.Duration) (string, error) {
	d = max(d, time.Second)
	for _, unit := range []struct {
		length time.Duration
		key    string
	}{{day, "duration.days"}, {time.Hour, "duration.hours"}, {time.Minute, "duration.minutes"}} {
		if d >= 3*unit.length || d >= unit.length && d%unit.length == 0 {
			return l.count(unit.key, int((d+unit.length-1)/unit.length))
		}
	}
	return l.count("duration.seconds", int((d+time.Second-1)/time.Second))
}
