# Many images, from several registries, with two reads a plan however many there are.

terraform {
  required_version = ">= 1.5"
}

variable "mirror" {
  description = "The registry, and the folder in it, that everything is mirrored to."
  type        = string
  default     = "localhost:5000/mirror"
}

module "images" {
  # In your own code, with the repository and the version that you use:
  #   source = "git::https://…/imagesync.git//modules/images?ref=v0.1.0"
  source = "../../modules/images"

  destination_prefix = var.mirror
  images = {
    "busybox:1.36"      = { source = "docker.io/library/busybox:1.36" }
    "pause:3.10"        = { source = "registry.k8s.io/pause:3.10" }
    "prometheus:latest" = { source = "quay.io/prometheus/prometheus:latest" }
  }

  on_replace         = "keep"            # old releases stay, for roll-backs
  source_unavailable = "use_destination" # a plan needs no upstream for what is mirrored already
}

output "prometheus" {
  description = "The mirrored image of one entry, by its key."
  value       = module.images.ids["prometheus:latest"]
}
