package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// changes is what a build step does to a copy of the artifacts, by mode.
var changes = map[string]func(out string, files []string) error{
	"echo": echo,
	"sign": signAll,
	// drop forgets one package.
	"drop": func(out string, files []string) error {
		return os.Remove(filepath.Join(out, first(files)))
	},
	// empty forgets all of them.
	"empty": func(out string, files []string) error {
		for _, name := range files {
			if err := os.Remove(filepath.Join(out, name)); err != nil {
				return err
			}
		}
		return nil
	},
	// add brings a package that nobody built.
	"add": func(out string, _ []string) error {
		return os.WriteFile(filepath.Join(out, "extra_1.0_all.deb"), []byte("!<arch>\n"), 0o644)
	},
	// break brings a file with a line break in its name.
	"break": func(out string, _ []string) error {
		return os.WriteFile(filepath.Join(out, "a\nb.exe"), nil, 0o644)
	},
	// payload changes one byte in the last member of a package.
	"payload": func(out string, files []string) error {
		path := filepath.Join(out, first(files))
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		content[len(content)-len(content)/4] ^= 1
		return os.WriteFile(path, content, 0o644)
	},
	// link has a package point to a file of whoever follows it.
	"link": func(out string, files []string) error {
		path := filepath.Join(out, first(files))
		if err := os.Remove(path); err != nil {
			return err
		}
		return os.Symlink("/etc/passwd", path)
	},
}

// first returns the first package.
func first(files []string) string {
	for _, name := range files {
		if strings.HasSuffix(name, ".deb") {
			return name
		}
	}
	return files[0]
}

// work copies /in to /out and changes the copy.
func work(mode string) error {
	change, ok := changes[mode]
	if !ok {
		return fmt.Errorf("there is no mode %q", mode)
	}
	if err := os.CopyFS("/out", os.DirFS("/in")); err != nil {
		return err
	}
	files, err := list("/out")
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("there is nothing to sign")
	}
	return change("/out", files)
}

// list returns the files below root, sorted, relative to it.
func list(root string) ([]string, error) {
	found := []string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var name string
			name, err = filepath.Rel(root, path)
			found = append(found, name)
		}
		return err
	})
	sort.Strings(found)
	return found, err
}

// echo writes down what the signer was given.
func echo(out string, files []string) error {
	given, err := os.ReadFile("/given/request.json")
	if err != nil {
		return err
	}
	manifest := map[string]any{}
	if err := json.Unmarshal(given, &manifest); err != nil {
		return err
	}
	manifest["files"] = files
	if named, err := list("/named"); err == nil {
		manifest["named"] = named
	}
	// Their digests: who reads the manifest can tell that it was the right secret, and not what it is.
	secrets := map[string]string{}
	names, err := list("/run/secrets")
	if err == nil {
		for _, name := range names {
			content, err := os.ReadFile(filepath.Join("/run/secrets", name))
			if err != nil {
				return err
			}
			digest := sha256.Sum256(content)
			secrets[name] = hex.EncodeToString(digest[:])
		}
	}
	manifest["secrets"] = secrets
	text := new(bytes.Buffer)
	encoder := json.NewEncoder(text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(manifest); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "manifest.json"), text.Bytes(), 0o644)
}
