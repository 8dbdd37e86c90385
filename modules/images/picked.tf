# Which images there are, each by its destination: all else in this module goes by these. How: docs/how-to/tags.md.

locals {
  asked = {
    for key, image in var.images : key => {
      reference = image.source
      platforms = image.platforms == null ? var.platforms : image.platforms
      referrers = image.referrers == null ? var.referrers : image.referrers
      tags      = image.tags
      waiting = image.tags == null || var.minimum_age == "" ? null : {
        destination = key == ":" ? var.destination_prefix : join("/", compact([var.destination_prefix, key]))
        least       = var.minimum_age
        new         = var.minimum_age_new
        by_created  = var.minimum_age_by_created
        ignored     = var.ignore_age_for
      }
    }
  }

  # The images that each rule picks, by its key: the last ones, where nothing is picked now. Then the plan fails, unless
  # nobody tells the tags and that is no error; but their keys are there, for a destroy looks at what names them.
  # An entry of which none is known stays in `entries` by itself.
  lists = {
    for key, image in var.images : key => jsondecode(data.external.source[0].result[key]) if image.tags != null
  }
  unlisted = [
    for key, list in local.lists : key
    if var.source_unavailable == "use_destination" && contains(["missing", "unreachable"], list.kind)
  ]
  picks = {
    for key, list in local.lists : key => jsondecode(
      contains(keys(local.listing), key) ? jsonencode(try(list.picked, [])) : lookup(local.last_picks, key, "[]")
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
      } if !contains(keys(local.lists), key) || contains(local.unpicked, key)
    },
    [
      for key, picks in local.picks : {
        for number, pick in picks : pick.key => {
          source    = pick.source
          platforms = local.asked[key].platforms
          referrers = local.asked[key].referrers
          answer    = contains(keys(local.listing), key) ? pick.key : key
          tells     = number == 0 || contains(keys(local.listing), key) || contains(local.unlisted, key)
        }
      }
    ]...
  )
}

# Both remember what was picked last: without a list of tags, images would fall out of the plan. The first is there while there is a list that gives these picks. Where it is new, the second is made anew; otherwise
# that stays as it is, whatever is known by now.
resource "terraform_data" "listed" {
  for_each = toset(values(local.listing))
  input    = plantimestamp()

  lifecycle {
    create_before_destroy = true # as `seen`
    ignore_changes        = [input]
  }
}

locals {
  listing = {
    for key, list in local.lists : key => "${key}#${md5(jsonencode(list.picked))}"
    if length(try(list.picked, [])) > 0
  }
  listed_at    = { for listing, listed in terraform_data.listed : listing => listed.input }
  listed_since = { for key, listing in local.listing : key => lookup(local.listed_at, listing, "") }
}

resource "terraform_data" "last_picked" {
  for_each = local.lists
  input    = jsonencode(try(each.value.picked, []))
  triggers_replace = ( # unknown at plan, and then the same text, as in `copies`
    lookup(local.listed_since, each.key, "") == plantimestamp() ? substr("picked${timestamp()}", 0, 6) : "picked"
  )

  lifecycle {
    ignore_changes = [input]

    # An apply may have been stopped between the two, or aimed at one of them. With -refresh-only neither is new.
    postcondition {
      condition = (
        lookup(local.listed_since, each.key, "") == "" || self.input == jsonencode(try(each.value.picked, []))
      )
      error_message = join("", [
        "images[${jsonencode(each.key)}]: the last picks are not remembered. Apply with ",
        "-replace='…last_picked[${jsonencode(each.key)}]', at this resource's address.",
      ])
    }
  }
}
