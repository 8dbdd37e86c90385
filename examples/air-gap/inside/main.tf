# The images of the medium, in the registry behind the gap.

terraform {
  required_version = ">= 1.5"
  required_providers {
    external = {
      source  = "hashicorp/external"
      version = "~> 2.3"
    }
  }
}

variable "archive" {
  description = "The file on the medium that outside/export.sh has written."
  type        = string
  default     = "/media/usb/images.tar"
}

variable "mirror" {
  description = "The registry behind the gap, and the folder in it."
  type        = string
  default     = "localhost:5000/mirror"
}

module "images" {
  # In your own code, with the repository and the version that you use:
  #   source = "git::https://git.example.com/imagesync.git//modules/images?ref=v0.1.0"
  source = "../../../modules/images"

  destination_prefix = var.mirror
  images = {
    "busybox:1.36" = { source = "oci-archive:${var.archive}:busybox-1.36" }
    "pause:3.10"   = { source = "oci-archive:${var.archive}:pause-3.10" }
  }

  source_unavailable = "use_destination" # a plan does not need the medium for what has arrived
}

output "ids" {
  description = "Each image behind the gap by its name, as the repository and the digest."
  value       = module.images.ids
}
