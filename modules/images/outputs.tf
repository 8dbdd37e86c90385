# Made of the objects' keys and input: known at plan, and yet a consumer waits for the copy, and the removal of an old
# image for the consumer. The objects that there are count: a plan with -refresh-only has no others.

locals {
  # An apply that fails at a consumer leaves an old object beside the new one, and so does -target. Then the object that
  # this plan wants counts, or else the one that was planned last.
  made = { for key in keys(local.found_times) : split("@", key)[0] => key... }
  current = {
    for name, keys in local.made : name => contains(keys, "${name}@${lookup(local.digests, name, "")}") ? (
      "${name}@${local.digests[name]}"
    ) : split(" ", reverse(sort([for key in keys : "${local.first_planned[key]} ${key}"]))[0])[1]
  }

  # Earlier modules left objects, and `terraform import` nothing yet. Not of the resource itself: see first_planned.
  inputs = { for key, image in terraform_data.image : key => image.input }
  places = { for key, input in local.inputs : key => try(input.destination, split(" ", input)[0], "") }
}

output "ids" {
  description = "Each image as `REPOSITORY@DIGEST`, by its key: for consumers. Known at plan if the prefix is."
  value = {
    # The tag is what follows the last ":" if no "/" does; the one of "oci:" or of a port is none.
    for name, key in local.current : name => join("@", [
      regex("^(?:docker://)?((?:oci:)?.*?)(?::[^:/]+)?$", local.places[key])[0], split("@", key)[1],
    ])
  }
}

output "digests" {
  description = "The digest of each image by its key in `images`, like `sha256:…`. Known at plan."
  value       = { for name, key in local.current : name => split("@", key)[1] }
}

output "tags" {
  description = <<-EOT
    The tags that each rule picks, by the key of its entry: the newest version first, other words last. `ids` has each
    as `KEY:TAG`. Known at plan.
  EOT
  value = {
    for key, picks in local.picks : key => [for pick in picks : pick.tag if can(local.made[pick.key])]
  }
}

output "changes" {
  description = <<-EOT
    What this plan changes, by the key in `images`: objects with `change` (new, adopted, moved, missing, overwritten,
    damaged or incomplete), `destination`, the digests `from` and `to`, `layers`, `layers_to_copy`, `bytes`,
    `bytes_to_copy` (null where not asked) and a sentence, `summary`. An output of the root module that has it changes
    with every plan.
  EOT
  value       = local.changes
}
