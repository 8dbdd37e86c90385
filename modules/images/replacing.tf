# What becomes of another image that a tag has: whether it may be replaced, and what keeps it. How:
# docs/how-to/overwriting.md.

locals {
  # What a tag may have but the image that is wanted: anything, nothing, or what it had when this digest was planned
  # first. That is known from two objects of each entry, so a copy that failed is tried again.
  is_foreign = {
    for key, name in local.pinned : name => (
      local.present[name].digest == "" || var.overwrite == "always" ? false :
      local.present[name].digest == local.digests[name] ? (
        var.overwrite == "ours" && contains(local.staying, name) && contains(local.newly_put, name)
      ) :
      var.overwrite == "never" || local.found[name] == local.present[name].digest ? true :
      local.had[name] != local.present[name].digest
    )
  }
  found_first = { for name, entry in terraform_data.entry : name => entry.input }
  found       = { for name in keys(local.entries) : name => lookup(local.found_first, name, local.found_now[name]) }
  found_now = {
    for name, digest in local.digests : name => local.present[name].digest == digest ? "" : local.present[name].digest
  }
  had_now  = { for name, digest in local.digests : name => ["", digest, local.present[name].digest] }
  had_both = { for name, now in local.had_now : name => lookup(local.put_first, name, now) }
  had = { # a plan with -refresh-only has that of another digest
    for name, digest in local.digests : name => (
      local.had_both[name][1] == digest ? local.had_both[name][2] : local.present[name].digest
    )
  }

  foreign = {
    for name, is_foreign in local.is_foreign : name => !is_foreign ? [] : [join("", [
      local.shown_destination[name], " has another image, ", local.present[name].digest,
      var.overwrite == "never" ? ", and overwrite is \"never\"." : ", which this configuration did not put there",
      var.overwrite == "never" ? "" : local.found[name] != local.present[name].digest ? "." : (
        ", or not since overwrite is \"ours\"." # nothing older is remembered
      ),
      " Remove or rename that tag, use another one, or set overwrite = \"always\" for one apply.",
    ])]
  }

  # For sync: what was there at plan is all that may be replaced, so nothing that comes in between is.
  replacing = {
    for name in keys(local.entries) : name => concat(
      var.overwrite == "always" ? [] : [
        "--overwrite",
        var.overwrite == "never" || local.present[name].digest == "" ? "never" : local.present[name].digest,
      ],
      var.on_replace == "retag" ? ["--keep-as", var.keep_as] : [],
    )
  }

  # For delete, which comes after the consumers: until then, one may still run an image that is to go.
  kept_long = var.on_replace != "retag" || var.keep_last == null ? [] : [
    "--keep-as", var.keep_as, "--keep-last", tostring(var.keep_last),
  ]
}

# Remembers somebody else's image that an entry has found; `own` remembers what its tag had when a digest was planned
# first. Once images may stay, or may no longer, `own` is replaced: so all is looked at anew, as at another destination.
resource "terraform_data" "entry" {
  for_each         = var.overwrite == "ours" ? local.names : {}
  input            = local.found_now[each.key]
  triggers_replace = "${local.shown_destination[each.key]}${local.may_stay ? " may stay" : ""}"

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [input]
  }
}
