# Which images are not taken yet, since they are too young: the destination's is gone on with.

locals {
  too_young = var.minimum_age == "" ? {} : {
    for name in keys(local.entries) : name => local.present[name].copy.young
    if try(local.present[name].copy.young, "") != ""
  }
  young = { for name, why in local.too_young : name => why if local.own[name] != "" }

  # A new image has nothing to go on with.
  wait = { for name in keys(local.too_young) : name => try(local.present[name].copy.wait, []) if local.own[name] == "" }

  # Tags that a rule does not pick yet.
  not_yet = flatten([
    for key, list in local.lists : [
      for tag, why in try(list.waiting, {}) : "images[${jsonencode(key)}] does not pick ${tag} yet: ${why}."
    ]
  ])
}

check "minimum_age" {
  assert {
    condition = length(local.young) == 0 && length(local.not_yet) == 0
    error_message = join("\n\n", concat(local.not_yet, [
      for name, why in local.young : join("", [
        local.shown_destination[name], local.stays_how[name], ": ", local.shown_source[name], " ", why, ".",
      ])
    ]))
  }
}
