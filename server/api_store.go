package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/scopes"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/archive"
)

const (
	// backupStep is how much of a backup is sent under one time limit.
	backupStep = 1 << 20
	// backupWrite bounds the sending of such a piece: who does not read is cut off.
	backupWrite = 30 * time.Second
	contentBin  = "application/octet-stream"
)

// storeRoutes are for the operator of this machine alone: no token opens them. They show, and give away, everything that
// the store holds.
func (s *Server) storeRoutes() []route {
	return []route{
		{http.MethodGet, "/store", nil, s.showStore},
		{http.MethodPost, "/store/backup", nil, s.backupStore},
	}
}

// localOnly hides what is behind it from everybody but the operator.
func (s *Server) localOnly(c *gin.Context) {
	if !isLocal(c.Request.Context()) {
		s.fail(c, notFound("this path"))
		return
	}
	c.Request = c.Request.WithContext(scopes.WithToken(c.Request.Context(), s.operator()))
}

// storeJSON is what the store holds.
type storeJSON struct {
	Now       time.Time      `json:"time"`
	LastEntry uint64         `json:"last_entry"`
	Counts    *archive.Tally `json:"counts"`
	Secrets   []enrolledJSON `json:"secrets"`
}

// enrolledJSON names a system secret.
type enrolledJSON struct {
	Fingerprint string    `json:"fingerprint"`
	Lapses      time.Time `json:"lapses"`
}

func (s *Server) showStore(c *gin.Context) {
	out, err := s.measureStore(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	writeJSON(c, http.StatusOK, out)
}

func (s *Server) measureStore(c *gin.Context) (*storeJSON, error) {
	walker, err := s.walker()
	if err != nil {
		return nil, err
	}
	if err := unhurried(c); err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	tally, mark, err := archive.Measure(c.Request.Context(), walker)
	if err != nil {
		return nil, err
	}
	enrolled, err := keys.Enrolled(c.Request.Context(), s.store)
	if err != nil {
		return nil, err
	}
	out := &storeJSON{Now: mark.Now, LastEntry: mark.Seq, Counts: tally, Secrets: []enrolledJSON{}}
	for _, m := range enrolled {
		out.Secrets = append(out.Secrets, enrolledJSON{m.Name, m.Expires})
	}
	return out, nil
}

// unhurried lifts the limits on a connection, which are those of short answers, while a whole store is read: the one on
// reading would end the request's context.
func unhurried(c *gin.Context) error {
	err := http.NewResponseController(c.Writer).SetReadDeadline(time.Time{})
	if errors.Is(err, http.ErrNotSupported) {
		err = nil // a call within the process has no limits
	}
	return errors.Join(err, writeBy(c, time.Time{}))
}

func writeBy(c *gin.Context, deadline time.Time) error {
	err := http.NewResponseController(c.Writer).SetWriteDeadline(deadline)
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

func (s *Server) walker() (store.Walker, error) {
	walker, ok := s.store.(store.Walker)
	if !ok {
		return nil, fmt.Errorf("read the store: a %T cannot tell all that it holds", s.store)
	}
	return walker, nil
}

// backupStore makes a backup and sends it. It is written to a file without a name first, so that a slow reader does not
// hold up the store.
func (s *Server) backupStore(c *gin.Context) {
	walker, err := s.walker()
	if err != nil {
		s.fail(c, err)
		return
	}
	file, err := os.CreateTemp(s.workDir, ".backup-*")
	if err != nil {
		s.fail(c, fmt.Errorf("make a backup: %w", err))
		return
	}
	defer file.Close()
	err = errors.Join(os.Remove(file.Name()), unhurried(c))
	if err == nil {
		err = archive.Write(c.Request.Context(), file, walker, s.store.Now(), func(*archive.Tally) {})
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		s.fail(c, fmt.Errorf("make a backup: %w", err))
		return
	}
	s.auditAdmin(c, "store.backup", "")
	c.Header("Content-Type", contentBin)
	c.Status(http.StatusOK)
	for {
		// The backup's own checksum tells its reader that it was cut off here.
		if writeBy(c, time.Now().Add(backupWrite)) != nil {
			return
		}
		if _, err := io.CopyN(c.Writer, file, backupStep); err != nil {
			return
		}
	}
}
