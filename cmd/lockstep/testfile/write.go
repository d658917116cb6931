package testfile

import (
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// Write writes a file with what was amended. Comments stay; so do blank lines,
// which the YAML library does not know, where they can be carried through it.
func Write(path string, root *yaml.Node) error {
	out, err := Encode(root)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if again, err := Parse(out); err != nil || ShownNode(again.Content[0]) != ShownNode(root.Content[0]) {
		return fmt.Errorf("%s can't be written back as it is: change what is expected by hand", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	fresh := target + ".new"
	if err := os.WriteFile(fresh, out, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(fresh, target)
}
