# An ECR repository and the images in it, in one apply.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
    external = {
      source  = "hashicorp/external"
      version = "~> 2.3"
    }
  }
}

variable "repository" {
  description = "The name of the repository to create."
  type        = string
  default     = "mirror/busybox"
}

variable "source_images" {
  description = "What it holds: each tag, and where the image comes from."
  type        = map(string)
  default = {
    "1.36" = "public.ecr.aws/docker/library/busybox:1.36"
    "1.37" = "public.ecr.aws/docker/library/busybox:1.37"
  }
}

resource "aws_ecr_repository" "mirror" {
  name                 = var.repository
  image_tag_mutability = "MUTABLE" # a tag follows its source
}

module "images" {
  # In your own code, with the repository and the version that you use:
  #   source = "git::https://git.example.com/imagesync.git//modules/images?ref=v0.1.0"
  source = "../../modules/images"

  # Not known before the repository exists, and that is all right: only the look at the destination waits for it.
  destination_prefix = aws_ecr_repository.mirror.repository_url
  images             = { for tag, image in var.source_images : ":${tag}" => { source = image } }

  # If the copies need more than the repository, such as its policy, name that in wait_for. Never write `depends_on`
  # here: it would put off the look at the sources too, and the plan would fail.
}

output "ids" {
  description = "Each image by its tag: ACCOUNT.dkr.ecr.REGION.amazonaws.com/mirror/busybox@sha256:…"
  value       = module.images.ids
}
