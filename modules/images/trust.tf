# Who has signed what is copied: asked at plan, and once for each image that comes in. How: docs/how-to/trust.md.

locals {
  demands_trust = length(var.trust.rules) > 0 || var.trust.default != "accept"

  # Images that are to be copied, and those planned for the first time at this digest, from this source, or under these
  # rules: what is in place and was verified then is not asked about again. Whatever is copied is asked about in that
  # plan, for `verified` is also made by an apply that leaves a refused image out (-target), or asks only then.
  unverified = !local.demands_trust ? {} : {
    for name, digest in local.digests : name => digest
    if digest == "" ? false : local.is_first[name] ? true : local.present[name].digest != digest
  }
  is_first = {
    for name in keys(local.entries) : name =>
    var.verify_trust == "always" || lookup(local.verified_at, name, plantimestamp()) == plantimestamp()
  }

  verified_at = { for name, verified in terraform_data.verified : name => verified.input }

  # What is in place already and refused now. An apply that leaves it out would make `verified` for it all the same.
  refused_in_place = [
    for name, digest in local.unverified : name
    if length(try(local.trusted[name].refused, [])) == 0 || local.refused[name] == "" ? false : (
      local.present[name].digest == digest
    )
  ]

  trusted = { for name in keys(local.unverified) : name => jsondecode(data.external.trust[0].result[name]) }
  signed  = { for name in keys(local.entries) : name => try(local.trusted[name].signed, "") }
}

# Remembers when an image was first planned. Another digest replaces it, and so do another source and other rules: then
# this is the first time again.
resource "terraform_data" "verified" {
  for_each         = local.demands_trust ? local.names : {}
  input            = plantimestamp()
  triggers_replace = "${local.digests[each.key]} ${md5(jsonencode([var.trust, local.shown_source[each.key]]))}"

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [input]
  }
}

# A read of its own: the source is asked, by the digest that is copied, and whatever the prefix is. Where the source is
# away and the destination's image is gone on with, that one is asked about.
data "external" "trust" {
  count   = local.demands_trust ? 1 : 0 # how many are to be copied may be known at apply only
  program = concat(var.command, ["external"])
  query = {
    trust = jsonencode(var.trust)
    images = jsonencode({
      for name, digest in local.unverified : name => {
        reference = local.entries[name].source
        digest    = contains(local.staying, name) ? digest : local.wanted[name].source_digest
        platforms = contains(local.staying, name) ? [] : local.platforms[name]
      }
    })
  }
}
