package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// key is where the build step finds the OpenPGP private key.
const key = "/run/secrets/signing-key"

// magic opens every ar archive.
const magic = "!<arch>\n"

// signAll signs every package below out.
func signAll(out string, files []string) error {
	armored, err := os.Open(key)
	if err != nil {
		return err
	}
	defer armored.Close()
	keys, err := openpgp.ReadArmoredKeyRing(armored)
	if err != nil {
		return err
	}
	for _, name := range files {
		if strings.HasSuffix(name, ".deb") {
			if err := signDeb(filepath.Join(out, name), keys[0]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// signDeb appends the member _gpgorigin: a detached signature over the three members of the package, one after the
// other, without what ar puts around them.
func signDeb(path string, key *openpgp.Entity) error {
	deb, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	signed, err := members(deb)
	if err != nil {
		return err
	}
	signature := new(bytes.Buffer)
	err = openpgp.DetachSign(signature, key, bytes.NewReader(signed), &packet.Config{})
	if err != nil {
		return err
	}
	header := fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10d`\n", "_gpgorigin", 0, 0, 0, "100644", signature.Len())
	deb = append(append(deb, header...), signature.Bytes()...)
	if signature.Len()%2 == 1 {
		deb = append(deb, '\n')
	}
	return os.WriteFile(path, deb, 0o644)
}

// members returns the contents of all members of an ar archive.
func members(archive []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(archive, []byte(magic))
	if !ok {
		return nil, errors.New("no ar archive")
	}
	var contents []byte
	for len(rest) >= 60 {
		var size int
		if _, err := fmt.Sscanf(string(rest[48:58]), "%d", &size); err != nil || size > len(rest)-60 {
			return nil, errors.New("a damaged ar archive")
		}
		contents = append(contents, rest[60:60+size]...)
		rest = rest[min(len(rest), 60+size+size%2):]
	}
	return contents, nil
}
