// A stand-in for the hashicorp/aws provider, so that examples/ecr can be applied without a provider registry or an account.
//
// It knows the one resource that the example uses, aws_ecr_repository with three of its arguments, and talks to the ECR
// API at AWS_ENDPOINT_URL, which in the tests is moto. It signs nothing, is not the real one, and is not published.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

func main() {
	options := providerserver.ServeOpts{Address: "registry.terraform.io/hashicorp/aws"}
	if err := providerserver.Serve(context.Background(), newProvider, options); err != nil {
		log.Fatal(err)
	}
}

type standIn struct{}

func newProvider() provider.Provider { return standIn{} }

func (standIn) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName = "aws"
}

func (standIn) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (standIn) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (standIn) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newRepository}
}

func (standIn) DataSources(context.Context) []func() datasource.DataSource { return nil }
