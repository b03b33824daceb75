// Command phony is a custom target frontend as somebody else would write it, on BuildKit's own client library, for the
// tests alone. It has two targets:
//
//	report  a folder with report.json, which says what it was asked for, and the spec that it was given
//	fail    an error
//
// Without a target, it makes the report, too.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/gateway/grpcclient"
	"github.com/moby/buildkit/frontend/subrequests/targets"
)

func main() {
	if err := grpcclient.RunFromEnvironment(context.Background(), answer); err != nil {
		fmt.Fprintln(os.Stderr, "phony:", err)
		os.Exit(1)
	}
}

func answer(ctx context.Context, c client.Client) (*client.Result, error) {
	ui, err := dockerui.NewClient(c)
	if err != nil {
		return nil, err
	}
	result, isHandled, err := ui.HandleSubrequest(ctx, dockerui.RequestHandler{ListTargets: list})
	if isHandled || err != nil {
		return result, err
	}
	options := c.BuildOpts().Opts
	switch target := options["target"]; target {
	case "", "report":
		return report(ctx, c, ui, options)
	case "fail":
		return nil, fmt.Errorf("nobody can build this")
	default:
		return nil, fmt.Errorf("there is no target %q", target)
	}
}

func list(context.Context) (*targets.List, error) {
	return &targets.List{Targets: []targets.Target{
		{Description: "everything that there is to know"},
		{Name: "report", Description: "what was asked for"},
		{Name: "fail", Description: "never works"},
	}}, nil
}

// report makes a folder that holds the options and the spec, beside the files of the main context.
func report(ctx context.Context, c client.Client, ui *dockerui.Client, options map[string]string) (*client.Result, error) {
	spec, err := ui.ReadEntrypoint(ctx, "dalec")
	if err != nil {
		return nil, err
	}
	files, err := ui.MainContext(ctx)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]any{"options": options, "spec": string(spec.Data)})
	if err != nil {
		return nil, err
	}
	made := llb.Scratch().File(llb.Mkfile("/report.json", 0o644, text))
	made = made.File(llb.Copy(*files, "/", "/context", &llb.CopyInfo{CopyDirContentsOnly: true, CreateDestPath: true}))
	marshalled, err := made.Marshal(ctx)
	if err != nil {
		return nil, err
	}
	return c.Solve(ctx, client.SolveRequest{Definition: marshalled.ToPB(), Evaluate: true})
}
