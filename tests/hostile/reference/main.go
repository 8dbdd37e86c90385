// Reads references, one a line, and says how github.com/distribution/reference reads each:
// "host path tag digest" with tabs between, or "-" where it refuses.
package main

import (
	"bufio"
	"os"

	_ "crypto/sha256"
	_ "crypto/sha512"

	"github.com/distribution/reference"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		out.WriteString(read(lines.Text()))
		out.WriteByte('\n')
	}
}

func read(text string) string {
	named, err := reference.ParseDockerRef(text)
	if err != nil {
		return "-"
	}
	tag, digest := "", ""
	if digested, ok := named.(reference.Digested); ok {
		digest = digested.Digest().String()
	}
	if full, err := reference.ParseNormalizedNamed(text); err == nil {
		if tagged, ok := reference.TagNameOnly(full).(reference.Tagged); ok {
			tag = tagged.Tag()
		}
	}
	return reference.Domain(named) + "\t" + reference.Path(named) + "\t" + tag + "\t" + digest
}
