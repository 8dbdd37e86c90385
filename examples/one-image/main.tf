# One image in your registry, under the digest it has at its source.

terraform {
  required_version = ">= 1.5"
  required_providers {
    external = {
      source  = "hashicorp/external"
      version = "~> 2.3"
    }
  }
}

variable "registry" {
  description = "The registry to mirror to."
  type        = string
  default     = "localhost:5000"
}

variable "source_image" {
  description = "The image to mirror."
  type        = string
  default     = "docker.io/library/busybox:1.36"
}

module "busybox" {
  # In your own code, with the repository and the version that you use:
  #   source = "git::https://git.example.com/imagesync.git//modules/image?ref=v0.1.0"
  source = "../../modules/image"

  source_image      = var.source_image
  destination_image = "${var.registry}/mirror/busybox:1.36"
}

output "busybox" {
  description = "What a task definition, a chart or a function is given: the repository and the digest. Known at plan."
  value       = module.busybox.id
}
