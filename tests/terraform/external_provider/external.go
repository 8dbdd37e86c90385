package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// external is the data source "external": it runs a program with a JSON object of strings on stdin and takes one from its stdout.
type external struct{}

type model struct {
	Program    types.List   `tfsdk:"program"`
	Query      types.Map    `tfsdk:"query"`
	WorkingDir types.String `tfsdk:"working_dir"`
	Result     types.Map    `tfsdk:"result"`
	ID         types.String `tfsdk:"id"`
}

func newExternal() datasource.DataSource { return external{} }

func (external) Metadata(_ context.Context, _ datasource.MetadataRequest, response *datasource.MetadataResponse) {
	response.TypeName = "external"
}

func (external) Schema(_ context.Context, _ datasource.SchemaRequest, response *datasource.SchemaResponse) {
	response.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"program":     schema.ListAttribute{Required: true, ElementType: types.StringType},
		"query":       schema.MapAttribute{Optional: true, ElementType: types.StringType},
		"working_dir": schema.StringAttribute{Optional: true},
		"result":      schema.MapAttribute{Computed: true, ElementType: types.StringType},
		"id":          schema.StringAttribute{Computed: true},
	}}
}

func (external) Read(ctx context.Context, request datasource.ReadRequest, response *datasource.ReadResponse) {
	var config model
	if response.Diagnostics.Append(request.Config.Get(ctx, &config)...); response.Diagnostics.HasError() {
		return
	}
	answer, err := run(ctx, strings(config.Program.Elements()), query(config.Query), config.WorkingDir.ValueString())
	if err != nil {
		response.Diagnostics.AddError("External Program Execution Failed", err.Error())
		return
	}
	result, diagnostics := types.MapValueFrom(ctx, types.StringType, answer)
	response.Diagnostics.Append(diagnostics...)
	config.Result, config.ID = result, types.StringValue("-")
	response.Diagnostics.Append(response.State.Set(ctx, &config)...)
}

// run has no time limit, and drops what a successful program wrote to stderr: both are the real provider's ways.
func run(ctx context.Context, program []string, query map[string]string, directory string) (map[string]string, error) {
	if len(program) == 0 || program[0] == "" {
		return nil, fmt.Errorf("the program attribute names no program")
	}
	input, err := json.Marshal(query)
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, program[0], program[1:]...)
	command.Dir, command.Stdin, command.Stdout, command.Stderr = directory, bytes.NewReader(input), &stdout, &stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("the program %q failed: %w\n%s", program[0], err, stderr.String())
	}
	var answer map[string]string
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
		return nil, fmt.Errorf("the program %q did not print a JSON object of strings: %w\n%s", program[0], err, stdout.String())
	}
	return answer, nil
}

// query reads null as "", for the protocol has only strings.
func query(values types.Map) map[string]string {
	texts := map[string]string{}
	for name, value := range values.Elements() {
		texts[name] = value.(types.String).ValueString()
	}
	return texts
}

func strings(values []attr.Value) []string {
	texts := make([]string, 0, len(values))
	for _, value := range values {
		texts = append(texts, value.(types.String).ValueString())
	}
	return texts
}
