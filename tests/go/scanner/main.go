// Command scanner is a scanner for lists of materials as BuildKit wants it, for the tests alone: it says which files
// there are.
package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

func main() {
	if err := scan(os.Getenv("BUILDKIT_SCAN_SOURCE"), os.Getenv("BUILDKIT_SCAN_DESTINATION")); err != nil {
		fmt.Fprintln(os.Stderr, "scanner:", err)
		os.Exit(1)
	}
}

// scan writes a statement about the files below source into the folder destination.
func scan(source, destination string) error {
	files := []map[string]string{}
	err := filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(source, path)
		files = append(files, map[string]string{"fileName": name})
		return err
	})
	if err != nil {
		return err
	}
	statement, err := json.Marshal(map[string]any{
		"_type":         "https://in-toto.io/Statement/v0.1",
		"predicateType": "https://spdx.dev/Document",
		"predicate": map[string]any{
			"SPDXID": "SPDXRef-DOCUMENT", "spdxVersion": "SPDX-2.3", "name": "files", "files": files,
		},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(destination, "sbom.spdx.json"), statement, 0o644)
}
