# An ECR repository and the images in it, in one apply.
#
# Log in first, where terraform runs:
#   aws ecr get-login-password | docker login --username AWS --password-stdin ACCOUNT.dkr.ecr.REGION.amazonaws.com

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

resource "aws_ecr_repository" "busybox" {
  name                 = "mirror/busybox"
  image_tag_mutability = "MUTABLE" # a tag follows its source
}

module "images" {
  # In your own code, with the repository and the version that you use:
  #   source = "git::https://…/imagesync.git//modules/images?ref=v0.1.0"
  source = "../../modules/images"

  # Not known before the repository exists, and that is all right: only the look at the destination waits for it.
  destination_prefix = aws_ecr_repository.busybox.repository_url
  images = {
    ":1.36" = { source = "public.ecr.aws/docker/library/busybox:1.36" }
    ":1.37" = { source = "public.ecr.aws/docker/library/busybox:1.37" }
  }

  # The copies also wait for what the repository needs besides itself, a policy for example. Never write
  # `depends_on` here: it would put off the look at the sources too, and the plan would fail.
  wait_for = aws_ecr_repository.busybox.arn
}

output "ids" {
  description = "Each image by its digest: ACCOUNT.dkr.ecr.REGION.amazonaws.com/mirror/busybox@sha256:…"
  value       = module.images.ids
}
