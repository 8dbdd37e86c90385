# Made of the resource's input: known at plan, and yet a consumer waits for the copy (and the removal of an old image for the consumer).

output "ids" {
  description = "Each image by its key in `images`, as `REPOSITORY@DIGEST`: what consumers should use. Known at plan where the destination is."
  value = {
    # The tag is what follows the last ":" if no "/" does; the one of "oci:" or of a port is none.
    for key, name in local.pinned : name =>
    "${regex("^(?:docker://)?((?:oci:)?.*?)(?::[^:/]+)?$", terraform_data.image[key].input.destination)[0]}@${terraform_data.image[key].input.digest}"
  }
}

output "digests" {
  description = "The digest of each image by its key in `images`, like `sha256:…`. Known at plan."
  value       = { for key, name in local.pinned : name => terraform_data.image[key].input.digest }
}

output "changes" {
  description = "What this plan changes, by the key in `images`: an object with `change` (new, adopted, moved, missing, overwritten, damaged or incomplete), `destination`, the digests `from` and `to`, `layers`, `layers_to_copy`, `bytes` and `bytes_to_copy` (null where not asked), and all in a sentence as `summary`. As an output of the root module it would be a change of every next plan."
  value       = local.changes
}
