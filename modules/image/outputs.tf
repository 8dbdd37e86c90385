output "id" {
  description = "The image as `REPOSITORY@DIGEST`: what consumers should use. Known at plan where the destination is."
  value       = module.images.ids[var.destination_image]
}

output "digest" {
  description = "The image's digest, like `sha256:…`. Known at plan."
  value       = module.images.digests[var.destination_image]
}
