package main

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// repository is the resource "aws_ecr_repository": what is computed is known only once it has been created.
type repository struct{}

type model struct {
	Name          types.String `tfsdk:"name"`
	TagMutability types.String `tfsdk:"image_tag_mutability"`
	ForceDelete   types.Bool   `tfsdk:"force_delete"`
	ID            types.String `tfsdk:"id"`
	ARN           types.String `tfsdk:"arn"`
	RegistryID    types.String `tfsdk:"registry_id"`
	URL           types.String `tfsdk:"repository_url"`
}

type described struct {
	ARN        string `json:"repositoryArn"`
	RegistryID string `json:"registryId"`
	Name       string `json:"repositoryName"`
	URI        string `json:"repositoryUri"`
	Mutability string `json:"imageTagMutability"`
}

func newRepository() resource.Resource { return repository{} }

func (repository) Metadata(_ context.Context, _ resource.MetadataRequest, response *resource.MetadataResponse) {
	response.TypeName = "aws_ecr_repository"
}

func (repository) Schema(_ context.Context, _ resource.SchemaRequest, response *resource.SchemaResponse) {
	computed := schema.StringAttribute{
		Computed:      true,
		PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
	}
	response.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"name": schema.StringAttribute{
			Required:      true,
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
		"image_tag_mutability": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString("MUTABLE"),
		},
		"force_delete":   schema.BoolAttribute{Optional: true, Computed: true, Default: booldefault.StaticBool(false)},
		"id":             computed,
		"arn":            computed,
		"registry_id":    computed,
		"repository_url": computed,
	}}
}

func (repository) Create(ctx context.Context, request resource.CreateRequest, response *resource.CreateResponse) {
	var plan model
	if response.Diagnostics.Append(request.Plan.Get(ctx, &plan)...); response.Diagnostics.HasError() {
		return
	}
	var answer struct{ Repository described }
	err := call(ctx, "CreateRepository", map[string]any{
		"repositoryName": plan.Name.ValueString(), "imageTagMutability": plan.TagMutability.ValueString(),
	}, &answer)
	if err != nil {
		response.Diagnostics.AddError("creating ECR Repository", err.Error())
		return
	}
	plan.take(answer.Repository)
	response.Diagnostics.Append(response.State.Set(ctx, &plan)...)
}

func (repository) Read(ctx context.Context, request resource.ReadRequest, response *resource.ReadResponse) {
	var state model
	if response.Diagnostics.Append(request.State.Get(ctx, &state)...); response.Diagnostics.HasError() {
		return
	}
	var answer struct{ Repositories []described }
	names := []string{state.ID.ValueString()}
	err := call(ctx, "DescribeRepositories", map[string]any{"repositoryNames": names}, &answer)
	if err != nil && strings.Contains(err.Error(), "RepositoryNotFoundException") {
		response.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		response.Diagnostics.AddError("reading ECR Repository", err.Error())
		return
	}
	state.take(answer.Repositories[0])
	response.Diagnostics.Append(response.State.Set(ctx, &state)...)
}

func (repository) Update(ctx context.Context, request resource.UpdateRequest, response *resource.UpdateResponse) {
	var plan model
	if response.Diagnostics.Append(request.Plan.Get(ctx, &plan)...); response.Diagnostics.HasError() {
		return
	}
	err := call(ctx, "PutImageTagMutability", map[string]any{
		"repositoryName": plan.Name.ValueString(), "imageTagMutability": plan.TagMutability.ValueString(),
	}, &struct{}{})
	if err != nil {
		response.Diagnostics.AddError("updating ECR Repository", err.Error())
		return
	}
	response.Diagnostics.Append(response.State.Set(ctx, &plan)...)
}

func (repository) Delete(ctx context.Context, request resource.DeleteRequest, response *resource.DeleteResponse) {
	var state model
	if response.Diagnostics.Append(request.State.Get(ctx, &state)...); response.Diagnostics.HasError() {
		return
	}
	err := call(ctx, "DeleteRepository", map[string]any{
		"repositoryName": state.ID.ValueString(), "force": state.ForceDelete.ValueBool(),
	}, &struct{}{})
	if err != nil {
		response.Diagnostics.AddError("deleting ECR Repository", err.Error())
	}
}

func (m *model) take(from described) {
	m.ID, m.Name = types.StringValue(from.Name), types.StringValue(from.Name)
	m.ARN, m.RegistryID = types.StringValue(from.ARN), types.StringValue(from.RegistryID)
	m.URL, m.TagMutability = types.StringValue(from.URI), types.StringValue(from.Mutability)
}
