# Which images stay as they are, whatever the source has: it is away, or what it has is too young. What stays is the
# image that this configuration has put there, and not what somebody else has pushed over it meanwhile.

locals {
  may_stay = var.minimum_age != "" || var.source_unavailable == "use_destination"
  staying  = concat(local.unavailable, keys(local.young))

  # What is not to come in: what stays, and new images that have nothing to go on with.
  not_taken = concat(local.unavailable, keys(local.too_young))
  brought = {
    for name in keys(local.entries) : name =>
    contains(local.not_taken, name) ? local.present[name].digest : local.wanted[name].digest
  }

  # What an entry has put there: the time of that, its digest, and what was there before, which is still there where
  # the copy has failed. What an entry finds when it is planned first is its own. Of a plan with -refresh-only there may
  # be no object yet. Earlier modules left no time with overwrite = "ours" alone.
  put_first = {
    for name, own in terraform_data.own : name => concat(
      slice(["earlier"], 0, 3 - length(split(" ", own.input))), split(" ", own.input)
    )
  }
  put = {
    for name in local.not_taken : name => lookup(local.put_first, name, split(" ", " ${local.brought[name]}"))
  }
  newly_put = [for name, put in local.put : name if put[0] == plantimestamp()]
  own = {
    for name in keys(local.entries) : name => (
      !contains(local.not_taken, name) ? "" :
      local.present[name].digest == "" || !contains(local.put[name], local.present[name].digest) ? local.put[name][1] :
      local.present[name].digest
    )
  }

  stays_how = {
    for name in local.staying : name => local.present[name].digest != local.own[name] ? (
      " goes back to ${local.own[name]}"
    ) : join("", [" stays as it is", local.damage[name] == "" ? "" : ", damaged (${local.damage[name]})"])
  }
}

locals {
  # What was there before ours counts only while it has an object: somebody else may push it again.
  come_back = [
    for name, put in local.put : join("", [
      "images[${jsonencode(name)}]: ${local.shown_destination[name]} has another image, ${put[2]}, which this ",
      "configuration did not put there. That was ${put[1]}: give the tag back to it.",
    ]) if contains(local.staying, name) && put[1] != put[2] && local.own[name] == put[2] && local.is_new[name]
  ]
}

# Remembers for each entry what it has put there. It is replaced when another image is taken and not while one stays: so
# no plan needs the value that this object had before, which nothing that it depends on can read. It is made even where
# the apply refuses the image, which is to be refused by the next one too. Another destination is another place to look
# at. The digest is in no key: an apply that fails at a consumer leaves the old keys in the state, and a source that
# goes back then would find what was remembered long ago.
resource "terraform_data" "own" {
  for_each = local.may_stay || var.overwrite == "ours" ? local.names : {}
  input = join(" ", [
    plantimestamp(), local.brought[each.key],
    contains(local.not_taken, each.key) ? "" : local.present[each.key].digest,
  ])
  triggers_replace = [
    local.shown_destination[each.key],
    !local.may_stay ? local.brought[each.key] : contains(local.not_taken, each.key) ? "taken" : (
      substr("taken${terraform_data.seen[each.key].id}", 0, 5)
    ),
  ]

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [input]
  }
}

# Where `overwrite` is "ours" and no image may stay, earlier modules had this.
moved {
  from = terraform_data.had
  to   = terraform_data.own
}

# Tells which images are taken: those whose object is made in this plan, so that its id is not known yet. Earlier
# modules left a time in `input`.
resource "terraform_data" "seen" {
  for_each         = local.may_stay ? local.names : {}
  triggers_replace = local.brought[each.key]

  lifecycle {
    create_before_destroy = true # as what depends on it has: Terraform 1.5 finds a cycle otherwise
    ignore_changes        = [input]
  }
}
