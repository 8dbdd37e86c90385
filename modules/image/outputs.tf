locals {
  # A plan with -refresh-only has no image before the first apply. After a failed apply there may be two: this one, and
  # that of the former destination.
  ids     = module.images.ids
  digests = module.images.digests
}

output "id" {
  description = "The image as `REPOSITORY@DIGEST`: what consumers should use. Known at plan where the destination is."
  value = (
    contains(keys(local.ids), var.destination_image) ? local.ids[var.destination_image] :
    element(concat(values(local.ids), [null]), 0)
  )
}

output "digest" {
  description = "The image's digest, like `sha256:…`. Known at plan."
  value = (
    contains(keys(local.digests), var.destination_image) ? local.digests[var.destination_image] :
    element(concat(values(local.digests), [null]), 0)
  )
}

output "change" {
  description = "What this plan changes, null for nothing: as an element of `changes` of modules/images."
  value       = try(module.images.changes[var.destination_image], null)
}
