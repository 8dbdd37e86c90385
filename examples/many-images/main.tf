# Many images, from several registries, with two reads a plan however many there are.

terraform {
  required_version = ">= 1.5"
  required_providers {
    external = {
      source  = "hashicorp/external"
      version = "~> 2.3"
    }
  }
}

variable "mirror" {
  description = "The registry, and the folder in it, that everything is mirrored to."
  type        = string
  default     = "localhost:5000/mirror"
}

variable "images" {
  description = "What is mirrored: the name in the mirror, and where the image comes from."
  type        = map(string)
  default = {
    "busybox:1.36"      = "docker.io/library/busybox:1.36"
    "pause:3.10"        = "registry.k8s.io/pause:3.10"
    "prometheus:latest" = "quay.io/prometheus/prometheus:latest"
  }
}

module "images" {
  # In your own code, with the repository and the version that you use:
  #   source = "git::https://git.example.com/imagesync.git//modules/images?ref=v0.1.0"
  source = "../../modules/images"

  destination_prefix = var.mirror
  images             = { for name, source in var.images : name => { source = source } }

  on_replace         = "keep"            # old releases stay, for roll-backs
  source_unavailable = "use_destination" # a plan needs no upstream for what is mirrored already
}

output "ids" {
  description = "Each mirrored image by its name, as the repository and the digest. Known at plan."
  value       = module.images.ids
}
