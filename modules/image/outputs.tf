output "id" {
  description = "The image as `REPOSITORY@DIGEST`: what consumers should use. Known at plan where the destination is."
  value       = one(values(module.images.ids)) # a plan with -refresh-only after a move has none
}

output "digest" {
  description = "The image's digest, like `sha256:…`. Known at plan."
  value       = one(values(module.images.digests))
}

output "change" {
  description = "What this plan changes, null for nothing: an object with `change` (new, adopted, moved, missing, overwritten, damaged or incomplete), `destination`, the digests `from` and `to`, `layers`, `layers_to_copy`, `bytes` and `bytes_to_copy` (null where not asked), and all in a sentence as `summary`. As an output of the root module it would be a change of every next plan."
  value       = try(module.images.changes[var.destination_image], null)
}
