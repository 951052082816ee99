package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// secretFile is a file that a generated secret is to be written to. It is made before the secret is: one that could not
// be kept would be lost.
type secretFile struct{ file *os.File }

// newSecretFile makes the file, for its owner alone, or nothing if path is empty.
func newSecretFile(path string) (*secretFile, error) {
	if path == "" {
		return &secretFile{}, nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, usage("%s exists already and is not overwritten: name another file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("make secret file: %w", err)
	}
	return &secretFile{file}, nil
}

// wanted reports whether the secret goes to a file and not to the output.
func (s *secretFile) wanted() bool { return s.file != nil }

// write keeps the secret.
func (s *secretFile) write(secret string) error {
	if s.file == nil {
		return nil
	}
	_, err := io.WriteString(s.file, secret+"\n")
	if err := errors.Join(err, s.file.Sync(), s.file.Close()); err != nil {
		return fmt.Errorf("write secret file: %w", err)
	}
	return nil
}

// discard removes the file again when there is no secret for it.
func (s *secretFile) discard() {
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}
