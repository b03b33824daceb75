package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/gateway/client"
)

// misbehaviour is what goes wrong before or after any build step; what a step does wrong is in work.go.
var misbehaviour = map[string]func(context.Context, *request) (*client.Result, error){
	// nothing answers without a result.
	"nothing": func(context.Context, *request) (*client.Result, error) {
		return client.NewResult(), nil
	},
	// several answers with two results.
	"several": func(ctx context.Context, r *request) (*client.Result, error) {
		one, err := r.solve(ctx, r.unchanged)
		if err != nil {
			return nil, err
		}
		ref, err := one.SingleRef()
		if err != nil {
			return nil, err
		}
		result := client.NewResult()
		result.AddRef("linux/amd64", ref)
		result.AddRef("linux/arm64", ref)
		return result, nil
	},
	// refuse answers with an error, as a signer does that has no key.
	"refuse": func(context.Context, *request) (*client.Result, error) {
		return nil, fmt.Errorf("the key is locked away")
	},
	// crash ends without an answer.
	"crash": func(context.Context, *request) (*client.Result, error) {
		panic("the signer fell over")
	},
	// leave ends in order, but without an answer.
	"leave": func(context.Context, *request) (*client.Result, error) {
		os.Exit(0)
		return nil, nil
	},
	// hang never ends.
	"hang": func(context.Context, *request) (*client.Result, error) {
		select {}
	},
	// garbage writes what is no protocol to where the protocol is spoken, for as long as somebody reads it, and ends:
	// BuildKit itself waits for that.
	"garbage": func(context.Context, *request) (*client.Result, error) {
		go flood(os.Stdout, 16<<20)
		time.Sleep(2 * time.Second)
		os.Exit(1)
		return nil, nil
	},
	// chatter writes much to standard error, and then fails.
	"chatter": func(context.Context, *request) (*client.Result, error) {
		if err := flood(os.Stderr, 64<<20); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("said all there is to say")
	},
	// unknown answers with somebody else's words for a graph.
	"unknown": func(ctx context.Context, r *request) (*client.Result, error) {
		return r.client.Solve(ctx, client.SolveRequest{Frontend: "no-such-frontend.v0"})
	},
	// escape asks for the client's files under a name that nobody gave it.
	"escape": func(ctx context.Context, r *request) (*client.Result, error) {
		return r.solve(ctx, func(context.Context) (llb.State, error) {
			return llb.Local("../../../etc"), nil
		})
	},
}

func flood(out io.Writer, bytes int) error {
	line := strings.Repeat("words without end ", 56) + "\n"
	for written := 0; written < bytes; written += len(line) {
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	return nil
}
