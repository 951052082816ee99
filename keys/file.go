package keys

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// secretFileMax is far more than any list of secrets; a file that is larger is another file.
const secretFileMax = 64 << 10

const secretFileHead = `# System secrets of Safeconduct. Everything that it issues hangs on them: keep this file private, and keep it.
# The first one signs, all of them verify.
`

// LoadFile reads the system secrets from a file. It refuses a file that group or others can read. Its errors name the
// file and the line, never the content.
func LoadFile(path string) ([]Secret, error) {
	secrets, err := loadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read system secrets: %w", err)
	}
	return secrets, nil
}

func loadFile(path string) ([]Secret, error) {
	// Without waiting: the path may be a pipe that nobody writes to.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// Of the opened file, not of the path: nobody can change it in between.
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o, others than its owner could read or change it: run `chmod 600 %s`", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(file, secretFileMax+1))
	if err != nil {
		return nil, err
	}
	if len(text) > secretFileMax {
		return nil, fmt.Errorf("%s is larger than 64 KB: it is not a file of system secrets", path)
	}
	secrets, err := ParseSecrets(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return secrets, nil
}

// GenerateFile makes a file with one new system secret, readable by its owner alone, and returns what is in it. A file
// that exists is left as it is, and the error is fs.ErrExist: another process was first, whose file is to be loaded.
// The file is there in full, and on the disk, or not at all.
func GenerateFile(path string) ([]Secret, error) {
	secret := NewSecret()
	if err := writeNew(path, secretFileHead+secret.Text()+"\n"); err != nil {
		return nil, fmt.Errorf("write system secrets: %w", err)
	}
	return []Secret{secret}, nil
}

func writeNew(path, text string) (err error) {
	folder := filepath.Dir(path)
	temp, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.Remove(temp.Name()))
	}()
	_, err = temp.WriteString(text)
	if err == nil {
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, does not replace what is there.
	if err := os.Link(temp.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

// syncFolder brings the name of a new file to the disk.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
