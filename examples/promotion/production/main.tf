# Production has what was promoted: a digest of staging's, written in a file that is reviewed.

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
  description = "The registry, and the folder in it, that production runs from."
  type        = string
  default     = "localhost:5000/production"
}

variable "images" {
  description = "What was promoted: the name in production, and the image in staging by its digest. It stands in promoted.auto.tfvars.json."
  type        = map(string) # and no default: without that file there is no plan, least of all one that empties production

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("@sha256:[0-9a-f]{64}$", image))])
    error_message = "Each image is promoted by its digest, like \"registry.example.com/staging/busybox@sha256:…\": a tag would move by itself."
  }
}

module "images" {
  # In your own code, with the repository and the version that you use:
  #   source = "git::https://git.example.com/imagesync.git//modules/images?ref=v0.1.0"
  source = "../../../modules/images"

  destination_prefix = var.registry
  images             = { for name, image in var.images : name => { source = image } }
  referrers          = true
  on_replace         = "keep" # what runs in production is told of the new image later, by others
}

output "ids" {
  description = "Each image in production by its name, as the repository and the digest. Known at plan."
  value       = module.images.ids
}
