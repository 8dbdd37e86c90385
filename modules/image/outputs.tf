output "id" {
  description = "The image as `REPOSITORY@DIGEST`: what consumers should use. Known at plan where the destination is."
  value       = one(values(module.images.ids)) # a plan with -refresh-only after a move has none
}

output "digest" {
  description = "The image's digest, like `sha256:…`. Known at plan."
  value       = one(values(module.images.digests))
}

output "change" {
  description = "What this plan changes, null for nothing: as an element of `changes` of modules/images."
  value       = try(module.images.changes[var.destination_image], null)
}
