# Looks up what references stand for, at every plan. Writes nowhere.

locals {
  # A map has its keys; a list or a set is keyed by the references themselves.
  references = merge(
    { for key, reference in var.references : key => reference if !can(tolist(var.references)) },
    { for reference in try(toset(tolist(var.references)), []) : reference => reference },
  )

  # A message with a sensitive value would be withheld. What is shown here is no secret.
  shown = { for key, reference in local.references : key => try(nonsensitive(reference), reference) }
}

# An image that cannot be read is an answer too (kind, error): a failed read would block a destroy.
data "external" "images" {
  count   = length(local.references) == 0 ? 0 : 1
  program = concat(var.command, ["external"])
  query = {
    rules = jsonencode({ allowed_sources = var.allowed_sources })
    images = jsonencode({
      for key, reference in local.references : key => {
        reference = reference
        platforms = var.platforms
        describe  = var.details
      }
    })
  }
}

locals {
  found   = { for key in keys(local.references) : key => jsondecode(data.external.images[0].result[key]) }
  digests = { for key, image in local.found : key => image.source_digest }
  demands = length(var.trust.rules) > 0 || var.trust.default != "accept"
  asked   = { for key, digest in local.digests : key => digest if local.demands && digest != "" }
}

# Asked about the digest that was found: what is verified is what is named.
data "external" "trust" {
  count   = length(local.asked) == 0 ? 0 : 1
  program = concat(var.command, ["external"])
  query = {
    trust = jsonencode(var.trust)
    images = jsonencode({
      for key, digest in local.asked : key => { reference = local.references[key], digest = digest }
    })
  }
}

locals {
  trusted = { for key in keys(local.asked) : key => jsondecode(data.external.trust[0].result[key]) }
  refused = flatten([
    for key, image in local.found : [
      for why in concat(
        image.error == "" ? [] : ["${local.shown[key]} is ${image.kind}: ${image.error}"],
        try(image.refused, []),
        try(local.trusted[key].refused, []),
      ) : "references[${jsonencode(key)}]: ${why}"
    ]
  ])
}
