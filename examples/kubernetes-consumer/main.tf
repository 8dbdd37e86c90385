# A Deployment that runs a mirrored image by its digest, and follows it.
#
# Terraform copies the new image, hands the cluster the new Deployment, waits until no pod runs the old image any more,
# and only then removes that one.

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
  description = "The registry, and the folder in it, that the cluster pulls from."
  type        = string
  default     = "localhost:5000/mirror"
}

variable "source_image" {
  description = "The image to mirror and to run."
  type        = string
  default     = "docker.io/library/nginx:1.27"
}

variable "namespace" {
  description = "The namespace of the Deployment; it must exist."
  type        = string
  default     = "default"
}

module "images" {
  # In your own code, with the repository and the version that you use:
  #   source = "git::https://git.example.com/imagesync.git//modules/images?ref=v0.1.0"
  source = "../../modules/images"

  destination_prefix = var.mirror
  images             = { "nginx:1.27" = { source = var.source_image } }
}

locals {
  deployment = {
    apiVersion = "apps/v1"
    kind       = "Deployment"
    metadata   = { name = "web", namespace = var.namespace }
    spec = {
      replicas = 2
      selector = { matchLabels = { app = "web" } }
      template = {
        metadata = { labels = { app = "web" } }
        spec = {
          containers = [{
            name      = "nginx"
            image     = module.images.ids["nginx:1.27"] # the digest: a tag that moves would tell the cluster nothing
            ports     = [{ containerPort = 80 }]
            resources = { requests = { cpu = "50m", memory = "32Mi" }, limits = { memory = "128Mi" } }
          }]
        }
      }
    }
  }
}

# With the provider hashicorp/kubernetes instead: resource "kubernetes_manifest" "web" { manifest = local.deployment }
resource "terraform_data" "web" {
  triggers_replace = yamlencode(local.deployment)

  provisioner "local-exec" {
    command     = "printf %s \"$MANIFEST\" | kubectl apply -f - && kubectl rollout status -n \"$NAMESPACE\" deployment/web --timeout=5m"
    environment = { MANIFEST = self.triggers_replace, NAMESPACE = var.namespace }
  }

  provisioner "local-exec" {
    when        = destroy
    command     = "printf %s \"$MANIFEST\" | kubectl delete --ignore-not-found -f -"
    environment = { MANIFEST = self.triggers_replace }
  }

  lifecycle {
    create_before_destroy = true # a new image then updates the Deployment, and nothing deletes it in between
  }
}

output "manifest" {
  description = "The Deployment as it is applied, for whoever applies it by another way. The image in it is known at plan."
  value       = yamlencode(local.deployment)
}
