# Which images are not taken yet, since they are too young: the destination's is gone on with.

locals {
  young = var.minimum_age == "" ? {} : {
    for name in keys(local.entries) : name => local.present[name].copy.young
    if local.present[name].digest != "" && try(local.present[name].copy.young, "") != ""
  }

  # Tags that a rule does not pick yet.
  not_yet = flatten([
    for key, list in local.lists : [
      for tag, why in try(list.waiting, {}) : "images[${jsonencode(key)}] does not pick ${tag} yet: ${why}."
    ]
  ])

  # Entries whose destination stays as it is, whatever the source has.
  staying = concat(local.unavailable, keys(local.young))
}

check "minimum_age" {
  assert {
    condition = length(local.young) == 0 && length(local.not_yet) == 0
    error_message = join("\n\n", concat(local.not_yet, [
      for name, why in local.young : join("", [
        local.shown_destination[name], " stays as it is",
        local.damage[name] == "" ? "" : ", damaged (${local.damage[name]})",
        ": ", local.shown_source[name], " ", why, ".",
      ])
    ]))
  }
}
