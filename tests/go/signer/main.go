// Command signer is a signer as somebody else would write it: a gateway frontend on BuildKit's own client library, for
// the tests alone. The first word of its cmdline (or the build argument SIGNER_MODE) says how it behaves.
//
// Well-behaved modes do their work in a build step with the signer's own image as its root:
//
//	echo    add manifest.json, which says what the signer was given: options, inputs, files, secrets' digests
//	sign    append a detached OpenPGP signature to every .deb, with the key in the secret signing-key
//	none    answer with what came in
//
// The others are those that misbehave; misbehave.go and work.go list them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/gateway/grpcclient"
	"github.com/moby/buildkit/solver/pb"
)

// definition is where BuildKit leaves the graph of the frontend's own image.
const definition = "/run/config/buildkit/metadata/frontend.bin"

func main() {
	var err error
	if len(os.Args) > 2 && os.Args[1] == "work" {
		err = work(os.Args[2])
	} else {
		err = grpcclient.RunFromEnvironment(context.Background(), sign)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "signer:", err)
		os.Exit(1)
	}
}

// request is what the signer was asked for.
type request struct {
	client    client.Client
	mode      string
	options   map[string]string
	artifacts llb.State
	named     *llb.State
}

func sign(ctx context.Context, c client.Client) (*client.Result, error) {
	options := c.BuildOpts().Opts
	mode, _, _ := strings.Cut(options["cmdline"], " ")
	if set := options["build-arg:SIGNER_MODE"]; set != "" {
		mode = set
	}
	if options["dalec.target"] == "" {
		return nil, fmt.Errorf("dalec.target is not set")
	}
	ui, err := dockerui.NewClient(c)
	if err != nil {
		return nil, err
	}
	artifacts, err := ui.MainContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("no main context: %w", err)
	}
	r := &request{client: c, mode: mode, options: options, artifacts: *artifacts}
	if name := options["build-arg:SIGNER_CONTEXT"]; name != "" {
		named, err := ui.NamedContext(name, dockerui.ContextOpt{})
		if err != nil {
			return nil, err
		}
		if named == nil {
			return nil, fmt.Errorf("no context is named %s", name)
		}
		if r.named, _, err = named.Load(ctx); err != nil {
			return nil, err
		}
	}
	if misbehave, ok := misbehaviour[mode]; ok {
		return misbehave(ctx, r)
	}
	return r.solve(ctx, r.work)
}

// solve marshals and solves what state returns.
func (r *request) solve(ctx context.Context, state func(context.Context) (llb.State, error)) (*client.Result, error) {
	made, err := state(ctx)
	if err != nil {
		return nil, err
	}
	marshalled, err := made.Marshal(ctx)
	if err != nil {
		return nil, err
	}
	return r.client.Solve(ctx, client.SolveRequest{Definition: marshalled.ToPB(), Evaluate: true})
}

// unchanged returns the artifacts as they came.
func (r *request) unchanged(context.Context) (llb.State, error) {
	return r.artifacts, nil
}

// work returns what this program makes of the artifacts in a build step.
func (r *request) work(ctx context.Context) (llb.State, error) {
	if r.mode == "none" {
		return r.artifacts, nil
	}
	self, err := self()
	if err != nil {
		return llb.State{}, err
	}
	manifest, err := r.manifest(ctx)
	if err != nil {
		return llb.State{}, err
	}
	given := llb.Scratch().File(llb.Mkfile("/request.json", 0o600, manifest))
	options := []llb.RunOption{
		llb.Args([]string{"/signer", "work", r.mode}),
		llb.AddMount("/in", r.artifacts, llb.Readonly),
		llb.AddMount("/given", given, llb.Readonly),
		llb.Network(pb.NetMode_NONE),
		llb.WithCustomName("signer: " + r.mode),
	}
	if r.named != nil {
		options = append(options, llb.AddMount("/named", *r.named, llb.Readonly))
	}
	for _, id := range strings.Split(r.options["build-arg:SIGNER_SECRETS"], ",") {
		if id != "" {
			options = append(options, llb.AddSecret("/run/secrets/"+id, llb.SecretID(id)))
		}
	}
	return self.Run(options...).AddMount("/out", llb.Scratch()), nil
}

// manifest describes what the signer was given, as JSON.
func (r *request) manifest(ctx context.Context) ([]byte, error) {
	inputs, err := r.client.Inputs(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(inputs))
	for name := range inputs {
		names = append(names, name)
	}
	sort.Strings(names)
	return json.Marshal(map[string]any{"options": r.options, "inputs": names})
}

// self returns the signer's own image as a state.
func self() (llb.State, error) {
	bytes, err := os.ReadFile(definition)
	if err != nil {
		return llb.State{}, err
	}
	graph := new(pb.Definition)
	if err := graph.Unmarshal(bytes); err != nil {
		return llb.State{}, err
	}
	op, err := llb.NewDefinitionOp(graph)
	if err != nil {
		return llb.State{}, err
	}
	return llb.NewState(op), nil
}
