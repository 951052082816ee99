package redis

import (
	"errors"
	"net"
	"strconv"
	"strings"
)

// slotCount is the number of hash slots of a cluster. A key belongs to a slot, a slot to a master.
const slotCount = 16384

// slotOf is the slot of a key: the CRC16 (XMODEM) of it, or of the first part in braces that is not empty.
func slotOf(key string) int {
	if open := strings.IndexByte(key, '{'); open >= 0 {
		if length := strings.IndexByte(key[open+1:], '}'); length > 0 {
			key = key[open+1 : open+1+length]
		}
	}
	crc := uint16(0)
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slotCount
}

// slotRange says which master holds some slots.
type slotRange struct {
	first, last int
	host        string // and port
}

var errSlots = errors.New("the answer to CLUSTER SLOTS cannot be read")

// slotsFrom reads the answer of CLUSTER SLOTS, of which only the beginning of each element is sure: newer versions add
// to the end. A node that does not know its own address leaves it out; it is then the one that was asked.
func slotsFrom(answer []any, asked string) ([]slotRange, error) {
	var all []slotRange
	for _, element := range answer {
		fields, _ := element.([]any)
		if len(fields) < 3 {
			return nil, errSlots
		}
		first, isFirst := fields[0].(int64)
		last, isLast := fields[1].(int64)
		master, _ := fields[2].([]any)
		if !isFirst || !isLast || first < 0 || last < first || last >= slotCount || len(master) < 2 {
			return nil, errSlots
		}
		host, _ := master[0].(string)
		port, isPort := master[1].(int64)
		if !isPort {
			return nil, errSlots
		}
		all = append(all, slotRange{int(first), int(last), hostOf(host, strconv.FormatInt(port, 10), asked)})
	}
	return all, nil
}

// hostOf is an address that a node gave, which may have left its own host out.
func hostOf(host, port, asked string) string {
	if host == "" || host == "?" {
		host, _, _ = net.SplitHostPort(asked)
	}
	return net.JoinHostPort(host, port)
}

// redirection is what a node answers about a key that is not its own.
type redirection struct {
	host string // and port: who has the key
	ask  bool   // only for this once: the slot is on its way
}

// redirectionFrom reads an error such as "MOVED 3999 127.0.0.1:6381".
func redirectionFrom(err error, asked string) (redirection, bool) {
	if !isAnswer(err) {
		return redirection{}, false
	}
	fields := strings.Fields(err.Error())
	if len(fields) != 3 || fields[0] != "MOVED" && fields[0] != "ASK" {
		return redirection{}, false
	}
	colon := strings.LastIndexByte(fields[2], ':')
	if colon < 0 {
		return redirection{}, false
	}
	host := strings.Trim(fields[2][:colon], "[]")
	return redirection{host: hostOf(host, fields[2][colon+1:], asked), ask: fields[0] == "ASK"}, true
}

// isPassing reports whether err is the answer of a node that will take the call in a moment.
func isPassing(err error) bool {
	if !isAnswer(err) {
		return false
	}
	kind, _, _ := strings.Cut(err.Error(), " ")
	return kind == "TRYAGAIN" || kind == "CLUSTERDOWN" || kind == "LOADING" || kind == "MASTERDOWN"
}
