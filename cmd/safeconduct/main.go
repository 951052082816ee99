// Command safeconduct runs and operates a Safeconduct authorization server.
package main

import (
	"os"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/cli"
)

func main() { os.Exit(cli.Main()) }
