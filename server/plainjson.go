package server

import (
	"encoding/json"
	"strconv"
)

// object is a JSON object under construction. The answers of the busiest endpoints are appended: they are flat and their
// members are known, and encoding/json finds that out anew for each.
type object []byte

// newObject begins an object that will be about size bytes long.
func newObject(size int) object { return append(make(object, 0, size), '{') }

func (o object) name(name string) object {
	if len(o) > 1 {
		o = append(o, ',')
	}
	o = append(append(o, '"'), name...)
	return append(o, `":`...)
}

// text adds a member that is a string.
func (o object) text(name, value string) object { return appendText(o.name(name), value) }

// textIfAny adds a member that is a string, unless it is empty.
func (o object) textIfAny(name, value string) object {
	if value == "" {
		return o
	}
	return o.text(name, value)
}

// number adds a member that is a number.
func (o object) number(name string, value int64) object {
	return strconv.AppendInt(o.name(name), value, 10)
}

// truth adds a member that is true or false.
func (o object) truth(name string, value bool) object { return strconv.AppendBool(o.name(name), value) }

// end is the finished object.
func (o object) end() []byte { return append(o, '}') }

// appendText appends a string as encoding/json spells it.
func appendText(dst []byte, text string) []byte {
	if isPlain(text) {
		return append(append(append(dst, '"'), text...), '"')
	}
	spelled, err := json.Marshal(text)
	if err != nil {
		panic("server: encode a string: " + err.Error())
	}
	return append(dst, spelled...)
}

// isPlain reports whether text stands in JSON as it is, also in JSON that is careful about HTML.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}
