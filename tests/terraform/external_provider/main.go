// A stand-in for the hashicorp/external provider, so that the tests need no provider registry.
//
// It knows the one data source that the modules use and behaves like the real one in what they rely on. It is not the
// real one, is not published, and has no resources and no provider configuration.
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
	// Terraform and OpenTofu compare no host here: the mirror's folder names say whose provider this stands in for.
	options := providerserver.ServeOpts{Address: "registry.terraform.io/hashicorp/external"}
	if err := providerserver.Serve(context.Background(), newProvider, options); err != nil {
		log.Fatal(err)
	}
}

type standIn struct{}

func newProvider() provider.Provider { return standIn{} }

func (standIn) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName = "external"
}

func (standIn) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (standIn) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (standIn) Resources(context.Context) []func() resource.Resource { return nil }

func (standIn) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{newExternal}
}
