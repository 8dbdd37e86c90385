# Several images in a place that is created in the same apply: its URL, the prefix, is not known before.
# terraform_data stands in for the resource that makes it, like aws_ecr_repository.

terraform {
  required_version = ">= 1.5"
}

variable "registry" {
  description = "Where the images go, like `127.0.0.1:5000`."
  type        = string
}

variable "layout" {
  description = "An OCI image layout folder with a tag: where the images come from."
  type        = string
}

resource "terraform_data" "repository" {
  input = "${var.registry}/mirror"
}

module "images" {
  source = "../.."

  destination_prefix = terraform_data.repository.output
  images = {
    ":stable"   = { source = "oci:${var.layout}" } # a tag of the repository itself
    "tools/app" = { source = "oci:${var.layout}" } # a repository under it, tag "latest"
  }
}

output "ids" {
  value = module.images.ids
}
