# What becomes of another image that a tag has: whether it may be replaced, and what keeps it. How:
# docs/how-to/overwriting.md.

locals {
  # What a tag may have but the image that is wanted: anything, nothing, or what it had when this digest was planned
  # first. That is known from an object of each entry and of each digest, so a copy that failed is tried again.
  is_foreign = {
    for key, name in local.pinned : name => (
      contains(["", local.digests[name]], local.present[name].digest) || var.overwrite == "always" ? false :
      var.overwrite == "never" || local.is_new_entry[name] ? true :
      !contains([local.had[key]], local.present[name].digest)
    )
  }
  is_new_entry = {
    for name in keys(var.images) : name => try(terraform_data.entry[name].input, plantimestamp()) == plantimestamp()
  }
  had = { for key, name in local.pinned : key => try(terraform_data.had[key].input, local.present[name].digest) }

  foreign = {
    for name, is_foreign in local.is_foreign : name => !is_foreign ? [] : [join("", [
      local.shown_destination[name], " has another image, ", local.present[name].digest,
      var.overwrite == "never" ? ", and overwrite is \"never\"." : ", which this configuration did not put there.",
      " Remove or rename that tag, use another one, or set overwrite = \"always\".",
    ])]
  }

  # For sync: what was there at plan is all that may be replaced, so nothing that comes in between is.
  replacing = {
    for name in keys(var.images) : name => concat(
      var.overwrite == "always" ? [] : [
        "--overwrite",
        var.overwrite == "never" || local.present[name].digest == "" ? "never" : local.present[name].digest,
      ],
      var.on_replace == "retag" ? ["--keep-as", var.keep_as] : [],
      var.on_replace == "retag" && var.keep_last != null ? ["--keep-last", tostring(var.keep_last)] : [],
    )
  }
}

# Remembers that an entry was planned before, and below, what its tag had when a digest was planned first.
resource "terraform_data" "entry" {
  for_each = var.overwrite == "ours" ? var.images : {}
  input    = plantimestamp()

  lifecycle { ignore_changes = [input] }
}

resource "terraform_data" "had" {
  for_each = var.overwrite == "ours" ? local.pinned : {}
  input    = local.present[each.value].digest

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [input]
  }
}
