package server

import (
	"context"
	"log/slog"
	"math"
	"strconv"
	"time"
)

// Handler makes a handler that writes the lines of slog.JSONHandler into the buffer. Each request writes one, so the
// values that those have are appended; a line with any other value is left to slog.
func (b *LogBuffer) Handler(level slog.Leveler) slog.Handler {
	return &jsonLog{buffer: b, level: level, others: slog.NewJSONHandler(b, &slog.HandlerOptions{Level: level})}
}

type jsonLog struct {
	buffer *LogBuffer
	level  slog.Leveler
	others slog.Handler
}

func (h *jsonLog) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

func (h *jsonLog) WithAttrs(attrs []slog.Attr) slog.Handler { return h.others.WithAttrs(attrs) }

func (h *jsonLog) WithGroup(name string) slog.Handler { return h.others.WithGroup(name) }

func (h *jsonLog) Handle(ctx context.Context, r slog.Record) error {
	if h.buffer.append(func(lines []byte) ([]byte, bool) { return appendRecord(lines, r) }) {
		return nil
	}
	return h.others.Handle(ctx, r)
}

// appendRecord appends a record as one line. It returns false for one that has a value it does not know to spell; what it
// has appended until then is to be dropped.
func appendRecord(line []byte, r slog.Record) ([]byte, bool) {
	if year := r.Time.Year(); r.Time.IsZero() || year < 0 || year > 9999 || !isPlain(r.Message) {
		return line, false
	}
	line = append(line, `{"time":"`...)
	line = r.Time.Round(0).AppendFormat(line, time.RFC3339Nano)
	line = append(append(line, `","level":"`...), r.Level.String()...)
	line = append(append(line, `","msg":"`...), r.Message...)
	line = append(line, '"')
	known := true
	r.Attrs(func(a slog.Attr) bool {
		line, known = appendAttr(line, a)
		return known
	})
	return append(line, "}\n"...), known
}

func appendAttr(line []byte, a slog.Attr) ([]byte, bool) {
	if !isPlain(a.Key) {
		return line, false
	}
	line = append(append(append(line, `,"`...), a.Key...), `":`...)
	switch v := a.Value; v.Kind() {
	case slog.KindString:
		text := v.String()
		if !isPlain(text) {
			return line, false
		}
		return append(append(append(line, '"'), text...), '"'), true
	case slog.KindInt64:
		return strconv.AppendInt(line, v.Int64(), 10), true
	case slog.KindUint64:
		return strconv.AppendUint(line, v.Uint64(), 10), true
	case slog.KindBool:
		return strconv.AppendBool(line, v.Bool()), true
	case slog.KindFloat64:
		// Outside of this range encoding/json writes an exponent, or nothing at all.
		f := v.Float64()
		if size := math.Abs(f); f != 0 && !(size >= 1e-6 && size < 1e21) {
			return line, false
		}
		return strconv.AppendFloat(line, f, 'f', -1, 64), true
	}
	return line, false
}
