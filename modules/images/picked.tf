# Which images there are, each by its destination: all else in this module goes by these. How: docs/how-to/tags.md.

locals {
  asked = {
    for key, image in var.images : key => {
      reference = image.source
      platforms = image.platforms
      referrers = image.referrers
      tags      = image.tags
      waiting = image.tags == null || var.minimum_age == "" ? null : merge(local.judged.minimum_age, {
        destination = key == ":" ? var.destination_prefix : join("/", compact([var.destination_prefix, key]))
      })
    }
  }

  # The images that each rule picks, by its key: the last ones, where nothing is picked now. Then the plan fails, unless
  # nobody tells the tags and that is no error; but their keys are there, for a destroy looks at what names them.
  # An entry of which none is known stays in `entries` by itself.
  lists = {
    for key, image in var.images : key => jsondecode(data.external.source.result[key]) if image.tags != null
  }
  unlisted = [
    for key, list in local.lists : key
    if var.source_unavailable == "use_destination" && contains(["missing", "unreachable"], list.kind)
  ]
  picks = {
    for key, list in local.lists : key => jsondecode(
      can(local.listing[key]) ? jsonencode(try(list.picked, [])) : lookup(local.last_picks, key, "[]")
    )
  }
  unpicked   = [for key, picks in local.picks : key if length(picks) == 0]
  last_picks = { for key, last in terraform_data.last_picked : key => last.input }

  # `answer` is the key under which imagesync has answered for it. It is told once, by the first image.
  entries = merge(
    {
      for key, image in local.asked : key => {
        source    = image.reference
        platforms = image.platforms
        referrers = image.referrers
        answer    = key
        tells     = true
      } if !can(local.lists[key]) || contains(local.unpicked, key)
    },
    [
      for key, picks in local.picks : {
        for number, pick in picks : pick.key => {
          source    = pick.source
          platforms = local.asked[key].platforms
          referrers = local.asked[key].referrers
          answer    = can(local.listing[key]) ? pick.key : key
          tells     = number == 0 || can(local.listing[key]) || contains(local.unlisted, key)
        }
      }
    ]...
  )

  # For for_each, which Terraform evaluates and goes through for each of the objects again. A map is cheaper there.
  names = tomap({ for name in keys(local.entries) : name => name })
}

# Both remember what was picked last: without a list of tags, images would fall out of the plan. The first exists while
# there is a list, and is replaced when the picks change. The second is replaced with it, and otherwise stays.
resource "terraform_data" "listed" {
  for_each         = local.listings
  input            = plantimestamp()
  triggers_replace = local.listing[each.key]

  lifecycle {
    create_before_destroy = true # as `seen`
    ignore_changes        = [input]
  }
}

resource "terraform_data" "last_picked" {
  for_each         = local.rules
  input            = local.as_text[each.key]
  triggers_replace = local.is_other[each.key] ? substr("picked${timestamp()}", 0, 6) : "picked" # as in `copies`

  lifecycle { ignore_changes = [input] }
}

locals {
  # More objects make every other one of a plan cost more. So many rules remember only for use_destination.
  remembers = var.source_unavailable == "use_destination" || length(local.lists) <= 100

  listings = tomap({ for key in keys(local.listing) : key => key if local.remembers })
  rules    = tomap({ for key in keys(local.lists) : key => key if local.remembers })
  listing = {
    for key, list in local.lists : key => md5(jsonencode(list.picked))
    if length(try(list.picked, [])) > 0
  }
  as_text = { for key, list in local.lists : key => jsonencode(try(list.picked, [])) }
  listed_at = { # a plan with -refresh-only has that of other picks
    for key, listed in terraform_data.listed : key => listed.input
    if listed.triggers_replace == lookup(local.listing, key, "")
  }
  listed_since = { for key in keys(local.listing) : key => lookup(local.listed_at, key, "") }
  is_other     = { for key in keys(local.lists) : key => lookup(local.listed_since, key, "") == plantimestamp() }
}

locals {
  # An apply may have been stopped between the two, or aimed at one of them. With -refresh-only neither is new. Not a
  # postcondition: to see `self`, Terraform looks at all instances, for each of them.
  forgotten = {
    for key, since in local.listed_since : local.picks[key][0].key => join("", [
      "the last picks are not remembered. Apply with -replace='…last_picked[${jsonencode(key)}]', ",
      "at the address of that resource in this module.",
    ]) if since != "" && lookup(local.last_picks, key, "") != local.as_text[key]
  }
}
