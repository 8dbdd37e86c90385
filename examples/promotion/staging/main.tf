# Staging follows upstream: a plan notices a tag that has moved, an apply brings it.

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
  description = "The registry, and the folder in it, that staging runs from."
  type        = string
  default     = "localhost:5000/staging"
}

variable "images" {
  description = "What is mirrored: the name in staging, and where the image comes from."
  type        = map(string)
  default     = { "busybox:1.36" = "docker.io/library/busybox:1.36" }
}

module "images" {
  # In your own code, with the repository and the version that you use:
  #   source = "git::https://git.example.com/imagesync.git//modules/images?ref=v0.1.0"
  source = "../../../modules/images"

  destination_prefix = var.registry
  images             = { for name, source in var.images : name => { source = source } }
  referrers          = true   # signatures and SBOMs belong to what is tried
  on_replace         = "keep" # production may still have the one before
}

output "promotion" {
  description = "What staging has, in the form of a file of variables for production: names, and images by digest."
  value       = { images = module.images.ids }
}
