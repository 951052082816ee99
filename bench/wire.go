package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// exchangeTimeout bounds one request: a server that hangs must not hang the benchmark.
const exchangeTimeout = 10 * time.Second

// wire is the client's end of one HTTP/1.1 connection. It speaks just what the benchmark needs, because the generator
// shares its core with Redis and must be cheap.
type wire struct {
	conn     net.Conn
	in       *bufio.Reader
	answer   answer
	deadline time.Time
}

// answer is what the benchmark looks at of an answer. It is good until the next exchange.
type answer struct {
	status         int
	location, body []byte
}

// dial connects from an address of the loopback network, or from any where that one cannot be had.
func dial(to endpoint, from net.IP) (*wire, error) {
	dialer := net.Dialer{Timeout: exchangeTimeout, LocalAddr: &net.TCPAddr{IP: from}}
	conn, err := dialer.Dial("tcp", to.address)
	if err != nil {
		dialer.LocalAddr = nil
		if conn, err = dialer.Dial("tcp", to.address); err != nil {
			return nil, err
		}
	}
	if to.tls != nil {
		conn = tls.Client(conn, to.tls)
	}
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}, nil
}

func (w *wire) close() { _ = w.conn.Close() }

// exchange sends a request and reads its answer.
func (w *wire) exchange(request []byte) (answer, error) {
	a := &w.answer
	if now := time.Now(); w.deadline.Sub(now) < exchangeTimeout/2 {
		w.deadline = now.Add(exchangeTimeout)
		if err := w.conn.SetDeadline(w.deadline); err != nil {
			return answer{}, err
		}
	}
	if _, err := w.conn.Write(request); err != nil {
		return answer{}, fmt.Errorf("send a request: %w", err)
	}
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return answer{}, fmt.Errorf("read an answer: %w", err)
	}
	if len(line) < 12 {
		return answer{}, errors.New("read an answer: no status line")
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return answer{}, errors.New("read an answer: no status")
	}
	length, err := w.headers()
	if err != nil {
		return answer{}, err
	}
	a.body = a.body[:0]
	if length == inChunks {
		err = w.chunks()
	} else {
		err = w.read(length)
	}
	if err != nil {
		return answer{}, fmt.Errorf("read the body of an answer: %w", err)
	}
	return *a, nil
}

// read reads the next n bytes of the body.
func (w *wire) read(n int) error {
	have := len(w.answer.body)
	w.answer.body = slices.Grow(w.answer.body, n)[:have+n]
	_, err := io.ReadFull(w.in, w.answer.body[have:])
	return err
}

// chunks reads a body whose length nobody knew before (RFC 9112 §7.1).
func (w *wire) chunks() error {
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte{';'})
		n, err := strconv.ParseUint(string(size), 16, 24)
		if err != nil {
			return err
		}
		if err := w.read(int(n)); err != nil {
			return err
		}
		if _, err := w.in.Discard(len("\r\n")); err != nil || n == 0 {
			return err
		}
	}
}

// inChunks stands in the place of a length that is not known before.
const inChunks = -2

// headers reads to the end of the headers and returns the length of the body.
func (w *wire) headers() (length int, err error) {
	length = -1
	w.answer.location = w.answer.location[:0]
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return 0, fmt.Errorf("read the headers of an answer: %w", err)
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if value, is := header(line, "Content-Length"); is {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, errors.New("read the headers of an answer: no length")
			}
		}
		if value, is := header(line, "Transfer-Encoding"); is && strings.EqualFold(string(value), "chunked") {
			length = inChunks
		}
		if value, is := header(line, "Location"); is {
			w.answer.location = append(w.answer.location, value...)
		}
	}
	if length < 0 && length != inChunks {
		return 0, errors.New("read the headers of an answer: the body has no length")
	}
	return length, nil
}

// header is the value of a line of the headers, if it is the one of that name.
func header(line []byte, name string) (value []byte, is bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !strings.EqualFold(string(line[:len(name)]), name) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name)+1:]), true
}

// basic is an Authorization header. Ids and secrets of ours have no character that needs escaping.
func basic(id, secret string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret)) + "\r\n"
}

// head is the unchanging part of a form request.
func head(host, path, authorization string) []byte {
	return []byte("POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + authorization +
		"User-Agent: safeconduct-bench\r\nAccept: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ")
}

// appendForm appends a request with a body of one or more pieces.
func appendForm(dst, head []byte, pieces ...string) []byte {
	length := 0
	for _, p := range pieces {
		length += len(p)
	}
	dst = append(dst, head...)
	dst = strconv.AppendInt(dst, int64(length), 10)
	dst = append(dst, "\r\n\r\n"...)
	for _, p := range pieces {
		dst = append(dst, p...)
	}
	return dst
}
