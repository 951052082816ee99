package config

import (
	"fmt"
	"strconv"
	"strings"
)

// count makes a parser of whole numbers from least to most.
func count(least, most int) func(string) (int, *fault) {
	return func(text string) (int, *fault) {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || text != strconv.FormatInt(n, 10) {
			return 0, &fault{quote(text) + " is not a whole number", fmt.Sprintf("Write a number from %d to %d", least, most)}
		}
		if n < int64(least) || n > int64(most) {
			return 0, &fault{text + " is out of range", fmt.Sprintf("Write a number from %d to %d", least, most)}
		}
		return int(n), nil
	}
}

func hashPasses(text string) (uint32, *fault) {
	n, wrong := count(1, 100)(text)
	return uint32(n), wrong
}

// The memory of a hash in KiB. The least is OWASP's.
const (
	leastHashMemory = 7 << 10
	mostHashMemory  = 4 << 20
)

// parseHashMemory reads a size and returns KiB. A number without a unit is refused, as with durations.
func parseHashMemory(text string) (uint32, *fault) {
	const example = "Write a size with a unit, such as 19MiB"
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		return 0, &fault{text + " has no unit", example}
	}
	for _, unit := range []struct {
		name string
		kib  uint64
	}{{"KiB", 1}, {"MiB", 1 << 10}, {"GiB", 1 << 20}} {
		number, found := strings.CutSuffix(text, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			break
		}
		if kib := n * unit.kib; kib >= leastHashMemory && kib <= mostHashMemory {
			return uint32(kib), nil
		}
		return 0, &fault{quote(text) + " is out of range", "Use 7MiB to 4GiB"}
	}
	return 0, &fault{quote(text) + " is not a size", example}
}
