# Looks up the tags that rules pick, at every plan. Writes nowhere.

# A list that cannot be read is an answer too (kind, error): a failed read would block a destroy.
data "external" "tags" {
  count   = length(var.repositories) == 0 ? 0 : 1
  program = concat(var.command, ["external"])
  query = {
    images = jsonencode({
      for name, each in var.repositories : name => { reference = each.source, tags = each.tags }
    })
  }
}

locals {
  lists  = { for name in keys(var.repositories) : name => jsondecode(data.external.tags[0].result[name]) }
  picked = { for name, list in local.lists : name => try(list.picked, []) }
  images = {
    for name, picks in local.picked : name => {
      for pick in picks : pick.tag => jsondecode(data.external.tags[0].result[pick.key])
    }
  }

  # A message with a sensitive value would be withheld. What is shown here is no secret.
  shown = { for name, each in var.repositories : name => try(nonsensitive(each.source), each.source) }
  refused = flatten([
    for name, list in local.lists : [
      for why in concat(
        list.error == "" ? [] : ["the source ${local.shown[name]} is ${list.kind}: ${list.error}"],
        try(list.refused, []),
        [for tag, image in local.images[name] : "the tag ${tag} is ${image.kind}: ${image.error}" if image.error != ""],
        flatten([for tag, image in local.images[name] : try(image.refused, [])]),
      ) : "repositories[${jsonencode(name)}]: ${why}"
    ]
  ])
}
