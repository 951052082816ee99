package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/node"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/archive"
)

// storeRecord is what there is to know of a store.
type storeRecord struct {
	Store      string         `json:"store"`
	Engine     string         `json:"engine"`
	Size       int64          `json:"file_size,omitempty"`
	Redis      *node.Redis    `json:"redis,omitempty"`
	Servers    *int           `json:"servers,omitempty"`
	Unfinished bool           `json:"unfinished"`
	Time       time.Time      `json:"time"`
	LastEntry  uint64         `json:"last_entry"`
	Counts     *archive.Tally `json:"counts,omitempty"`
	Secrets    []storeSecret  `json:"secrets"`
}

// storeSecret is a system secret under which something in the store was issued.
type storeSecret struct {
	Fingerprint string    `json:"fingerprint"`
	Lapses      time.Time `json:"lapses"`
}

func (a *app) storeInfoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "info", Short: "Show where the store is and what it holds", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			place, loaded, err := a.configuredPlace()
			if err != nil {
				return err
			}
			found, err := readStore(cmd.Context(), place, loaded.Socket())
			if err != nil {
				return err
			}
			return a.show(result{json: encode(found), bare: []string{found.Store}, human: found.show})
		},
	}
}

// readStore looks at the store: through the server that has the data file open, or by itself.
func readStore(ctx context.Context, place node.Place, socket string) (*storeRecord, error) {
	found := &storeRecord{Store: place.String(), Engine: "redis", Secrets: []storeSecret{}}
	if place.Path() != "" {
		found.Engine = "bolt"
		if info, err := os.Stat(place.Path()); err == nil {
			found.Size = info.Size()
		}
		server, err := localServer(socket)
		if err != nil {
			return nil, err
		}
		if server != nil {
			raw, err := server.Call(ctx, http.MethodGet, "/store", nil)
			if err == nil {
				err = json.Unmarshal(raw, found)
			}
			return found, err
		}
	}
	records, err := place.Open(ctx)
	if errors.Is(err, store.ErrUnfinished) {
		found.Unfinished = true
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	return found, errors.Join(found.read(ctx, records), records.Close())
}

// read looks at an open store.
func (r *storeRecord) read(ctx context.Context, records node.Whole) error {
	tally, mark, err := archive.Measure(ctx, records)
	if err != nil {
		return err
	}
	r.Counts, r.Time, r.LastEntry = tally, mark.Now, mark.Seq
	secrets, err := keys.Enrolled(ctx, records)
	if err != nil {
		return err
	}
	for _, s := range secrets {
		r.Secrets = append(r.Secrets, storeSecret{s.Name, s.Expires})
	}
	shared, err := node.AboutRedis(ctx, records)
	if shared != nil {
		r.Redis, r.Servers = &shared.Redis, &shared.Servers
	}
	return err
}

func (r *storeRecord) show(p *page) {
	p.row(r.Store)
	p.field("engine", r.Engine)
	if r.Size > 0 {
		p.field("size", grouped(int(r.Size>>10))+" KB")
	}
	if about := r.Redis; about != nil {
		p.field("version", about.Version)
		p.field("memory", grouped(int(about.Memory>>10))+" KB")
		p.field("policy", about.Policy)
		p.field("append-only file", map[bool]string{true: "yes", false: "no: what was acknowledged may be lost"}[about.AppendOnly])
		p.field("servers", grouped(*r.Servers))
	}
	if r.Unfinished {
		p.field("unfinished", "yes: a copy into it or a restoration was cut short; repeat it")
		return
	}
	if r.Counts != nil {
		counts(p, r.Counts)
	}
	p.field("time", date(r.Time))
	for _, s := range r.Secrets {
		p.field("system secret", s.Fingerprint+", until "+date(s.Lapses))
	}
}
